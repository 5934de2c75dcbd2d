"""Self-attention over the positions of a feature map: softmax ("vanilla") and linear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from builder.layers.conv import conv2d, token_conv2d
from builder.layers.fused import attend
from builder.layers.norm import NormOptions


def _split_heads(x: Tensor, heads: int) -> Tensor:
    """``[b, heads * d, h, w] -> [b, heads, d, h * w]``, a view."""
    batch, channels, height, width = x.shape
    return x.reshape(batch, heads, channels // heads, height * width)


def _join_heads(x: Tensor, size: torch.Size) -> Tensor:
    """``[b, heads, d, h * w] -> [b, heads * d, h, w]``, a view; `size` is (h, w)."""
    return _unflattened(x.flatten(1, 2), size)


def _unflattened(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """The last dimension taken apart."""
    found: Tensor = x.unflatten(-1, sizes)  # type: ignore[no-untyped-call]  # torch's own
    return found


@dataclass(frozen=True)
class ProjectionOptions:
    """What varies of the projections to q, k, v and back.

    Attributes:
        qkv_bias: of the projections to q, k and v; None for the default of the attention.
        fused: one projection to q | k | v.
        zero_init: start the last projection from zero.
        residual_scale: factor of the result, of the sum where it is residual (Song et al. 2021).
    """

    qkv_bias: bool | None = None
    fused: bool = False
    zero_init: bool = False
    residual_scale: float = 1.0

    def result(self, x: Tensor, out: Tensor, *, residual: bool) -> Tensor:
        """What the attention gives for its input `x` and the last projection's result."""
        whole = x + out if residual else out
        return whole if self.residual_scale == 1.0 else whole * self.residual_scale


class AttentionBlock(nn.Module):
    """Softmax attention (Ho et al. 2020): ``[b, c, h, w] -> [b, c, h, w]``.

    Norm, then q, k, v and proj_out as 1×1 convolutions with bias, scale 1/sqrt(head_dim), softmax over the keys, added
    to the input. Weight names: ``norm q k v proj_out``, or ``norm qkv proj_out`` with rows q | k | v.

    Args:
        in_channels: channels of input and output.
        heads: number of heads.
        head_dim: channels per head; default in_channels / heads.
        norm: groups and epsilon of the norm before it; None for no norm.
        residual: whether the result is added to the input or replaces it.
        options: of the projections.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        heads: int = 1,
        head_dim: int | None = None,
        norm: NormOptions | None = NormOptions(),  # noqa: B008 - frozen
        residual: bool = True,
        options: ProjectionOptions = ProjectionOptions(),
    ) -> None:
        super().__init__()
        inner = heads * (in_channels // heads if head_dim is None else head_dim)
        self.heads, self.residual, self.options = heads, residual, options
        self.norm = norm.norm(in_channels) if norm else nn.Identity()
        bias = options.qkv_bias is not False
        if options.fused:
            self.qkv = token_conv2d(in_channels, 3 * inner, bias=bias)
        else:
            self.q = token_conv2d(in_channels, inner, bias=bias)
            self.k = token_conv2d(in_channels, inner, bias=bias)
            self.v = token_conv2d(in_channels, inner, bias=bias)
        self.fused = options.fused
        self.proj_out = token_conv2d(inner, in_channels, zero_init=options.zero_init)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over all positions of `x`."""
        # Positions before channels, and contiguous: on strided tensors the fused kernels lose most of their gain.
        h = self.norm(x).flatten(2).transpose(1, 2).contiguous()
        projected = self.qkv(h).chunk(3, dim=2) if self.fused else (self.q(h), self.k(h), self.v(h))
        q, k, v = (_unflattened(part, (self.heads, -1)).transpose(1, 2) for part in projected)
        out: Tensor = self.proj_out(attend(q, k, v).transpose(1, 2).flatten(2))
        return self.options.result(x, _unflattened(out.transpose(1, 2), x.shape[2:]), residual=self.residual)


class LinearAttention(nn.Module):
    """Linear attention (Shen et al. 2021): ``[b, c, h, w] -> [b, c, h, w]``.

    One 1×1 convolution without bias gives q | k | v; k is softmaxed over the positions; context = k·vᵀ; the result is
    contextᵀ·q through a 1×1 convolution with bias; no scaling. Weight names: ``norm to_qkv to_out``.

    Args:
        dim: channels of input and output.
        heads: number of heads.
        dim_head: channels per head.
        norm: groups and epsilon of a norm before it; None, as in the reference, for no norm.
        residual: whether the result is added to the input or, as in the reference, replaces it.
        options: of the projections; that to q, k and v is fused in any case.
    """

    def __init__(
        self,
        dim: int,
        heads: int = 4,
        dim_head: int = 32,
        *,
        norm: NormOptions | None = None,
        residual: bool = False,
        options: ProjectionOptions = ProjectionOptions(),
    ) -> None:
        super().__init__()
        self.heads, self.residual, self.options = heads, residual, options
        self.norm = norm.norm(dim) if norm else nn.Identity()
        self.to_qkv = conv2d(dim, 3 * heads * dim_head, 1, bias=bool(options.qkv_bias))
        self.to_out = conv2d(heads * dim_head, dim, 1, zero_init=options.zero_init)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over all positions of `x`, at a cost linear in their number."""
        q, k, v = (_split_heads(part, self.heads) for part in self.to_qkv(self.norm(x)).chunk(3, dim=1))
        context = k.softmax(dim=-1) @ v.transpose(2, 3)
        attended = context.transpose(2, 3) @ q
        out: Tensor = self.to_out(_join_heads(attended, x.shape[2:]))
        return self.options.result(x, out, residual=self.residual)


class LinearAttentionBlock(LinearAttention):
    """Linear attention with one head as wide as the feature map, as the reference U-Net uses it."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels, heads=1, dim_head=in_channels)
