"""Convolutions that keep the size, with torch's default start or from zero."""

from __future__ import annotations

from torch import nn


class ZeroConv2d(nn.Conv2d):
    """A convolution that starts as the zero function, so that the block around it starts as the identity."""

    def reset_parameters(self) -> None:
        """Weights and bias to zero."""
        nn.init.zeros_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)


def conv2d(
    in_channels: int, out_channels: int, kernel: int, *, groups: int = 1, bias: bool = True, zero_init: bool = False
) -> nn.Conv2d:
    """A convolution with stride 1 and zero padding of half the (odd) kernel: ``[b, in, h, w] -> [b, out, h, w]``."""
    cls = ZeroConv2d if zero_init else nn.Conv2d
    return cls(in_channels, out_channels, kernel, padding=kernel // 2, groups=groups, bias=bias)
