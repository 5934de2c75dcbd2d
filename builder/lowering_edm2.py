"""What the operations of EDM2 become in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from archspec import Op, ops
from archspec.ops.base import embedding_dim, feature_map
from builder import layers
from builder.layers import magnitude
from builder.lowered import Call, Lowering, Shapes


def _mp_conv(op: ops.MpConv, inputs: Shapes) -> nn.Module:
    return magnitude.MpConv2d(feature_map(inputs).channels, op.out, op.kernel, learned_gain=op.gain)


def _mp_linear(op: ops.MpLinear, inputs: Shapes) -> nn.Module:
    return magnitude.MpLinear(embedding_dim(inputs), op.out)


def _mp_fourier(op: ops.MpFourier, inputs: Shapes) -> nn.Module:
    del inputs
    return magnitude.MpFourier(op.dim, op.bandwidth)


def _mp_sum(op: ops.MpSum, inputs: Shapes) -> Call:
    del inputs
    return Call(magnitude.mp_sum, lambda ports: ((ports["x"], ports["skip"]), {"t": op.t}))


def _mp_concat(op: ops.MpConcat, inputs: Shapes) -> Call:
    del inputs
    return Call(magnitude.mp_concat, lambda ports: ((ports["x"], ports["skip"]), {"t": op.t}))


def _pixel_norm(op: ops.PixelNorm, inputs: Shapes) -> Call:
    del inputs
    return Call(magnitude.pixel_norm, lambda ports: ((ports["x"],), {"eps": op.eps}))


def _clip(op: ops.Clip, inputs: Shapes) -> Call:
    del inputs
    return Call(torch.clamp, lambda ports: ((ports["x"],), {"min": -op.limit, "max": op.limit}))


def _one_hot(op: ops.OneHot, inputs: Shapes) -> Call:
    del inputs
    return Call(magnitude.one_hot, lambda ports: ((ports["label"], op.classes), {"scaled": op.scaled}))


def _plainly(function: Callable[..., torch.Tensor]) -> Lowering:
    """A lowering to a function of x alone."""

    def lowering(op: Op, inputs: Shapes) -> Call:
        del op, inputs
        return Call(function, lambda ports: ((ports["x"],), {}))

    return lowering


def _mp_block(op: ops.MpBlock, inputs: Shapes) -> nn.Module:
    return layers.MpBlock(
        feature_map(inputs).channels,
        op.out,
        embedding_dim(inputs, "emb"),
        encoder=op.flavor == "encoder",
        resample=None if op.resample == "none" else layers.Resample(op.resample, op.filter),
        dropout=op.dropout,
        t=op.t,
    )


def _mp_attention(op: ops.MpAttention, inputs: Shapes) -> nn.Module:
    return layers.MpAttention(feature_map(inputs).channels, op.head_dim, t=op.t)


def _fir_resample(op: ops.FirResample, inputs: Shapes) -> nn.Module:
    del inputs
    return layers.Resample(op.resample, op.filter)


EDM2_LOWERINGS: dict[type[Op], Callable[[Any, Shapes], Any]] = {
    ops.MpConv: _mp_conv,
    ops.MpLinear: _mp_linear,
    ops.MpFourier: _mp_fourier,
    ops.MpSilu: _plainly(magnitude.mp_silu),
    ops.MpSum: _mp_sum,
    ops.MpConcat: _mp_concat,
    ops.PixelNorm: _pixel_norm,
    ops.OnesChannel: _plainly(magnitude.ones_channel),
    ops.Clip: _clip,
    ops.OneHot: _one_hot,
    ops.MpBlock: _mp_block,
    ops.MpAttention: _mp_attention,
    ops.FirResample: _fir_resample,
}
