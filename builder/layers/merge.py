"""Where a skip connection meets the way up."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from builder.layers.conv import conv2d


def scaled_add(x: Tensor, skip: Tensor, *, x_scale: float = 1.0, skip_scale: float = 1.0) -> Tensor:
    """``x_scale * x + skip_scale * skip``, of one shape."""
    return x_scale * x + skip_scale * skip


def scaled_concat(x: Tensor, skip: Tensor, *, skip_scale: float = 1.0) -> Tensor:
    """``[b, n, h, w]`` and ``skip_scale`` times ``[b, m, h, w]`` as ``[b, n + m, h, w]``."""
    return torch.cat([x, skip_scale * skip], dim=1)


class Factor(nn.Module):
    """A trained number that a tensor is multiplied by. Weight name: ``weight``, without dimensions.

    Args:
        start: where it starts.
    """

    def __init__(self, start: float) -> None:
        super().__init__()
        self.start = start
        self.weight = nn.Parameter(torch.tensor(start))

    def reset_parameters(self) -> None:
        """Back to the start."""
        nn.init.constant_(self.weight, self.start)

    def forward(self, x: Tensor) -> Tensor:
        """The tensor times the number."""
        return self.weight * x


class Constant(nn.Module):
    """A fixed number that a tensor is multiplied by."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """The tensor times the number."""
        return x if self.factor == 1.0 else self.factor * x


def factor(scale: float, *, learned: bool) -> Factor | Constant:
    """The factor of one input: constant, or trained from there."""
    return Factor(scale) if learned else Constant(scale)


class Sum(nn.Module):
    """The running map plus the skip, each times its factor, the skip through a 1×1 convolution where that is needed.

    Weight names: ``proj`` of the convolution, ``x_scale.weight`` and ``skip_scale.weight`` of learned factors.

    Args:
        channels: of the running map.
        skip_channels: of the skip; there is a convolution where they differ.
        x_scale: factor of the running map.
        skip_scale: factor of the skip, after its convolution.
    """

    def __init__(
        self, channels: int, skip_channels: int, x_scale: Factor | Constant, skip_scale: Factor | Constant
    ) -> None:
        super().__init__()
        self.proj = conv2d(skip_channels, channels, 1) if channels != skip_channels else None
        self.x_scale, self.skip_scale = x_scale, skip_scale

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``[b, channels, h, w]`` and ``[b, skip_channels, h, w]`` to ``[b, channels, h, w]``."""
        projected = skip if self.proj is None else self.proj(skip)
        whole: Tensor = self.x_scale(x) + self.skip_scale(projected)
        return whole


class ScaledConcat(nn.Module):
    """The running map's channels, then the skip's times a trained factor. Weight name: ``skip_scale.weight``."""

    def __init__(self, start: float) -> None:
        super().__init__()
        self.skip_scale = Factor(start)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """``[b, n, h, w]`` and ``[b, m, h, w]`` to ``[b, n + m, h, w]``."""
        return torch.cat([x, self.skip_scale(skip)], dim=1)
