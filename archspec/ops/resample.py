"""Halving and doubling the size of a feature map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import HARMLESS, Flag, Misfit, Op, feature_map, halving_misfits
from archspec.ops.shapes import FeatureMap, Shape

#: Method -> inputs of the convolution for each of its outputs and channels.
_TAPS = {"conv": 9, "avg_pool": 0, "space_to_depth": 4}


class Downsample(Op):
    """Half the size: a strided 3×3 convolution, a 2×2 average, or 2×2 pixels as channels through a 1×1 convolution.

    Weight name of the convolution: ``conv``.
    """

    op: Literal["downsample"] = "downsample"
    method: Annotated[Literal["conv", "avg_pool", "space_to_depth"], HARMLESS] = Field(
        "conv", description="strided convolution, average pooling, or 2×2 pixels to channels and a 1×1 convolution"
    )
    padding: Annotated[Literal["asymmetric", "symmetric"], HARMLESS] = Field(
        "asymmetric", description="of the convolution: one pixel right and bottom, or one pixel all around"
    )

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same channels at half the size."""
        x = feature_map(inputs)
        return FeatureMap(x.channels, max(x.size // 2, 1))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """The size must be even, or the way up will not meet it again."""
        yield from halving_misfits(feature_map(inputs).size)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """A convolution with bias, or nothing."""
        channels, taps = feature_map(inputs).channels, _TAPS[self.method]
        return taps * channels**2 + channels if taps else 0

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The convolution at half the size."""
        x = feature_map(inputs)
        return (x.size // 2) ** 2 * _TAPS[self.method] * x.channels**2

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Padding only where there is a convolution."""
        resolved = super().canonical(inputs)
        return resolved if self.method == "conv" else {**resolved, "padding": None}


class Upsample(Op):
    """Twice the size, then a 3×3 convolution (weight name ``conv``) unless switched off."""

    op: Literal["upsample"] = "upsample"
    conv: Annotated[Flag, HARMLESS] = Field(default=True, description="whether a 3×3 convolution follows")
    mode: Annotated[Literal["nearest", "bilinear"], HARMLESS] = Field(
        "nearest", description="nearest neighbour, or bilinear between pixel centres"
    )

    LATER: ClassVar[frozenset[str]] = frozenset({"mode"})

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same channels at twice the size."""
        x = feature_map(inputs)
        return FeatureMap(x.channels, x.size * 2)

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """A 3×3 convolution with bias, or nothing."""
        channels = feature_map(inputs).channels
        return 9 * channels**2 + channels if self.conv else 0

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The convolution at twice the size."""
        x = feature_map(inputs)
        return (x.size * 2) ** 2 * 9 * x.channels**2 if self.conv else 0
