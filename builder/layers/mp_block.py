"""The residual block and the attention of EDM2 (Karras et al. 2024, config G), written from the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from builder.layers.filters import Resample
from builder.layers.fused import attend
from builder.layers.magnitude import MpConv2d, MpLinear, mp_silu, mp_sum, pixel_norm, unit_magnitude


class MpBlock(nn.Module):
    """A residual block that preserves magnitudes: ``[b, in, h, w]`` and ``[b, emb]`` to ``[b, out, h', w']``.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        emb_dim: width of the embedding.
        encoder: pixel norm at the start, and the width changed before the residual branch instead of after it.
        resample: a module that halves or doubles the input first.
        dropout: probability of dropping an activation.
        t: weight of the residual branch in the sum (eq. 88).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        emb_dim: int,
        *,
        encoder: bool,
        resample: Resample | None = None,
        dropout: float = 0.0,
        t: float = 0.3,
    ) -> None:
        super().__init__()
        self.encoder, self.t, self.resample = encoder, t, resample
        inner = out_channels if encoder else in_channels
        changes = in_channels != out_channels
        self.conv_skip = MpConv2d(in_channels, out_channels, 1) if changes else None
        self.conv_res0 = MpConv2d(inner, out_channels, 3)
        self.emb_linear = MpLinear(emb_dim, out_channels)
        self.emb_gain = nn.Parameter(torch.zeros(()))
        self.dropout = nn.Dropout(dropout)
        self.conv_res1 = MpConv2d(out_channels, out_channels, 3)

    def reset_parameters(self) -> None:
        """The embedding has no effect at first."""
        nn.init.zeros_(self.emb_gain)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """The map after the block."""
        x = x if self.resample is None else self.resample(x)
        if self.encoder:
            x = pixel_norm(self._resized(x))
        scale = 1.0 + self.emb_gain * self.emb_linear(emb)
        h = self.conv_res0(mp_silu(x)) * scale[:, :, None, None].to(x.dtype)
        h = self.conv_res1(self.dropout(mp_silu(h)))
        return mp_sum(x if self.encoder else self._resized(x), h, self.t)

    def _resized(self, x: Tensor) -> Tensor:
        return x if self.conv_skip is None else self.conv_skip(x)


class MpAttention(nn.Module):
    """Cosine self-attention over positions: ``[b, c, h, w] -> [b, c, h, w]``.

    Each head's q, k and v have magnitude 1 at each position, so q·k/√d is √d times the cosine between them.

    Args:
        channels: of input and output.
        head_dim: channels per head; divides `channels`.
        t: weight of the attention in the sum with its input (eq. 88).
    """

    def __init__(self, channels: int, head_dim: int, *, t: float = 0.3) -> None:
        super().__init__()
        self.head_dim, self.t = head_dim, t
        self.qkv = MpConv2d(channels, 3 * channels, 1)
        self.proj = MpConv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over all positions of `x`."""
        batch, channels, height, width = x.shape
        heads = channels // self.head_dim
        split = self.qkv(x).reshape(batch, 3, heads, self.head_dim, height * width)
        normed = unit_magnitude(split, (3,)).transpose(3, 4).contiguous()
        q, k, v = normed.unbind(1)
        attended = attend(q, k, v)
        joined = attended.transpose(2, 3).reshape(batch, channels, height, width)
        return mp_sum(x, self.proj(joined), self.t)
