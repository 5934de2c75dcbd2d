"""What each operation becomes in torch: the one table from descriptions to modules and functions.

Operations with weights (or with a behaviour of their own in training) become modules at the node's path; the others
become plain function calls, so that the generated code reads well.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import torch
from torch import nn

from archspec import Op, ops, user_error
from archspec.ops import plugins
from archspec.ops.base import feature_map, num_groups
from archspec.ops.norms import NormType
from archspec.ops.shapes import Embedding, Shape, Tokens
from builder import layers
from builder.inputs import ARGUMENTS
from builder.layers.residual import ACTIVATIONS
from builder.layers.score import FourierFeatures
from builder.lowered import Argument, Call, Lowered, Lowering, Result, Shapes
from builder.lowering_edm2 import EDM2_LOWERINGS
from builder.lowering_score import SCORE_LOWERINGS
from builder.lowering_skips import SKIP_LOWERINGS

__all__ = ["LOWERINGS", "Argument", "Call", "Lowered", "Lowering", "Result", "Shapes", "lower", "register"]


def _input(op: ops.Input, inputs: Shapes) -> Argument:
    del inputs
    return Argument(ARGUMENTS[op.kind])


def _output(op: ops.Output, inputs: Shapes) -> Result:
    del op, inputs
    return Result()


def _time_embedding(op: ops.TimeEmbedding, inputs: Shapes) -> nn.Module | Call:
    del inputs
    if op.type == "learned":
        return layers.LearnedTimesteps(op.rows, op.dim)
    if op.type == "fourier":
        return FourierFeatures(op.dim, op.factor, cos_first=op.order == "cos_sin")
    options: dict[str, Any] = {}
    if op.order == "cos_sin":
        options["cos_first"] = True
    if op.freq_shift != 1.0:
        options["freq_shift"] = op.freq_shift
    if op.max_period != 10_000.0:
        options["max_period"] = op.max_period
    if op.factor != 1.0:
        options["scale"] = op.factor
    return Call(layers.sinusoidal, lambda ports: ((ports["t"], op.dim), options))


def _mlp(op: ops.Mlp, inputs: Shapes) -> nn.Module:
    return layers.Mlp(_embedding_dim(inputs["x"]), op.hidden, op.out)


def _conv(op: ops.Conv, inputs: Shapes) -> nn.Module:
    channels = feature_map(inputs).channels
    return layers.conv2d(channels, op.out, op.kernel, groups=op.groups, bias=op.bias, zero_init=op.zero_init)


def _norm(op: ops.Norm, inputs: Shapes) -> nn.Module:
    return _norm_options(op, op.type).norm(feature_map(inputs).channels)


def _norm_options(
    op: ops.Norm | ops.ResnetBlock | ops.Attention | ops.Transformer, kind: NormType
) -> layers.NormOptions:
    return layers.NormOptions(partial(num_groups, op.groups), op.eps, kind)


def _act(op: ops.Act, inputs: Shapes) -> Call:
    del inputs
    return Call(ACTIVATIONS[op.fn], lambda ports: ((ports["x"],), {}))


def _resnet_block(op: ops.ResnetBlock, inputs: Shapes) -> nn.Module:
    arriving = _embedding_dim(inputs["emb"]) if "emb" in inputs else 0
    return layers.ResnetBlock(
        in_channels=feature_map(inputs).channels,
        out_channels=op.out,
        conv_shortcut=op.conv_shortcut,
        dropout=op.dropout,
        temb_channels=arriving or op.emb_dim or 0,
        norm=_norm_options(op, op.norm_type),
        zero_init=op.zero_init,
        options=layers.BlockOptions(
            scale_shift=op.conditioning == "scale_shift",
            resample=op.resample,
            taps=op.resample_filter,
            hidden_channels=op.hidden,
            residual=op.residual,
            residual_scale=op.residual_scale,
            project_shortcut=op.project_shortcut,
            norm_order=op.norm_order,
            act=op.act,
            condition_both=op.condition_both,
        ),
    )


def _attention(op: ops.Attention, inputs: Shapes) -> nn.Module:
    channels = feature_map(inputs).channels
    heads, head_dim = op.split(channels)
    norm = _norm_options(op, op.norm_type) if op.has_norm else None
    options = layers.ProjectionOptions(op.qkv_bias, op.fused_qkv, op.zero_init, op.residual_scale)
    if op.type == "vanilla":
        return layers.AttentionBlock(
            channels, heads=heads, head_dim=head_dim, norm=norm, residual=op.is_residual, options=options
        )
    return layers.LinearAttention(channels, heads, head_dim, norm=norm, residual=op.is_residual, options=options)


def _transformer(op: ops.Transformer, inputs: Shapes) -> nn.Module:
    channels, tokens = feature_map(inputs).channels, inputs.get("tokens")
    heads, head_dim = op.split(channels)
    options = layers.TransformerOptions(
        heads=heads,
        head_dim=head_dim,
        tokens_dim=tokens.dim if isinstance(tokens, Tokens) else None,
        self_attention=op.self_attention,
        ff_mult=op.ff_mult if op.feed_forward else None,
        gated=op.ff_act == "geglu",
        dropout=op.dropout,
    )
    return layers.Transformer(
        channels,
        op.depth,
        options,
        norm=_norm_options(op, op.norm_type),
        projection=op.projection,
        residual=op.residual,
        zero_init=op.zero_init,
    )


def _label_embedding(op: ops.LabelEmbedding, inputs: Shapes) -> nn.Module:
    del inputs
    if op.type == "table":
        return layers.LabelTable(op.classes, op.out)
    return layers.LabelLinear(op.classes, op.out, bias=op.bias, scaled=op.scaled)


def _add_embeddings(op: ops.AddEmbeddings, inputs: Shapes) -> Call:
    del op, inputs
    return Call(operator.add, lambda ports: ((ports["x"], ports["other"]), {}))


def _downsample(op: ops.Downsample, inputs: Shapes) -> nn.Module:
    channels = feature_map(inputs).channels
    if op.method == "space_to_depth":
        return layers.SpaceToDepth(channels)
    return layers.Downsample(channels, op.method == "conv", symmetric=op.padding == "symmetric")


def _upsample(op: ops.Upsample, inputs: Shapes) -> nn.Module:
    return layers.Upsample(feature_map(inputs).channels, op.conv, mode=op.mode)


def _concat(op: ops.Concat, inputs: Shapes) -> nn.Module | Call:
    del inputs
    if op.learn_skip_scale:
        return layers.ScaledConcat(op.skip_scale)
    if op.skip_scale != 1.0:
        options = {"skip_scale": op.skip_scale}
        return Call(layers.scaled_concat, lambda ports: ((ports["x"], ports["skip"]), options))
    return Call(torch.cat, lambda ports: (([ports["x"], ports["skip"]],), {"dim": 1}))


def _add(op: ops.Add, inputs: Shapes) -> nn.Module | Call:
    if op.projects(inputs) or op.learn_x_scale or op.learn_skip_scale:
        factors = (
            layers.factor(op.x_scale, learned=op.learn_x_scale),
            layers.factor(op.skip_scale, learned=op.learn_skip_scale),
        )
        return layers.Sum(feature_map(inputs).channels, feature_map(inputs, "skip").channels, *factors)
    if (op.x_scale, op.skip_scale) != (1.0, 1.0):
        options = {"x_scale": op.x_scale, "skip_scale": op.skip_scale}
        return Call(layers.scaled_add, lambda ports: ((ports["x"], ports["skip"]), options))
    return Call(operator.add, lambda ports: ((ports["x"], ports["skip"]), {}))


def _embedding_dim(shape: Shape) -> int:
    assert isinstance(shape, Embedding)
    return shape.dim


#: Group of entry points that name lowerings, under the names of their operations.
LOWERED = "ushape.lowerings"

#: Operation -> its lowering. Further operations come in by `register`.
LOWERINGS: dict[type[Op], Lowering] = {
    ops.Input: _input,
    ops.Output: _output,
    ops.TimeEmbedding: _time_embedding,
    ops.Mlp: _mlp,
    ops.Conv: _conv,
    ops.Norm: _norm,
    ops.Act: _act,
    ops.ResnetBlock: _resnet_block,
    ops.Attention: _attention,
    ops.Downsample: _downsample,
    ops.Upsample: _upsample,
    ops.Concat: _concat,
    ops.Add: _add,
    ops.Transformer: _transformer,
    ops.LabelEmbedding: _label_embedding,
    ops.AddEmbeddings: _add_embeddings,
    **EDM2_LOWERINGS,
    **SCORE_LOWERINGS,
    **SKIP_LOWERINGS,
}


def register(operation: type[Op], lowering: Lowering) -> None:
    """Say what an operation from outside becomes; `UserError` if that is said already."""
    if operation in LOWERINGS:
        raise user_error(f"the operation {operation.__name__} has a lowering already.", "Register another class.")
    LOWERINGS[operation] = lowering


def lower(op: Op, inputs: Shapes) -> Lowered:
    """What an operation becomes for these input shapes; `UserError` if nobody said it.

    A module takes the nodes at the operation's ports by position, in the order of the ports; None for an empty one.
    """
    lowering = LOWERINGS.get(type(op)) or plugins.installed(LOWERED, op.op)
    if lowering is None:
        name = type(op).__name__
        hint = f"Call builder.lowering.register({name}, …), or declare an entry point of {LOWERED}."
        raise user_error(f"nobody says what the operation {name} becomes in torch.", hint)
    LOWERINGS[type(op)] = lowering
    return lowering(op, inputs)
