"""What of single operations diffusers' ``UNet2DModel`` cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from archspec import Op, ops
from archspec.ops.base import feature_map
from archspec.shapes import Shape

Limits = Callable[[Any, Mapping[str, Shape]], Iterator[str]]


def _no_limits(op: Op, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del op, inputs
    yield from ()


def _attention_limits(op: ops.Attention, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.type != "vanilla":
        yield f"{op.type} attention."
    elif not (op.has_norm and op.is_residual):
        yield "attention without norm or residual."
    elif op.fused_qkv or not op.has_qkv_bias:
        yield "attention with a fused projection, or without bias."
    yield from _norm_limits(op, "norm_type")
    if op.residual_scale != 1.0:
        yield "attention with residual_scale."


def _block_limits(op: ops.ResnetBlock, inputs: Mapping[str, Shape]) -> Iterator[str]:
    if op.conv_shortcut and feature_map(inputs).channels != op.out:
        yield "a 3x3 shortcut."
    if op.conditioning != "add":
        yield f"a block with conditioning: {op.conditioning}."
    yield from _norm_limits(op, "norm_type")
    other = [name for name in _OF_OTHER_BLOCKS if _is_set(op, name)]
    if other:
        yield f"a block with {', '.join(other)}."


_OF_OTHER_BLOCKS = ("resample", "hidden", "residual", "residual_scale", "project_shortcut", "norm_order", "act")


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


def _mlp_limits(op: ops.Mlp, inputs: Mapping[str, Shape]) -> Iterator[str]:
    del inputs
    if op.hidden != op.out:
        yield f"a timestep embedding whose layers have different widths, {op.hidden} and {op.out}."


#: Operation -> what of its parameters has no counterpart.
_LIMITS: dict[type[Op], Limits] = {
    ops.Attention: _attention_limits,
    ops.ResnetBlock: _block_limits,
    ops.Conv: _conv_limits,
    ops.Downsample: _downsample_limits,
    ops.Upsample: _upsample_limits,
    ops.Act: _act_limits,
    ops.TimeEmbedding: _time_limits,
    ops.Mlp: _mlp_limits,
    ops.Norm: _head_limits,
    ops.Concat: _merge_limits,
    ops.Add: _merge_limits,
}


def limits(op: Op, inputs: Mapping[str, Shape]) -> Iterator[str]:
    """Every reason why an operation with these inputs has no counterpart."""
    yield from _LIMITS.get(type(op), _no_limits)(op, inputs)
