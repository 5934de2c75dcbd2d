"""Weights to and from diffusers' ``UNet2DModel``. Does not import diffusers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from archspec import ArchGraph, Op, Problem, UserError, ops
from archspec.errors import merged
from archspec.graph import op_of, shape_of
from archspec.shapes import FeatureMap
from builder.assemble import assemble
from builder.weights.unet2d import config, num_levels

__all__ = ["config", "from_diffusers", "key_map", "to_diffusers"]

State = Mapping[str, Tensor]

#: Node -> the module there; {0}, {1} are the node's numbers and {up} the level counted from the deepest one.
_PATHS: tuple[tuple[str, str], ...] = (
    (r"down\.(\d+)\.block\.(\d+)", "down_blocks.{0}.resnets.{1}"),
    (r"down\.(\d+)\.attn\.(\d+)", "down_blocks.{0}.attentions.{1}"),
    (r"down\.(\d+)\.downsample", "down_blocks.{0}.downsamplers.0"),
    (r"up\.(\d+)\.block\.(\d+)", "up_blocks.{up}.resnets.{1}"),
    (r"up\.(\d+)\.attn\.(\d+)", "up_blocks.{up}.attentions.{1}"),
    (r"up\.(\d+)\.upsample", "up_blocks.{up}.upsamplers.0"),
    (r"mid\.block_1", "mid_block.resnets.0"),
    (r"mid\.attn_1", "mid_block.attentions.0"),
    (r"mid\.block_2", "mid_block.resnets.1"),
    (r"temb", "time_embedding"),
    (r"conv_in", "conv_in"),
    (r"norm_out", "conv_norm_out"),
    (r"conv_out", "conv_out"),
)

#: Operation -> names of its layers here and there, where they differ.
_LAYERS: dict[type[Op], dict[str, str]] = {
    ops.ResnetBlock: {"temb_proj": "time_emb_proj", "nin_shortcut": "conv_shortcut"},
    ops.Attention: {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"},
    ops.Mlp: {"dense.0": "linear_1", "dense.1": "linear_2"},
}


def key_map(architecture: ArchGraph) -> dict[str, str]:
    """Our weight names -> those of ``UNet2DModel``, for every weight; `UserError` if that model cannot say it."""
    config(architecture)
    return {ours: _their_key(architecture, ours) for ours in _our_shapes(architecture)}


def to_diffusers(architecture: ArchGraph, state: State) -> dict[str, Tensor]:
    """Our weights as a `state_dict` of ``UNet2DModel(**config(architecture))``.

    Down- and upsampling without convolution becomes a convolution that does the same (average, identity).

    Raises:
        UserError: that model cannot say the architecture, or `state` does not fit it; with everything that is wrong.
    """
    names = key_map(architecture)
    _check(_our_shapes(architecture), state)
    theirs = {names[ours]: state[ours].reshape(_their_shape(architecture, ours, state[ours])) for ours in names}
    return theirs | _resampling(architecture, state["conv_in.weight"])


def from_diffusers(architecture: ArchGraph, state: State) -> dict[str, Tensor]:
    """A `state_dict` of ``UNet2DModel(**config(architecture))`` as our weights; the inverse of `to_diffusers`.

    Raises:
        UserError: that model cannot say the architecture, or `state` does not fit it, or it has trained convolutions
            where the architecture resamples without; with everything that is wrong.
    """
    names, shapes = key_map(architecture), _our_shapes(architecture)
    expected = {
        names[ours]: _their_shape(architecture, ours, torch.empty(shape, device="meta"))
        for ours, shape in shapes.items()
    }
    fixed = _resampling(architecture, state.get("conv_in.weight", torch.empty(0)))
    _check(expected | {key: value.shape for key, value in fixed.items()}, state)
    trained = [key for key, value in fixed.items() if not torch.equal(state[key], value)]
    if trained:
        message = "these weights have a convolution where the architecture resamples without one."
        raise UserError([_wrong(trained[0], message, len(trained))])
    return {ours: state[names[ours]].reshape(shape) for ours, shape in shapes.items()}


def _our_shapes(architecture: ArchGraph) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {key: value.shape for key, value in assemble(architecture).state_dict().items()}


def _split(architecture: ArchGraph, key: str) -> tuple[str, str, str]:
    """(node, layer, weight or bias) of one of our keys."""
    words = key.split(".")
    end = next(end for end in range(len(words), 0, -1) if ".".join(words[:end]) in architecture)
    return ".".join(words[:end]), ".".join(words[end:-1]), words[-1]


def _their_key(architecture: ArchGraph, key: str) -> str:
    node, layer, leaf = _split(architecture, key)
    renamed = _LAYERS.get(type(op_of(architecture, node)), {}).get(layer, layer)
    return ".".join(filter(None, (_their_path(node, num_levels(architecture)), renamed, leaf)))


def _their_path(node: str, levels: int) -> str:
    pattern, template = next((p, t) for p, t in _PATHS if re.fullmatch(p, node))
    match = re.fullmatch(pattern, node)
    numbers = match.groups() if match else ()
    return template.format(*numbers, up=levels - 1 - int(numbers[0]) if numbers else 0)


def _their_shape(architecture: ArchGraph, key: str, value: Tensor) -> torch.Size:
    """Attention's 1×1 convolutions are linear layers there."""
    is_attention = isinstance(op_of(architecture, _split(architecture, key)[0]), ops.Attention)
    return value.shape[:2] if is_attention else value.shape


def _resampling(architecture: ArchGraph, like: Tensor) -> dict[str, Tensor]:
    """The weights of convolutions that average 2×2 pixels, or leave the map as it is."""
    padding = int(config(architecture)["downsample_padding"])
    fixed: dict[str, Tensor] = {}
    for node in architecture:
        op, shape = op_of(architecture, node), shape_of(architecture, node)
        if not isinstance(shape, FeatureMap):
            continue
        kernel = torch.zeros(3, 3)
        if isinstance(op, ops.Downsample) and op.method != "conv":
            kernel[padding : padding + 2, padding : padding + 2] = 0.25
        elif isinstance(op, ops.Upsample) and not op.conv:
            kernel[1, 1] = 1.0
        else:
            continue
        path = _their_path(node, num_levels(architecture))
        weight = torch.eye(shape.channels)[:, :, None, None] * kernel
        fixed[f"{path}.conv.weight"] = weight.to(like.device, like.dtype)
        fixed[f"{path}.conv.bias"] = torch.zeros(shape.channels, device=like.device, dtype=like.dtype)
    return fixed


def _check(expected: Mapping[str, torch.Size], state: State) -> None:
    problems = list(_misfits(expected, state))
    if problems:
        raise UserError(merged(problems))


def _misfits(expected: Mapping[str, torch.Size], state: State) -> Iterator[Problem]:
    for key in sorted(expected.keys() - state.keys()):
        yield _wrong(key, "this weight is missing.")
    for key in sorted(state.keys() - expected.keys()):
        yield _wrong(key, "this weight has no place in the architecture.")
    for key in sorted(expected.keys() & state.keys()):
        if state[key].shape != expected[key]:
            yield _wrong(key, f"this weight has the shape {list(state[key].shape)}, not {list(expected[key])}.")


def _wrong(key: str, message: str, count: int = 1) -> Problem:
    return Problem(code="U090", message=message, node=key, count=count)
