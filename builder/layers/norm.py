"""Norms of feature maps: group norm as the reference U-Net has it, and norms over each position's channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

NormType = Literal["group", "rms", "layer", "pixel", "none"]


class Normalize(nn.GroupNorm):
    """Group norm with affine parameters (Wu and He 2018): ``[b, c, h, w] -> [b, c, h, w]``.

    Args:
        in_channels: channels; must be divisible by `num_groups`.
        num_groups: number of groups.
        eps: added to the variance.
    """

    def __init__(self, in_channels: int, num_groups: int = 32, eps: float = 1e-6) -> None:
        super().__init__(num_groups, in_channels, eps=eps, affine=True)


class ChannelLayerNorm(nn.LayerNorm):
    """Layer norm over the channels of each position (Ba et al. 2016): ``[b, c, h, w] -> [b, c, h, w]``."""

    def forward(self, x: Tensor) -> Tensor:
        """Mean 0 and variance 1 at each position, times ``weight [c]``, plus ``bias [c]``."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class ChannelRmsNorm(nn.Module):
    """Each position's channels over their root mean square: ``[b, c, h, w] -> [b, c, h, w]``.

    With a scale (Zhang and Sennrich 2019; weight name ``weight``), or without, as pixel norm (Karras et al. 2018).

    Args:
        channels: channels.
        eps: added to the mean square.
        scaled: whether there is a scale.
    """

    weight: nn.Parameter | None

    def __init__(self, channels: int, eps: float, *, scaled: bool) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.register_parameter("weight", nn.Parameter(torch.ones(channels)) if scaled else None)

    def reset_parameters(self) -> None:
        """A scale of ones."""
        if self.weight is not None:
            nn.init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """The map at mean square 1, times the scale."""
        return functional.rms_norm(x.movedim(1, -1), (self.channels,), self.weight, self.eps).movedim(-1, 1)


@dataclass(frozen=True)
class NormOptions:
    """What the norms inside a block have in common; the groups are a number, or follow from the channels."""

    num_groups: int | Callable[[int], int] = 32
    eps: float = 1e-6
    kind: NormType = "group"

    def norm(self, channels: int) -> nn.Module:
        """A norm of so many channels."""
        return _NORMS[self.kind](channels, self)

    def groups(self, channels: int) -> int:
        """The number of groups of so many channels."""
        return self.num_groups if isinstance(self.num_groups, int) else self.num_groups(channels)


_NORMS: dict[NormType, Callable[[int, NormOptions], nn.Module]] = {
    "group": lambda channels, options: Normalize(channels, options.groups(channels), options.eps),
    "layer": lambda channels, options: ChannelLayerNorm(channels, eps=options.eps),
    "rms": lambda channels, options: ChannelRmsNorm(channels, options.eps, scaled=True),
    "pixel": lambda channels, options: ChannelRmsNorm(channels, options.eps, scaled=False),
    "none": lambda _channels, _options: nn.Identity(),
}
