"""Halving and doubling by a FIR filter, as blocks that resample inside and progressive inputs need it.

The filter is separable, applied as a depthwise convolution: strided to halve, transposed to double (Zhang 2019; Song
et al. 2021). Its products are counted, as torch's counter does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from archspec.ops.base import Misfit, Number, Op, feature_map, halving_misfits
from archspec.ops.resample import Downsample, Upsample
from archspec.ops.shapes import FeatureMap, Shape


def _even(taps: tuple[float, ...]) -> tuple[float, ...]:
    """An even number of taps lies between pixels, so that sizes are halved and doubled exactly."""
    if len(taps) % 2:
        hint = "Such as [1, 1] or [1, 3, 3, 1]."
        raise PydanticCustomError(
            "U012", "must have an even number of taps, not {number}", {"number": len(taps), "hint": hint}
        )
    return taps


Tap = Annotated[Number, Field(ge=0.001, le=1000.0)]
#: Taps of a symmetric low-pass filter in one direction; they need not sum to one.
Filter = Annotated[tuple[Tap, ...], Field(min_length=2, max_length=16), AfterValidator(_even)]
Resample = Literal["none", "down", "up"]


def resampled(size: int, resample: Resample) -> int:
    """The size after halving or doubling."""
    return {"none": size, "down": max(size // 2, 1), "up": 2 * size}[resample]


def filter_macs(x: FeatureMap, resample: Resample, taps: tuple[float, ...]) -> int:
    """Products of one depthwise filter over a map: per tap, channel and position of the smaller map."""
    if resample == "none":
        return 0
    return x.channels * len(taps) ** 2 * min(x.size, resampled(x.size, resample)) ** 2


def even_taps(taps: tuple[float, ...]) -> list[float]:
    """The taps of a filter that sum to one, as it acts; what the fingerprint sees."""
    return [round(tap / sum(taps), 12) for tap in taps]


#: The filter that is the average of 2×2 pixels on the way down, and nearest neighbour on the way up.
BOX = [0.5, 0.5]


class FirResample(Op):
    """Half or twice the size by a FIR filter alone."""

    op: Literal["fir_resample"] = "fir_resample"
    resample: Literal["down", "up"] = Field(description="halve or double")
    filter: Filter = Field((1.0, 3.0, 3.0, 1.0), description="taps in one direction")

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The same channels at half or twice the size."""
        x = feature_map(inputs)
        return FeatureMap(x.channels, resampled(x.size, self.resample))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Only an even size can be halved."""
        if self.resample == "down":
            yield from halving_misfits(feature_map(inputs).size)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The filter."""
        return filter_macs(feature_map(inputs), self.resample, self.filter)

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The filter as it acts; taps (1, 1) are average pooling, and nearest neighbour."""
        taps = even_taps(self.filter)
        if taps == BOX:
            plain = Downsample(method="avg_pool") if self.resample == "down" else Upsample(conv=False)
            return plain.canonical(inputs)
        return {**super().canonical(inputs), "filter": taps}
