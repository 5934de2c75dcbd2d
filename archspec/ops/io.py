"""Where tensors enter and leave: input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from archspec.ops.base import Op, Port, Width
from archspec.shapes import FeatureMap, Shape, Timestep

InputKind = Literal["image", "timestep", "context"]


class Input(Op):
    """An argument of the network's forward: the noisy image, the timestep, or a context image."""

    op: Literal["input"] = "input"
    kind: InputKind = Field("image", description="image: x; timestep: t; context: an image to concatenate to x")
    channels: Width | None = Field(None, description="channels of an image or context input")
    resolution: Width | None = Field(None, description="height and width of an image or context input, in pixels")

    PORTS: ClassVar[tuple[Port, ...]] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        sized = self.channels is not None and self.resolution is not None
        bare = self.channels is None and self.resolution is None
        if self.kind == "timestep" and not bare:
            raise ValueError("an input of timesteps has neither channels nor resolution")
        if self.kind != "timestep" and not sized:
            raise ValueError("an image or context input needs channels and resolution")
        return self

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The declared shape."""
        del inputs
        if self.channels is None or self.resolution is None:
            return Timestep()
        return FeatureMap(self.channels, self.resolution)


class Output(Op):
    """What the network returns."""

    op: Literal["output"] = "output"

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As it comes."""
        return inputs["x"]
