"""Where a skip connection meets the way up."""

from __future__ import annotations

from torch import Tensor, nn

from builder.layers.conv import conv2d


class AddProjected(nn.Module):
    """The running map plus the skip through a 1×1 convolution. Weight name: ``proj``."""

    def __init__(self, channels: int, skip_channels: int) -> None:
        super().__init__()
        self.proj = conv2d(skip_channels, channels, 1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``[b, channels, h, w]`` and ``[b, skip_channels, h, w]`` to ``[b, channels, h, w]``."""
        projected: Tensor = self.proj(skip)
        return x + projected
