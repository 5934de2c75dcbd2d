"""What squeeze-and-excitation is: parameters, rules, shape and price. No torch here, so that checking stays quick."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field

from archspec.ops.base import Count, Misfit, Op, divisors, feature_map, listed
from archspec.ops.shapes import Shape


class SqueezeExcite(Op):
    """Channels weighted by what the whole map holds (Hu et al. 2018).

    Average over the positions, linear, SiLU, linear, sigmoid; each channel times its weight.
    """

    op: Literal["squeeze_excite"] = "squeeze_excite"
    reduction: Count = Field(4, description="the inner layer has channels / reduction")

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As it comes."""
        return inputs["x"]

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """The reduction divides the channels."""
        channels = feature_map(inputs).channels
        if channels % self.reduction:
            message = f"{channels} channels cannot be reduced by {self.reduction}."
            hint = f"Reductions that divide {channels}: {listed(divisors(channels))}."
            yield Misfit("U202", message, hint, "reduction", about="channels")

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Two linear layers with bias."""
        channels = feature_map(inputs).channels
        inner = channels // self.reduction
        return (channels + 1) * inner + (inner + 1) * channels

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Two matrix-vector products."""
        channels = feature_map(inputs).channels
        return 2 * channels * (channels // self.reduction)
