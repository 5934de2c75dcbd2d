"""What NCSN++ and DDPM++ need beside the common blocks (Song et al. 2021), written from the paper."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class FourierFeatures(nn.Module):
    """``[b] -> [b, dim]``: sines, then cosines, of 2π·f·t, in float32; f is normal times `scale`, drawn once and kept.

    With `cos_first` the cosines come first. Buffer name: ``frequencies``.
    """

    frequencies: Tensor

    def __init__(self, dim: int, scale: float = 16.0, *, cos_first: bool = False) -> None:
        super().__init__()
        self.scale, self.cos_first = scale, cos_first
        self.register_buffer("frequencies", torch.empty(dim // 2))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """New frequencies."""
        self.frequencies.copy_(torch.randn(len(self.frequencies), device="cpu") * self.scale)

    def forward(self, t: Tensor) -> Tensor:
        """The features; `ValueError` unless there is one number per image."""
        if t.ndim != 1:
            raise ValueError(f"timesteps must have one dimension, one number per image, not {list(t.shape)}.")
        angles = 2.0 * math.pi * t.float()[:, None] * self.frequencies.float()
        halves = [angles.cos(), angles.sin()] if self.cos_first else [angles.sin(), angles.cos()]
        return torch.cat(halves, dim=1)


class EmbeddingLinear(nn.Linear):
    """A linear layer on an embedding of any type, in the type of its weights: ``[b, in] -> [b, out]``."""

    def forward(self, x: Tensor) -> Tensor:
        """The embedding after the layer."""
        return super().forward(x.to(self.weight.dtype))


class BlurredConv(nn.Conv2d):
    """A convolution, then half the size by a separable filter: ``[b, in, h, w] -> [b, out, h/2, w/2]``, even sizes.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel: odd size of the convolution in pixels.
        taps: of the filter in one direction, an even number; need not sum to one.
    """

    taps: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int, taps: tuple[float, ...]) -> None:
        super().__init__(in_channels, out_channels, kernel, padding=kernel // 2 + (len(taps) - 1) // 2)
        line = torch.tensor(taps, dtype=torch.float32)
        self.register_buffer("taps", torch.outer(line, line) / line.sum() ** 2, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller map."""
        channels = self.out_channels
        blur = self.taps.to(x.dtype).expand(channels, 1, -1, -1)
        bias = None if self.bias is None else self.bias[:, None, None]
        wide = functional.conv2d(x, self.weight, padding=self.padding)
        smaller = functional.conv2d(wide, blur, stride=2, groups=channels)
        return smaller if bias is None else smaller + bias
