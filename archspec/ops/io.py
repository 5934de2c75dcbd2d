"""Where tensors enter and leave: input and output."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from archspec.ops.base import KeepsShape, Op, Port, Width
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens
from archspec.text.wording import a_or_an

InputKind = Literal["image", "timestep", "context", "label", "vector", "tokens", "control"]

#: the parameters that declare a shape, and kind -> those that it needs
_SHAPED = ("channels", "resolution", "dim", "length")
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
        given = {name for name in _SHAPED if getattr(self, name) is not None}
        needs = _NEEDS[self.kind]
        if given != set(needs):
            foreign = " or ".join(name for name in _SHAPED if name in given and name not in needs)
            said = [f"needs {' and '.join(needs)}"] * bool(needs) + [f"has no {foreign}"] * bool(foreign)
            raise ValueError(f"{a_or_an(self.kind)} input {', and '.join(said)}")
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


class Output(KeepsShape):
    """What the network returns."""

    op: Literal["output"] = "output"
