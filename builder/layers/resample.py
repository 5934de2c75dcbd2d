"""Halving and doubling the size of a feature map."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from builder.layers.conv import conv2d


class Downsample(nn.Module):
    """Half the size: ``[b, c, h, w] -> [b, c, h/2, w/2]``. Weight name: ``conv``.

    Args:
        in_channels: channels of input and output.
        with_conv: a 3×3 convolution with stride 2, or else the average of 2×2 pixels.
        symmetric: the convolution's zero padding is one pixel all around instead of only right and bottom.
    """

    def __init__(self, in_channels: int, with_conv: bool = True, *, symmetric: bool = False) -> None:  # noqa: FBT001, FBT002
        super().__init__()
        self.symmetric = symmetric
        self.conv = (
            nn.Conv2d(in_channels, in_channels, 3, stride=2, padding=1 if symmetric else 0) if with_conv else None
        )

    def forward(self, x: Tensor) -> Tensor:
        """The smaller map."""
        if self.conv is None:
            return functional.avg_pool2d(x, 2)
        smaller: Tensor = self.conv(x if self.symmetric else functional.pad(x, (0, 1, 0, 1)))
        return smaller


class SpaceToDepth(nn.Module):
    """Half the size by 2×2 pixels as channels, then a 1×1 convolution: ``[b, c, h, w] -> [b, c, h/2, w/2]``.

    Weight name: ``conv``.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = conv2d(4 * in_channels, in_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The smaller map."""
        smaller: Tensor = self.conv(functional.pixel_unshuffle(x, 2))
        return smaller


class Upsample(nn.Module):
    """Twice the size by nearest neighbour (or bilinear), then a 3×3 convolution: ``[b, c, h, w] -> [b, c, 2h, 2w]``.

    Weight name: ``conv``.

    Args:
        in_channels: channels of input and output.
        with_conv: whether the convolution follows.
        mode: nearest, or bilinear between pixel centres.
    """

    def __init__(self, in_channels: int, with_conv: bool = True, *, mode: str = "nearest") -> None:  # noqa: FBT001, FBT002
        super().__init__()
        self.mode = mode
        self.conv = conv2d(in_channels, in_channels, 3) if with_conv else None

    def forward(self, x: Tensor) -> Tensor:
        """The larger map."""
        larger = functional.interpolate(x, scale_factor=2.0, mode=self.mode)
        return larger if self.conv is None else self.conv(larger)
