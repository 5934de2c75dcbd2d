"""What of an operation's parameters ``UNet2DModel`` has no counterpart for, and what it has one number for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archspec import ArchGraph, Op, ops
from archspec.graphs.graph import input_shapes, op_of
from archspec.ops.base import feature_map, num_groups
from archspec.ops.shapes import Shape

Limits = Callable[[Any, Mapping[str, Shape]], Iterator[str]]


def no_limits(op: Op, inputs: Mapping[str, Shape]) -> Iterator[str]:
    """Nothing: every parameter has a counterpart."""
    del op, inputs
    yield from ()


def _attention_limits(op: ops.Attention, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.type != "vanilla":
        yield f"{op.type} attention."
    elif not (op.has_norm and op.is_residual):
        yield "attention without norm or residual."
    elif not op.has_qkv_bias:
        yield "attention whose projections have no bias."
    yield from _norm_limits(op, "norm_type")
    if op.residual_scale != 1.0:
        yield "attention with residual_scale."


def _block_limits(op: ops.ResnetBlock, inputs: Mapping[str, Shape]) -> Iterator[str]:
    if op.conv_shortcut and feature_map(inputs).channels != op.out:
        yield "a 3x3 shortcut."
    yield from _norm_limits(op, "norm_type")
    other = [name for name in _OF_OTHER_BLOCKS if _is_set(op, name)]
    if op.resample != "none" and set(op.resample_filter or (1.0,)) != {1.0}:
        other.append("resample_filter")
    if other:
        yield f"a block with {', '.join(other)}."


_OF_OTHER_BLOCKS = ("hidden", "residual", "residual_scale", "project_shortcut", "norm_order", "act", "condition_both")


def _norm_limits(op: Op, name: str) -> Iterator[str]:
    kind = getattr(op, name)
    if kind != "group":
        yield f"a norm of type {kind}."


def _head_limits(op: ops.Norm, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    yield from _norm_limits(op, "type")


def _merge_limits(op: ops.Concat | ops.Add, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if any(_is_set(op, name) for name in op.LATER):
        yield "a skip with a factor."


def _is_set(op: Op, name: str) -> bool:
    return bool(getattr(op, name) != type(op).model_fields[name].default)


def _downsample_limits(op: ops.Downsample, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.method == "space_to_depth":
        yield "downsampling by space_to_depth."


def _upsample_limits(op: ops.Upsample, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.mode != "nearest":
        yield f"{op.mode} upsampling."


def _conv_limits(op: ops.Conv, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if (op.kernel, op.groups, op.bias) != (3, 1, True):
        yield "a convolution that is not 3x3 with bias and without groups."


def _act_limits(op: ops.Act, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.fn != "silu":
        yield f"the activation {op.fn}."


def _time_limits(op: ops.TimeEmbedding, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.type != "sinusoidal":
        yield f"time features of type {op.type} instead of sinusoidal."
    if op.factor != 1.0:
        yield f"timesteps times {op.factor:g}."
    if op.max_period != 10_000.0:
        yield f"a longest period of {op.max_period:g} steps instead of 10000."


def _label_limits(op: ops.LabelEmbedding, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.type != "table":
        yield "an embedding of classes that is no table."


def _mlp_limits(op: ops.Mlp, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.hidden != op.out:
        yield f"a timestep embedding whose layers have different widths, {op.hidden} and {op.out}."


#: Operation -> what of its parameters has no counterpart.
LIMITS: dict[type[Op], Limits] = {
    ops.Attention: _attention_limits,
    ops.ResnetBlock: _block_limits,
    ops.Conv: _conv_limits,
    ops.Downsample: _downsample_limits,
    ops.Upsample: _upsample_limits,
    ops.Act: _act_limits,
    ops.TimeEmbedding: _time_limits,
    ops.Mlp: _mlp_limits,
    ops.LabelEmbedding: _label_limits,
    ops.Norm: _head_limits,
    ops.Concat: _merge_limits,
    ops.Add: _merge_limits,
}


#: How the embedding enters -> what it is called there.
_CONDITIONING = {"add": "default", "scale_shift": "scale_shift", "none": "none"}


def shared(architecture: ArchGraph) -> dict[str, dict[Any, None]]:
    """Arguments that hold for the whole network -> the values found in it, in order and each once."""
    nodes = [(op_of(architecture, node), input_shapes(architecture, node)) for node in architecture]
    blocks = [op for op, _ in nodes if isinstance(op, ops.ResnetBlock)]
    normed = [(op, inputs) for op, inputs in nodes if isinstance(op, ops.ResnetBlock | ops.Norm | ops.Attention)]
    norms = [op for op, _ in normed]
    strided = [op for op, _ in nodes if isinstance(op, ops.Downsample) and op.method == "conv"]
    heads = [(op, feature_map(inputs).channels) for op, inputs in nodes if isinstance(op, ops.Attention)]
    return {
        "resnet_time_scale_shift": dict.fromkeys(_CONDITIONING[op.conditioning] for op in blocks),
        "norm_num_groups": dict.fromkeys(number for op, inputs in normed for number in _groups(op, inputs)),
        "norm_eps": dict.fromkeys(op.eps for op in norms),
        "dropout": dict.fromkeys(op.dropout for op in blocks),
        "downsample_padding": dict.fromkeys(int(op.padding == "symmetric") for op in strided) or {0: None},
        "attention_head_dim": _head_dims([(*op.split(channels), channels) for op, channels in heads]),
    }


def _groups(op: ops.ResnetBlock | ops.Norm | ops.Attention, inputs: Mapping[str, Shape]) -> list[int]:
    """The groups of an operation's norms."""
    widths = [feature_map(inputs).channels, *([op.inner] if isinstance(op, ops.ResnetBlock) else [])]
    return [num_groups(op.groups, width) for width in widths]


def _head_dims(splits: list[tuple[int, int, int]]) -> dict[Any, None]:
    """None for one head as wide as the map everywhere, or else the channels per head."""
    if all((heads, width) == (1, channels) for heads, width, channels in splits):
        return {None: None}
    return dict.fromkeys(
        width if heads * width == channels else f"{heads} x {width} of {channels}" for heads, width, channels in splits
    )
