"""What squeeze-and-excitation becomes in torch."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from archspec.ops.base import feature_map
from archspec.ops.shapes import Shape
from squeeze_excite.description import SqueezeExcite


class SqueezeExciteLayer(nn.Module):
    """``[b, c, h, w] -> [b, c, h, w]``. Weight names: ``reduce expand``."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.reduce = nn.Linear(channels, inner)
        self.expand = nn.Linear(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Each channel times its weight."""
        weights = self.expand(functional.silu(self.reduce(x.mean(dim=(2, 3))))).sigmoid()
        return x * weights[:, :, None, None]


def lower(op: SqueezeExcite, inputs: Mapping[str, Shape]) -> nn.Module:
    """The layer for an operation and the shapes at its ports."""
    channels = feature_map(inputs).channels
    return SqueezeExciteLayer(channels, channels // op.reduction)
