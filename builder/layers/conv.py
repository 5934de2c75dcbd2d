"""Convolutions that keep the size, with torch's default start or from zero."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


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


class TokenConv2d(nn.Conv2d):
    """A 1×1 convolution of positions that stand in a row: ``[b, n, in] -> [b, n, out]``.

    A matrix product, with the weights of the convolution: positions before channels is what attention reads, and small
    products start quicker than small convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Each position on its own."""
        return functional.linear(input, self.weight.flatten(1), self.bias)


class ZeroTokenConv2d(TokenConv2d, ZeroConv2d):
    """The same, from zero."""


def token_conv2d(in_channels: int, out_channels: int, *, bias: bool = True, zero_init: bool = False) -> TokenConv2d:
    """A 1×1 convolution: ``[b, n, in] -> [b, n, out]``."""
    cls = ZeroTokenConv2d if zero_init else TokenConv2d
    return cls(in_channels, out_channels, bias=bias)
