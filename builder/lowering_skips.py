"""What gated and rebalanced skips and windowed attention become in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from archspec import Op, ops
from archspec.ops.base import feature_map, num_groups
from builder.layers import skips
from builder.layers.norm import NormOptions
from builder.layers.window import WindowAttention, WindowShape
from builder.lowered import Call, Shapes


def _gated_concat(op: ops.GatedConcat, inputs: Shapes) -> nn.Module:
    return skips.GatedConcat(feature_map(inputs).channels, feature_map(inputs, "skip").channels, op.inner(inputs))


def _freeu_concat(op: ops.FreeUConcat, inputs: Shapes) -> Call:
    del inputs
    options = {"backbone": op.backbone, "skip_scale": op.skip_scale, "threshold": op.threshold}
    return Call(skips.freeu_concat, lambda ports: ((ports["x"], ports["skip"]), options))


def _window_attention(op: ops.WindowAttention, inputs: Shapes) -> nn.Module:
    channels = feature_map(inputs).channels
    norm = NormOptions(num_groups(op.groups, channels), op.eps, op.norm_type)
    shape = WindowShape(op.window, op.shift, relative_position=op.relative_position)
    return WindowAttention(channels, shape, op.split(channels), norm)


SKIP_LOWERINGS: dict[type[Op], Callable[[Any, Shapes], Any]] = {
    ops.GatedConcat: _gated_concat,
    ops.FreeUConcat: _freeu_concat,
    ops.WindowAttention: _window_attention,
}
