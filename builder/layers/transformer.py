"""The transformer of latent diffusion (Rombach et al. 2022): attention over positions and over tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d
from builder.layers.fused import attend
from builder.layers.norm import NormOptions


@dataclass(frozen=True)
class TransformerOptions:
    """What a transformer's blocks consist of.

    Attributes:
        heads: number of heads.
        head_dim: channels per head.
        tokens_dim: width of the tokens of the cross-attention; None for blocks without one.
        self_attention: whether there is attention over the positions.
        ff_mult: inner width of the feed-forward as a multiple of heads · head_dim; None for blocks without one.
        gated: GELU with a learned gate (Shazeer 2020) in the feed-forward, or GELU alone.
        dropout: after each attention and inside the feed-forward.
    """

    heads: int
    head_dim: int
    tokens_dim: int | None = None
    self_attention: bool = True
    ff_mult: int | None = 4
    gated: bool = True
    dropout: float = 0.0

    @property
    def inner(self) -> int:
        """Width of the blocks."""
        return self.heads * self.head_dim


class TokenAttention(nn.Module):
    """Softmax attention of ``[b, n, dim]`` over itself or over ``[b, m, over_dim]``; result ``[b, n, dim]``.

    Weight names: ``to_q to_k to_v to_out.0``.
    """

    def __init__(self, dim: int, over_dim: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(over_dim, dim, bias=False)
        self.to_v = nn.Linear(over_dim, dim, bias=False)
        self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(dropout))

    def forward(self, x: Tensor, over: Tensor | None = None) -> Tensor:
        """Attention over `over`, or over `x` itself."""
        source = x if over is None else over
        q, k, v = self._split(self.to_q(x)), self._split(self.to_k(source)), self._split(self.to_v(source))
        attended = attend(q, k, v)
        out: Tensor = self.to_out(attended.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """``[b, n, heads * d] -> [b, heads, n, d]``."""
        return x.reshape(*x.shape[:2], self.heads, x.shape[2] // self.heads).transpose(1, 2)


class GatedGelu(nn.Module):
    """A linear layer to value | gate; value · GELU(gate) (Shazeer 2020): ``[…, dim] -> […, out]``.

    Weight name: ``proj``.
    """

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, 2 * out)

    def forward(self, x: Tensor) -> Tensor:
        """The gated values."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        gated: Tensor = value * functional.gelu(gate)
        return gated


class PlainGelu(nn.Module):
    """A linear layer and GELU: ``[…, dim] -> […, out]``. Weight name ``proj``."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.proj = nn.Linear(dim, out)

    def forward(self, x: Tensor) -> Tensor:
        """The activated values."""
        return functional.gelu(self.proj(x))


class FeedForward(nn.Module):
    """Wide layer with GELU, dropout, linear: ``[b, n, dim] -> [b, n, dim]``. Weight names ``net.0.proj net.2``."""

    def __init__(self, dim: int, mult: int, *, gated: bool, dropout: float) -> None:
        super().__init__()
        wide = (GatedGelu if gated else PlainGelu)(dim, mult * dim)
        self.net = nn.Sequential(wide, nn.Dropout(dropout), nn.Linear(mult * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Each vector on its own."""
        out: Tensor = self.net(x)
        return out


class TransformerBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward, each after a layer norm and added to its input."""

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        dim, heads, dropout = options.inner, options.heads, options.dropout
        if options.self_attention:
            self.norm1 = nn.LayerNorm(dim)
            self.attn1 = TokenAttention(dim, dim, heads, dropout)
        if options.tokens_dim is not None:
            self.norm2 = nn.LayerNorm(dim)
            self.attn2 = TokenAttention(dim, options.tokens_dim, heads, dropout)
        if options.ff_mult is not None:
            self.norm3 = nn.LayerNorm(dim)
            self.ff = FeedForward(dim, options.ff_mult, gated=options.gated, dropout=dropout)
        self.options = options

    def forward(self, x: Tensor, tokens: Tensor | None = None) -> Tensor:
        """``[b, n, dim]`` and ``[b, m, tokens_dim]`` to ``[b, n, dim]``."""
        if self.options.self_attention:
            x = x + self.attn1(self.norm1(x))
        if self.options.tokens_dim is not None:
            x = x + self.attn2(self.norm2(x), tokens)
        if self.options.ff_mult is not None:
            x = x + self.ff(self.norm3(x))
        return x


class Transformer(nn.Module):
    """Group norm, projection, blocks, projection, plus the input: ``[b, c, h, w] -> [b, c, h, w]``.

    Weight names: ``norm proj_in transformer_blocks proj_out``.

    Args:
        in_channels: channels of input and output.
        depth: number of blocks.
        options: of the blocks.
        norm: of the norm before it.
        projection: 1×1 convolutions or linear layers; the same function, other shapes of the weights.
        residual: whether the result is added to the input or replaces it.
        zero_init: start the last projection from zero.
    """

    def __init__(
        self,
        in_channels: int,
        depth: int,
        options: TransformerOptions,
        *,
        norm: NormOptions = NormOptions(),  # noqa: B008 - frozen
        projection: Literal["conv", "linear"] = "conv",
        residual: bool = True,
        zero_init: bool = False,
    ) -> None:
        super().__init__()
        self.projection, self.residual = projection, residual
        self.norm = norm.norm(in_channels)
        self.proj_in: nn.Module
        self.proj_out: nn.Module
        if projection == "conv":
            self.proj_in = conv2d(in_channels, options.inner, 1)
            self.proj_out = conv2d(options.inner, in_channels, 1, zero_init=zero_init)
        else:
            self.proj_in = nn.Linear(in_channels, options.inner)
            self.proj_out = (ZeroLinear if zero_init else nn.Linear)(options.inner, in_channels)
        self.transformer_blocks = nn.ModuleList(TransformerBlock(options) for _ in range(depth))

    def forward(self, x: Tensor, tokens: Tensor | None = None) -> Tensor:
        """The map after attention over its positions and over ``tokens [b, m, tokens_dim]``."""
        height, width = x.shape[2:]
        h = self.norm(x)
        as_conv = self.projection == "conv"
        h = _as_tokens(self.proj_in(h)) if as_conv else self.proj_in(_as_tokens(h))
        for block in self.transformer_blocks:
            h = block(h, tokens)
        sizes = (height, width)
        h = self.proj_out(_as_map(h, sizes)) if as_conv else _as_map(self.proj_out(h), sizes)
        return x + h if self.residual else h


class ZeroLinear(nn.Linear):
    """A linear layer that starts as the zero function."""

    def reset_parameters(self) -> None:
        """Weights and bias to zero."""
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)


def _as_tokens(x: Tensor) -> Tensor:
    """``[b, c, h, w] -> [b, h * w, c]``."""
    return x.flatten(2).transpose(1, 2)


def _as_map(x: Tensor, sizes: tuple[int, int]) -> Tensor:
    """``[b, h * w, c] -> [b, c, h, w]``."""
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], *sizes)
