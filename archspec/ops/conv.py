"""Single layers on feature maps: convolution, norm, activation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import (
    HARMLESS,
    WHOLE,
    Count,
    Epsilon,
    Flag,
    Groups,
    KeepsShape,
    Misfit,
    Op,
    Width,
    divisors,
    feature_map,
    listed,
)
from archspec.ops.norms import NormType, norm_as_it_acts, norm_misfits, norm_parameters
from archspec.ops.shapes import FeatureMap, Shape

#: Activation functions; GELU is the exact one.
ActFn = Literal["silu", "relu", "gelu"]


class Conv(Op):
    """A convolution that keeps the size: stride 1, odd kernel, zero padding of half the kernel."""

    op: Literal["conv"] = "conv"
    out: Width = Field(description="output channels")
    kernel: Annotated[Literal[1, 3, 5, 7], WHOLE, HARMLESS] = Field(3, description="kernel size in pixels")
    groups: Count = Field(1, description="groups of the convolution; must divide both widths")
    bias: Annotated[Flag, HARMLESS] = Field(default=True, description="whether there is a bias")
    zero_init: Annotated[Flag, HARMLESS] = Field(default=False, description="start from zero weights")

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same size with `out` channels."""
        return FeatureMap(self.out, feature_map(inputs).size)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Groups must divide input and output channels."""
        channels = feature_map(inputs).channels
        if channels % self.groups or self.out % self.groups:
            both = [d for d in divisors(channels) if self.out % d == 0]
            yield Misfit(
                "U202",
                f"{channels} and {self.out} channels do not both split into {self.groups} groups.",
                f"Groups that divide both: {listed(both)}.",
                field="groups",
                about="channels",
            )

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Weights and bias."""
        return feature_map(inputs).channels // self.groups * self.out * self.kernel**2 + self.out * self.bias

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """One product per weight and position."""
        x = feature_map(inputs)
        return x.size**2 * (x.channels // self.groups) * self.out * self.kernel**2


class Norm(KeepsShape):
    """A norm: of groups of channels by default (Wu and He 2018), or one of the kinds of `archspec.ops.norms`.

    Weight names: ``weight bias`` of group and layer, ``weight`` of rms.
    """

    op: Literal["norm"] = "norm"
    type: NormType = Field(
        "group",
        description="group norm; layer norm or RMS norm over each position's channels; pixel: RMS norm without weights",
    )
    groups: Groups = Field(32, description="number of groups; must divide the channels. auto: min(32, channels / 4)")
    eps: Epsilon = Field(1e-6, description="added to the variance (the mean square in rms and pixel)")

    LATER: ClassVar[frozenset[str]] = frozenset({"type"})

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Groups must divide the channels."""
        yield from norm_misfits(self.type, feature_map(inputs).channels, self.groups)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Scale and shift, as far as its kind has them."""
        return norm_parameters(self.type, feature_map(inputs).channels)

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The width of its input, where it is a group norm."""
        return (feature_map(inputs).channels,) if self.type == "group" else ()

    def identity(self, inputs: Mapping[str, Shape]) -> bool:
        """Where it is none."""
        del inputs
        return self.type == "none"

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The number of groups, whichever way it was said, and what has an effect."""
        acts = norm_as_it_acts(self.type, self.groups, self.eps, feature_map(inputs).channels)
        return {**self.written(), **acts}


class Act(KeepsShape):
    """An activation function."""

    op: Literal["act"] = "act"
    fn: Annotated[ActFn, HARMLESS] = Field("silu", description="the function")
