"""The residual block and the attention of EDM2 (Karras et al. 2024, config G)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import (
    KeepsShape,
    Misfit,
    Op,
    Port,
    Rate,
    Width,
    divisors,
    embedding_dim,
    feature_map,
    halving_misfits,
    listed,
)
from archspec.ops.magnitude import Balance
from archspec.ops.resampling import Filter, Resample, even_taps, filter_macs, resampled
from archspec.ops.shapes import Embedding, FeatureMap, Shape


class MpBlock(Op):
    """A residual block that preserves magnitudes (Karras et al. 2024, config G).

    Resampling; in the encoder a 1×1 convolution if the width changes, and pixel norm. Residual branch: SiLU, 3×3
    convolution, times 1 + gain·linear(emb) with a learned gain that starts at 0, SiLU, dropout, 3×3 convolution. In the
    decoder the 1×1 convolution stands on the main branch after that. Both are joined by a sum of weight `t`. All
    convolutions have forced weight normalisation and no bias. Weight names: ``conv_skip conv_res0 emb_linear emb_gain
    conv_res1``, each with ``weight``.
    """

    op: Literal["mp_block"] = "mp_block"
    out: Width = Field(description="output channels")
    flavor: Literal["encoder", "decoder"] = Field(
        description="encoder: pixel norm at the start, width changed before the residual branch; decoder: neither"
    )
    resample: Resample = Field("none", description="whether the block starts by halving or doubling")
    filter: Filter = Field((1.0, 1.0), description="taps of the resampling filter in one direction")
    dropout: Rate = Field(0.0, description="probability of dropping an activation")
    t: Balance = Field(0.3, description="weight of the residual branch in the sum")

    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", FeatureMap), Port("emb", Embedding, "emb"))

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """`out` channels at the size after resampling."""
        return FeatureMap(self.out, resampled(feature_map(inputs).size, self.resample))

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Only an even size can be halved."""
        if self.resample == "down":
            yield from halving_misfits(feature_map(inputs).size)

    def inner(self, channels: int) -> int:
        """Channels that enter the residual branch."""
        return self.out if self.flavor == "encoder" else channels

    def _weights(self, channels: int) -> int:
        """Weights of the convolutions, which are also the products per position."""
        skip = channels * self.out if channels != self.out else 0
        return skip + 9 * self.inner(channels) * self.out + 9 * self.out**2

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Convolutions, the embedding's projection, and its gain."""
        return self._weights(feature_map(inputs).channels) + embedding_dim(inputs, "emb") * self.out + 1

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Convolutions after resampling, the filter, and the embedding's projection."""
        x = feature_map(inputs)
        positions = resampled(x.size, self.resample) ** 2
        filtering = filter_macs(x, self.resample, self.filter)
        return positions * self._weights(x.channels) + filtering + embedding_dim(inputs, "emb") * self.out

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """The filter as it acts, and only where the block resamples."""
        taps = None if self.resample == "none" else even_taps(self.filter)
        return {**super().canonical(inputs), "filter": taps}


class MpAttention(KeepsShape):
    """Cosine self-attention that preserves magnitudes (Karras et al. 2024).

    One 1×1 convolution to q, k and v; each head's q, k and v are pixel-normed; softmax of q·k/√d over the keys; a 1×1
    convolution; joined with x by a sum of weight `t`. Weight names: ``qkv proj``, each with ``weight``; the rows of
    ``qkv`` are q, k, v, each with its heads one after another.
    """

    op: Literal["mp_attention"] = "mp_attention"
    head_dim: Width = Field(64, description="channels per head")
    t: Balance = Field(0.3, description="weight of the attention in the sum")

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """The width of heads divides the channels."""
        channels = feature_map(inputs).channels
        if channels % self.head_dim:
            message = f"{channels} channels do not split into heads of {self.head_dim}."
            hint = f"Widths that divide {channels}: {listed(divisors(channels))}."
            yield Misfit("U205", message, hint, "head_dim", about="channels")

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Four square matrices."""
        return 4 * feature_map(inputs).channels ** 2

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The projections, and two products that are quadratic in the positions."""
        x = feature_map(inputs)
        positions = x.size**2
        return 4 * positions * x.channels**2 + 2 * positions**2 * x.channels
