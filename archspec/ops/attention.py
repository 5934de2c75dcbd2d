"""Self-attention over the positions of a feature map, softmax ("vanilla") or linear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import (
    HARMLESS,
    Count,
    Epsilon,
    Flag,
    Groups,
    KeepsShape,
    Misfit,
    Number,
    Width,
    divisors,
    feature_map,
    listed,
)
from archspec.ops.norms import NormType, norm_as_it_acts, norm_misfits, norm_parameters
from archspec.ops.shapes import Shape


class Attention(KeepsShape):
    """Self-attention over positions.

    ``vanilla``: q, k, v and output are 1×1 convolutions with bias, scale 1/sqrt(head width), softmax over keys (Ho et
    al. 2020; weight names ``norm q k v proj_out``). ``linear``: one 1×1 convolution to q, k, v without bias, softmax of
    k over positions, context k·vᵀ, output contextᵀ·q, no scaling (Shen et al. 2021; names ``norm to_qkv to_out``).

    By default vanilla has a norm before it and is added to its input, and linear has neither and replaces its input:
    that is how the reference U-Net has them. A fair comparison sets `norm` and `residual` on both.

    `fused_qkv` keeps the weights of q, k and v in one convolution ``qkv``, rows q | k | v (as ADM's
    ``use_new_attention_order``): the same computation, so it does not enter the fingerprint.
    """

    op: Literal["attention"] = "attention"
    type: Literal["vanilla", "linear"] = Field("vanilla", description="softmax attention, or linear attention")
    heads: Count | None = Field(None, description="number of heads; default 1, or channels / head_dim")
    head_dim: Width | None = Field(None, description="channels per head; default channels / heads")
    norm: Flag | None = Field(None, description="group norm before it; default true for vanilla, false for linear")
    residual: Flag | None = Field(None, description="add it to its input; default true for vanilla, false for linear")
    groups: Groups = Field(32, description="groups of the norm; auto: min(32, channels / 4)")
    eps: Epsilon = Field(1e-6, description="added to the variance in the norm")
    qkv_bias: Annotated[Flag | None, HARMLESS] = Field(
        None, description="bias of the projections to q, k and v; default true for vanilla, false for linear"
    )
    fused_qkv: Annotated[Flag, HARMLESS] = Field(
        default=False, description="one projection to q, k and v, as linear attention always has it"
    )
    zero_init: Annotated[Flag, HARMLESS] = Field(default=False, description="start the last projection from zero")
    residual_scale: Annotated[Number, Field(gt=0.0, le=100.0), HARMLESS] = Field(
        1.0, description="factor of the result, of the sum where it is residual, such as 1/sqrt(2)"
    )

    norm_type: NormType = Field("group", description="kind of the norm, as the type of the operation norm")

    LATER: ClassVar[frozenset[str]] = frozenset({"qkv_bias", "fused_qkv", "zero_init", "residual_scale", "norm_type"})

    @property
    def has_norm(self) -> bool:
        """`norm` with its default resolved; not where its kind is none."""
        if self.norm_type == "none":
            return False
        return self.type == "vanilla" if self.norm is None else self.norm

    @property
    def is_residual(self) -> bool:
        """`residual` with its default resolved."""
        return self.type == "vanilla" if self.residual is None else self.residual

    @property
    def has_qkv_bias(self) -> bool:
        """`qkv_bias` with its default resolved."""
        return self.type == "vanilla" if self.qkv_bias is None else self.qkv_bias

    def split(self, channels: int) -> tuple[int, int]:
        """(heads, channels per head) for an input of `channels`."""
        return split_heads(self.heads, self.head_dim, channels)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Heads (or channels per head) must divide the channels; groups too where there is a norm."""
        x = feature_map(inputs)
        yield from head_misfits(self.heads, self.head_dim, x.channels)
        if self.has_norm:
            yield from norm_misfits(self.norm_type, x.channels, self.groups)

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The width of its input, where a group norm comes before it."""
        return (feature_map(inputs).channels,) if self.has_norm and self.norm_type == "group" else ()

    def _inner(self, channels: int) -> int:
        heads, width = self.split(channels)
        return heads * width

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Projections, with their biases, and norm."""
        channels = feature_map(inputs).channels
        inner = self._inner(channels)
        biases = (3 * inner if self.has_qkv_bias else 0) + channels
        return 4 * channels * inner + biases + (norm_parameters(self.norm_type, channels) if self.has_norm else 0)

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Projections, and the two products of attention: quadratic in the positions, or in the head width."""
        x = feature_map(inputs)
        positions, inner = x.size**2, self._inner(x.channels)
        _, head_dim = self.split(x.channels)
        products = 2 * positions * inner * (positions if self.type == "vanilla" else head_dim)
        return 4 * positions * x.channels * inner + products

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Heads and width spelled out, norm and residual resolved, the norm's parameters only where it exists."""
        heads, head_dim = self.split(feature_map(inputs).channels)
        resolved = self.written()
        resolved.update(heads=heads, head_dim=head_dim, norm=self.has_norm, residual=self.is_residual)
        kind = self.norm_type if self.has_norm else "none"
        resolved.update(norm_as_it_acts(kind, self.groups, self.eps, feature_map(inputs).channels))
        if not self.has_norm:
            resolved.pop("norm_type", None)
        resolved.pop("fused_qkv", None)
        if self.has_qkv_bias == (self.type == "vanilla"):
            resolved.pop("qkv_bias", None)
        return resolved


def split_heads(heads: int | None, head_dim: int | None, channels: int) -> tuple[int, int]:
    """(heads, channels per head) from what is given of them; one head as wide as the input where neither is."""
    heads = max(heads or (channels // head_dim if head_dim else 1), 1)
    return heads, head_dim or max(channels // heads, 1)


def head_misfits(heads: int | None, head_dim: int | None, channels: int) -> Iterator[Misfit]:
    """The rule of heads: the one of number and width that is given must divide the channels."""
    fitting = listed(divisors(channels))
    if heads and not head_dim and channels % heads:
        message = f"{channels} channels do not split into {heads} heads."
        yield Misfit("U205", message, f"Heads that divide {channels}: {fitting}.", "heads", about="channels")
    if head_dim and not heads and channels % head_dim:
        message = f"{channels} channels do not split into heads of {head_dim}."
        hint = f"Widths that divide {channels}: {fitting}; or give heads as well."
        yield Misfit("U205", message, hint, "head_dim", about="channels")
