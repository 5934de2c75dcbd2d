"""Self-attention over the positions of a feature map, softmax ("vanilla") or linear."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from archspec.ops.base import Count, Epsilon, Flag, Misfit, Op, Width, divisors, feature_map, group_misfits, listed
from archspec.shapes import Shape


class Attention(Op):
    """Self-attention over positions.

    ``vanilla``: q, k, v and output are 1×1 convolutions with bias, scale 1/sqrt(head width), softmax over keys (Ho et
    al. 2020; weight names ``norm q k v proj_out``). ``linear``: one 1×1 convolution to q, k, v without bias, softmax of
    k over positions, context k·vᵀ, output contextᵀ·q, no scaling (Shen et al. 2021; names ``norm to_qkv to_out``).

    By default vanilla has a norm before it and is added to its input, and linear has neither and replaces its input:
    that is how the reference U-Net has them. A fair comparison sets `norm` and `residual` on both.
    """

    op: Literal["attention"] = "attention"
    type: Literal["vanilla", "linear"] = Field("vanilla", description="softmax attention, or linear attention")
    heads: Count | None = Field(None, description="number of heads; default 1, or channels / head_dim")
    head_dim: Width | None = Field(None, description="channels per head; default channels / heads")
    norm: Flag | None = Field(None, description="group norm before it; default true for vanilla, false for linear")
    residual: Flag | None = Field(None, description="add it to its input; default true for vanilla, false for linear")
    groups: Count = Field(32, description="groups of the norm")
    eps: Epsilon = Field(1e-6, description="added to the variance in the norm")

    @property
    def has_norm(self) -> bool:
        """`norm` with its default resolved."""
        return self.type == "vanilla" if self.norm is None else self.norm

    @property
    def is_residual(self) -> bool:
        """`residual` with its default resolved."""
        return self.type == "vanilla" if self.residual is None else self.residual

    def split(self, channels: int) -> tuple[int, int]:
        """(heads, channels per head) for an input of `channels`."""
        heads = self.heads or (channels // self.head_dim if self.head_dim else 1)
        heads = max(heads, 1)
        return heads, self.head_dim or max(channels // heads, 1)

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As it comes."""
        return inputs["x"]

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Heads (or channels per head) must divide the channels; groups too where there is a norm."""
        x = feature_map(inputs)
        fitting = listed(divisors(x.channels))
        if self.heads and not self.head_dim and x.channels % self.heads:
            yield Misfit(
                "U205",
                f"{x.channels} channels do not split into {self.heads} heads.",
                f"Heads that divide {x.channels}: {fitting}.",
                "heads",
                about="channels",
            )
        if self.head_dim and not self.heads and x.channels % self.head_dim:
            yield Misfit(
                "U205",
                f"{x.channels} channels do not split into heads of {self.head_dim}.",
                f"Widths that divide {x.channels}: {fitting}; or give heads as well.",
                "head_dim",
                about="channels",
            )
        if self.has_norm:
            yield from group_misfits(x.channels, self.groups)

    def _inner(self, channels: int) -> int:
        heads, width = self.split(channels)
        return heads * width

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Projections (biases: vanilla on all four, linear on the output only) and norm."""
        channels = feature_map(inputs).channels
        inner = self._inner(channels)
        biases = (3 * inner if self.type == "vanilla" else 0) + channels
        return 4 * channels * inner + biases + (2 * channels if self.has_norm else 0)

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
        resolved = self.model_dump(mode="json")
        resolved.update(heads=heads, head_dim=head_dim, norm=self.has_norm, residual=self.is_residual)
        if not self.has_norm:
            resolved.update(groups=None, eps=None)
        return resolved
