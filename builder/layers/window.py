"""Self-attention inside windows of pixels (Liu et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d
from builder.layers.norm import NormOptions


@dataclass(frozen=True)
class WindowShape:
    """The windows of an attention.

    Attributes:
        window: height and width of a window in pixels; divides those of the input.
        shift: by how many pixels the windows are moved right and down; parts of a window that meet only by wrapping
            around the border do not see each other.
        relative_position: add a learned bias for the offset between two positions to the scores of each head.
    """

    window: int
    shift: int = 0
    relative_position: bool = False


class WindowAttention(nn.Module):
    """Softmax attention of each position to those of its window, added to its input: ``[b, c, h, w] -> [b, c, h, w]``.

    Args:
        channels: of input and output.
        shape: of the windows.
        heads: (number of heads, channels per head).
        norm: groups and epsilon of the norm before it.
    """

    relative_position: nn.Parameter | None
    offsets: Tensor | None

    def __init__(self, channels: int, shape: WindowShape, heads: tuple[int, int], norm: NormOptions) -> None:
        super().__init__()
        self.window, self.shift, (self.heads, head_dim) = shape.window, shape.shift, heads
        self.norm = norm.norm(channels)
        self.qkv = conv2d(channels, 3 * self.heads * head_dim, 1)
        self.proj_out = conv2d(self.heads * head_dim, channels, 1)
        biased = shape.relative_position
        rows = (2 * self.window - 1) ** 2
        self.register_parameter("relative_position", nn.Parameter(torch.empty(rows, self.heads)) if biased else None)
        self.register_buffer("offsets", _offsets(self.window) if biased else None, persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small normal biases, as Liu et al. (2021) start them."""
        if self.relative_position is not None:
            nn.init.trunc_normal_(self.relative_position, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Attention over the positions of each window."""
        qkv = self._moved(self.qkv(self.norm(x)), -self.shift)
        q, k, v = (self._split(part) for part in qkv.chunk(3, dim=1))
        mask = self._biased(self._together(x) if self.shift else None, q.dtype)
        attended = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        out: Tensor = self.proj_out(self._moved(self._joined(attended, x), self.shift))
        return x + out

    def _moved(self, x: Tensor, by: int) -> Tensor:
        return x.roll((by, by), dims=(2, 3)) if by else x

    def _split(self, x: Tensor) -> Tensor:
        """``[b, heads * d, h, w] -> [b * windows, heads, window², d]``."""
        (batch, channels, height, width), side = x.shape, self.window
        tiles = x.reshape(batch, self.heads, channels // self.heads, height // side, side, width // side, side)
        return tiles.permute(0, 3, 5, 1, 4, 6, 2).flatten(0, 2).flatten(2, 3)

    def _joined(self, x: Tensor, like: Tensor) -> Tensor:
        """The inverse of `_split`, for maps of the size of `like`."""
        batch, (height, width), side = like.shape[0], like.shape[2:], self.window
        tiles = x.reshape(batch, height // side, width // side, self.heads, side, side, x.shape[-1])
        return tiles.permute(0, 3, 6, 1, 4, 2, 5).reshape(batch, self.heads * x.shape[-1], height, width)

    def _biased(self, together: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        """What is added to the scores: the relative positions' biases, minus infinity where windows are parted."""
        if self.relative_position is None or self.offsets is None:
            return together
        bias = self.relative_position[self.offsets].permute(2, 0, 1)[None].to(dtype)
        return bias if together is None else bias.masked_fill(~together, float("-inf"))

    def _together(self, x: Tensor) -> Tensor:
        """Which positions of each window lie together without wrapping: booleans ``[b * windows, 1, n, n]``."""
        (height, width), side = x.shape[2:], self.window
        below = torch.arange(height, device=x.device) >= height - self.shift
        beside = torch.arange(width, device=x.device) >= width - self.shift
        part = 2 * below[:, None].long() + beside[None, :].long()
        tiles = part.reshape(height // side, side, width // side, side).transpose(1, 2).reshape(-1, side * side)
        return (tiles[:, None, :, None] == tiles[:, None, None, :]).repeat(x.shape[0], 1, 1, 1)


def _offsets(window: int) -> Tensor:
    """Row of the table for each pair (query, key) of positions of a window: integers ``[window², window²]``."""
    place = torch.arange(window)
    rows, columns = (grid.flatten() for grid in torch.meshgrid(place, place, indexing="ij"))
    down = rows[:, None] - rows[None, :] + window - 1
    right = columns[:, None] - columns[None, :] + window - 1
    return down * (2 * window - 1) + right
