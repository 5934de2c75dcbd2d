"""Group norm as the reference U-Net has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


class Normalize(nn.GroupNorm):
    """Group norm with affine parameters (Wu and He 2018): ``[b, c, h, w] -> [b, c, h, w]``.

    Args:
        in_channels: channels; must be divisible by `num_groups`.
        num_groups: number of groups.
        eps: added to the variance.
    """

    def __init__(self, in_channels: int, num_groups: int = 32, eps: float = 1e-6) -> None:
        super().__init__(num_groups, in_channels, eps=eps, affine=True)


@dataclass(frozen=True)
class NormOptions:
    """What the norms inside a block have in common; the groups are a number, or follow from the channels."""

    num_groups: int | Callable[[int], int] = 32
    eps: float = 1e-6

    def norm(self, channels: int) -> Normalize:
        """A norm of so many channels."""
        groups = self.num_groups if isinstance(self.num_groups, int) else self.num_groups(channels)
        return Normalize(channels, groups, self.eps)
