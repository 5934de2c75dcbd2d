"""Halving and doubling by a FIR filter (Zhang 2019; Song et al. 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional


class FirResample(nn.Module):
    """A separable filter, then every second pixel; or zeros between pixels, then the filter with four times the gain.

    ``[b, c, h, w]`` to ``[b, c, h/2, w/2]`` or ``[b, c, 2h, 2w]``, zero padding, sizes even. Has no weights.

    Args:
        taps: of the filter in one direction, an even number of them; need not sum to one.
        up: double instead of halve.
    """

    kernel: Tensor

    def __init__(self, taps: Sequence[float], *, up: bool) -> None:
        super().__init__()
        self.up = up
        row = torch.tensor(list(taps), dtype=torch.float32)
        square = torch.outer(row, row)
        self.register_buffer("kernel", square / square.sum() * (4.0 if up else 1.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller or larger map."""
        channels, pad = x.shape[1], (self.kernel.shape[0] - 1) // 2
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        if self.up:
            return functional.conv_transpose2d(x, kernel, stride=2, padding=pad, groups=channels)
        return functional.conv2d(x, kernel, stride=2, padding=pad, groups=channels)


def fir_resample(taps: Sequence[float], resample: str) -> FirResample | None:
    """The module for ``down`` or ``up``; None for ``none``."""
    return None if resample == "none" else FirResample(taps, up=resample == "up")
