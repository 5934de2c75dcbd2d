"""Halving and doubling by averages and nearest neighbours, or by a FIR filter."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


class Resample(nn.Module):
    """Half or twice the size without weights: ``[b, c, h, w]`` to ``[b, c, h/2, w/2]`` or ``[b, c, 2h, 2w]``.

    Without `taps` the average of 2×2 pixels, or the nearest neighbour. With them the separable filter of these taps
    (Song et al. 2021, after Karras et al. 2020), normalised so that a constant map stays as it is: followed by every
    second pixel on the way down, on a map with zeros between its pixels on the way up. Taps (1, 1) are the same
    functions as no taps.

    Args:
        direction: which of the two.
        taps: an even number of them; their sum is not zero.
    """

    taps: Tensor | None

    def __init__(self, direction: Literal["down", "up"], taps: tuple[float, ...] | None = None) -> None:
        super().__init__()
        self.direction = direction
        kernel = None
        if taps is not None:
            line = torch.tensor(taps, dtype=torch.float32)
            kernel = torch.outer(line, line) / line.sum() ** 2
        self.register_buffer("taps", kernel, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The resampled map."""
        if self.taps is None:
            if self.direction == "down":
                return functional.avg_pool2d(x, 2)
            return functional.interpolate(x, scale_factor=2.0, mode="nearest")
        channels, padding = x.shape[1], self.taps.shape[0] // 2 - 1
        kernel = self.taps.to(x.dtype).expand(channels, 1, -1, -1)
        if self.direction == "down":
            return functional.conv2d(x, kernel, stride=2, padding=padding, groups=channels)
        return functional.conv_transpose2d(x, 4 * kernel, stride=2, padding=padding, groups=channels)
