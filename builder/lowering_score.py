"""What the operations of NCSN++ and DDPM++ become in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from archspec import Op, ops
from archspec.ops.base import embedding_dim, feature_map
from builder.layers import score
from builder.lowered import Shapes


def _fourier_features(op: ops.FourierFeatures, inputs: Shapes) -> nn.Module:
    del inputs
    return score.FourierFeatures(op.dim, op.scale)


def _linear(op: ops.Linear, inputs: Shapes) -> nn.Module:
    return score.EmbeddingLinear(embedding_dim(inputs), op.out, bias=op.bias)


def _blurred_conv(op: ops.BlurredConv, inputs: Shapes) -> nn.Module:
    return score.BlurredConv(feature_map(inputs).channels, op.out, op.kernel, op.filter)


SCORE_LOWERINGS: dict[type[Op], Callable[[Any, Shapes], Any]] = {
    ops.FourierFeatures: _fourier_features,
    ops.Linear: _linear,
    ops.BlurredConv: _blurred_conv,
}
