"""Where tensors enter and leave: input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from archspec.ops.base import Op, Port, Width
from archspec.shapes import Embedding, FeatureMap, Shape, Timestep
from archspec.wording import a_or_an

InputKind = Literal["image", "timestep", "context", "label", "augment"]

#: kind -> the one parameter that says how long its vector is
_VECTORS = {"label": "classes", "augment": "dim"}


class Input(Op):
    """An argument of the network's forward.

    The noisy image, the timestep, a context image, the class of each image as a one-hot vector ``[batch, classes]``,
    or the augmentation that each image went through as a vector ``[batch, dim]`` (Karras et al. 2022).
    """

    op: Literal["input"] = "input"
    kind: InputKind = Field(
        "image",
        description="image: x; timestep: t; context: an image to concatenate to x; label: one-hot vectors of classes; "
        "augment: vectors that describe augmentations",
    )
    channels: Width | None = Field(None, description="channels of an image or context input")
    resolution: Width | None = Field(None, description="height and width of an image or context input, in pixels")
    classes: Width | None = Field(None, description="number of classes of a label input")
    dim: Width | None = Field(None, description="width of an augment input")

    PORTS: ClassVar[tuple[Port, ...]] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        sized = self.channels is not None and self.resolution is not None
        bare = self.channels is None and self.resolution is None
        vector = _VECTORS.get(self.kind)
        for name in ("classes", "dim"):
            if (getattr(self, name) is not None) != (name == vector):
                needs = "needs" if name == vector else "has no"
                raise ValueError(f"{a_or_an(self.kind)} input {needs} {name}")
        if vector is not None and not bare:
            raise ValueError(f"{a_or_an(self.kind)} input has neither channels nor resolution")
        if self.kind == "timestep" and not bare:
            raise ValueError("an input of timesteps has neither channels nor resolution")
        if self.kind in ("image", "context") and not sized:
            raise ValueError("an image or context input needs channels and resolution")
        return self

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The declared shape."""
        del inputs
        if self.channels is None or self.resolution is None:
            dim = self.classes or self.dim
            return Embedding(dim) if dim else Timestep()
        return FeatureMap(self.channels, self.resolution)

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """`classes` and `dim` only where they are said."""
        resolved = super().canonical(inputs)
        return {key: value for key, value in resolved.items() if key not in _VECTORS.values() or value is not None}


class Output(Op):
    """What the network returns."""

    op: Literal["output"] = "output"

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As it comes."""
        return inputs["x"]
