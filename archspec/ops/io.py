"""Where tensors enter and leave: input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from archspec.ops.base import Op, Port, Width
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens

InputKind = Literal["image", "timestep", "context", "label", "vector", "tokens", "control"]

#: kind -> the parameters that declare its shape
_NEEDS: dict[str, tuple[str, ...]] = {
    "image": ("channels", "resolution"),
    "timestep": (),
    "context": ("channels", "resolution"),
    "label": (),
    "vector": ("dim",),
    "tokens": ("dim", "length"),
    "control": ("channels", "resolution"),
}


class Input(Op):
    """An argument of the network's forward: the noisy image, the timestep, or what else it is conditioned on."""

    op: Literal["input"] = "input"
    kind: InputKind = Field(
        "image",
        description="image: x; timestep: t; context: an image to concatenate to x; "
        "label: a class; vector: one embedding; tokens: a sequence of embeddings, such as an encoded text; "
        "control: an image that steers a controlled copy, beside a context",
    )
    channels: Width | None = Field(None, description="channels of an image, context or control input")
    resolution: Width | None = Field(None, description="height and width of such an input, in pixels")
    dim: Width | None = Field(None, description="width of a vector or of each token")
    length: Width | None = Field(None, description="number of tokens that costs are counted for; any number is taken")

    LATER: ClassVar[frozenset[str]] = frozenset({"dim", "length"})
    PORTS: ClassVar[tuple[Port, ...]] = ()

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        given = {name for name in ("channels", "resolution", "dim", "length") if getattr(self, name) is not None}
        needs = _NEEDS[self.kind]
        if given and not needs:
            what = "channels nor resolution" if given & {"channels", "resolution"} else "dim nor length"
            raise ValueError(f"an input of {self.kind}s has neither {what}")
        if given != set(needs):
            what = "an image or context input" if "resolution" in needs else f"a {self.kind} input"
            raise ValueError(f"{what} needs {' and '.join(needs)}")
        return self

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The declared shape."""
        del inputs
        if self.kind == "tokens":
            return Tokens(self.dim or 1, self.length or 1)
        if self.kind == "vector":
            return Embedding(self.dim or 1)
        if self.channels is None or self.resolution is None:
            return Label() if self.kind == "label" else Timestep()
        return FeatureMap(self.channels, self.resolution)


class Output(Op):
    """What the network returns."""

    op: Literal["output"] = "output"

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As it comes."""
        return inputs["x"]
