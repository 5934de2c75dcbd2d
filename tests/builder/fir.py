"""Halving and doubling by a FIR filter as matrices, written out from Song et al. 2021 (appendix H, after StyleGAN2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def down_matrix(size: int, taps: Sequence[float]) -> Tensor:
    """``[size / 2, size]``: the filtered line at every second pixel, zeros outside of the line."""
    matrix, before = torch.zeros(size // 2, size, dtype=torch.float64), len(taps) // 2 - 1
    for row in range(size // 2):
        for tap, value in enumerate(taps):
            column = 2 * row + tap - before
            if 0 <= column < size:
                matrix[row, column] += value / sum(taps)
    return matrix


def up_matrix(size: int, taps: Sequence[float]) -> Tensor:
    """``[2 size, size]``: the filter over the line with a zero after each pixel, twice as strong for that."""
    matrix, before = torch.zeros(2 * size, size, dtype=torch.float64), len(taps) // 2 - 1
    for column in range(size):
        for tap, value in enumerate(taps):
            row = 2 * column + tap - before
            if 0 <= row < 2 * size:
                matrix[row, column] += 2 * value / sum(taps)
    return matrix


def resampled(x: Tensor, direction: str, taps: Sequence[float]) -> Tensor:
    """``[b, c, n, n]`` at half or twice the size, rows and columns one after the other."""
    matrix = {"down": down_matrix, "up": up_matrix}[direction](x.shape[-1], taps).to(x.dtype)
    return torch.einsum("ih,bchw,jw->bcij", matrix, x, matrix)
