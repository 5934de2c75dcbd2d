"""The transformer of latent diffusion (Rombach et al. 2022): attention over positions and over tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.attention import head_misfits, split_heads
from archspec.ops.base import HARMLESS, Count, Epsilon, Flag, Groups, KeepsShape, Misfit, Port, Rate, Width, feature_map
from archspec.ops.norms import NormType, norm_as_it_acts, norm_misfits, norm_parameters
from archspec.ops.shapes import FeatureMap, Shape, Tokens


class Transformer(KeepsShape):
    """Group norm, projection, `depth` blocks, projection, plus the input.

    A block is [layer norm, self-attention], [layer norm, cross-attention over the tokens], [layer norm, feed-forward],
    each added to its input. Inside, q, k and v have no bias and the output has one. Weight names: ``norm proj_in
    transformer_blocks.{i}.{norm1 attn1 norm2 attn2 norm3 ff} proj_out``; in an attention ``to_q to_k to_v to_out.0``,
    in the feed-forward ``net.0.proj net.2``.
    """

    op: Literal["transformer"] = "transformer"
    depth: Annotated[Count, Field(le=256)] = Field(1, description="number of blocks")
    heads: Count | None = Field(None, description="number of heads; default 1, or channels / head_dim")
    head_dim: Width | None = Field(None, description="channels per head; default channels / heads")
    self_attention: Flag = Field(default=True, description="attention over the positions in every block")
    cross_attention: Flag = Field(default=True, description="attention over the tokens in every block")
    feed_forward: Flag = Field(default=True, description="a feed-forward on each position in every block")
    ff_mult: Annotated[Count, Field(le=64)] = Field(4, description="inner width of the feed-forward as a multiple")
    ff_act: Annotated[Literal["geglu", "gelu"], HARMLESS] = Field(
        "geglu", description="GELU with a learned gate (Shazeer 2020), or alone"
    )
    projection: Annotated[Literal["conv", "linear"], HARMLESS] = Field(
        "conv", description="in and out by 1×1 convolutions or linear layers: the same computation, other weight shapes"
    )
    groups: Groups = Field(32, description="groups of the norm before it; auto: min(32, channels / 4)")
    eps: Epsilon = Field(1e-6, description="added to the variance in the norm before it")
    dropout: Rate = Field(0.0, description="after each attention and in the feed-forward")
    residual: Annotated[Flag, HARMLESS] = Field(default=True, description="add it to its input")
    zero_init: Annotated[Flag, HARMLESS] = Field(default=False, description="start the last projection from zero")

    norm_type: NormType = Field("group", description="kind of the norm before it, as the type of the operation norm")

    LATER: ClassVar[frozenset[str]] = frozenset({"norm_type"})
    PORTS: ClassVar[tuple[Port, ...]] = (Port("x", FeatureMap),)

    def ports(self) -> tuple[Port, ...]:
        """``x``, and ``tokens`` where there is cross-attention."""
        return (*self.PORTS, Port("tokens", Tokens, "context")) if self.cross_attention else self.PORTS

    def split(self, channels: int) -> tuple[int, int]:
        """(heads, channels per head) for an input of `channels`."""
        return split_heads(self.heads, self.head_dim, channels)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Heads (or channels per head) and groups must divide the channels."""
        channels = feature_map(inputs).channels
        yield from head_misfits(self.heads, self.head_dim, channels)
        yield from norm_misfits(self.norm_type, channels, self.groups)

    def inner(self, channels: int) -> int:
        """Width inside: heads times channels per head."""
        heads, head_dim = self.split(channels)
        return heads * head_dim

    @property
    def _ff_factors(self) -> tuple[int, int]:
        """Widths of the feed-forward's two layers as multiples: before and after the gate."""
        mult = self.ff_mult if self.feed_forward else 0
        return mult * (2 if self.ff_act == "geglu" else 1), mult

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The width of its input, where a group norm comes before it."""
        return (feature_map(inputs).channels,) if self.norm_type == "group" else ()

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Norm and projections, and in each block: attentions, feed-forward, and a layer norm before each."""
        channels = feature_map(inputs).channels
        inner = self.inner(channels)
        ends = norm_parameters(self.norm_type, channels) + (channels + 1) * inner + (inner + 1) * channels
        block = 0
        if self.self_attention:
            block += 2 * inner + 4 * inner**2 + inner
        if self.cross_attention:
            block += 2 * inner + 2 * inner**2 + 2 * _tokens(inputs).dim * inner + inner
        if self.feed_forward:
            wide, narrow = self._ff_factors
            block += 2 * inner + (inner + 1) * wide * inner + (narrow * inner + 1) * inner
        return ends + self.depth * block

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Projections, the products of each attention, and the feed-forward."""
        x = feature_map(inputs)
        positions, inner = x.size**2, self.inner(x.channels)
        block = 0
        if self.self_attention:
            block += 4 * positions * inner**2 + 2 * positions**2 * inner
        if self.cross_attention:
            tokens = _tokens(inputs)
            block += 2 * positions * inner**2 + 2 * tokens.length * tokens.dim * inner
            block += 2 * positions * tokens.length * inner
        block += positions * inner**2 * sum(self._ff_factors)
        return 2 * positions * x.channels * inner + self.depth * block

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Heads, width and groups spelled out; the kind of projection is no part of the computation."""
        resolved, channels = self.written(), feature_map(inputs).channels
        heads, head_dim = self.split(channels)
        resolved.update(heads=heads, head_dim=head_dim)
        resolved |= norm_as_it_acts(self.norm_type, self.groups, self.eps, channels)
        del resolved["projection"]
        if not self.feed_forward:
            resolved.update(ff_act=None, ff_mult=None)
        if not (self.self_attention or self.cross_attention):
            resolved.update(heads=1, head_dim=heads * head_dim)
            resolved.update({} if self.feed_forward else {"depth": 0, "dropout": 0.0})
        return resolved


def _tokens(inputs: Mapping[str, Shape]) -> Tokens:
    shape = inputs["tokens"]
    assert isinstance(shape, Tokens)
    return shape
