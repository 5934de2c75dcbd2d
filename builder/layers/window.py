"""Self-attention inside windows of pixels (Liu et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d
from builder.layers.norm import NormOptions


class WindowAttention(nn.Module):
    """Softmax attention of each position to those of its window, added to its input: ``[b, c, h, w] -> [b, c, h, w]``.

    Args:
        channels: of input and output.
        window: height and width of a window in pixels; divides those of the input.
        shift: by how many pixels the windows are moved right and down; parts of a window that meet only by wrapping
            around the border do not see each other.
        heads: (number of heads, channels per head).
        norm: groups and epsilon of the norm before it.
    """

    def __init__(self, channels: int, window: int, shift: int, heads: tuple[int, int], norm: NormOptions) -> None:
        super().__init__()
        self.window, self.shift, (self.heads, head_dim) = window, shift, heads
        self.norm = norm.norm(channels)
        self.qkv = conv2d(channels, 3 * self.heads * head_dim, 1)
        self.proj_out = conv2d(self.heads * head_dim, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over the positions of each window."""
        qkv = self._moved(self.qkv(self.norm(x)), -self.shift)
        q, k, v = (self._split(part) for part in qkv.chunk(3, dim=1))
        mask = self._together(x) if self.shift else None
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.proj_out(self._moved(self._joined(attended, x), self.shift))
        return x + out

    def _moved(self, x: Tensor, by: int) -> Tensor:
        return x.roll((by, by), dims=(2, 3)) if by else x

    def _split(self, x: Tensor) -> Tensor:
        """``[b, heads * d, h, w] -> [b * windows, heads, window², d]``."""
        (batch, channels, height, width), side = x.shape, self.window
        tiles = x.reshape(batch, self.heads, channels // self.heads, height // side, side, width // side, side)
        return tiles.permute(0, 3, 5, 1, 4, 6, 2).reshape(-1, self.heads, side * side, channels // self.heads)

    def _joined(self, x: Tensor, like: Tensor) -> Tensor:
        """The inverse of `_split`, for maps of the size of `like`."""
        batch, (height, width), side = like.shape[0], like.shape[2:], self.window
        tiles = x.reshape(batch, height // side, width // side, self.heads, side, side, -1)
        return tiles.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, -1, height, width)

    def _together(self, x: Tensor) -> Tensor:
        """Which positions of each window lie together without wrapping: booleans ``[b * windows, 1, n, n]``."""
        (height, width), side = x.shape[2:], self.window
        below = torch.arange(height, device=x.device) >= height - self.shift
        beside = torch.arange(width, device=x.device) >= width - self.shift
        part = 2 * below[:, None].long() + beside[None, :].long()
        tiles = part.reshape(height // side, side, width // side, side).transpose(1, 2).reshape(-1, side * side)
        return (tiles[:, None, :, None] == tiles[:, None, None, :]).repeat(x.shape[0], 1, 1, 1)
