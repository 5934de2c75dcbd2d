"""Weights to and from diffusers' ``UNet2DModel`` and ``UNet2DConditionModel``. Does not import diffusers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Size, Tensor

from archspec import ArchGraph, Op, UserError, ops
from archspec.graphs.graph import input_shapes, op_of, shape_of
from archspec.ops.base import feature_map
from archspec.ops.shapes import FeatureMap
from builder.weights.condition import Vector, condition_config, is_conditional
from builder.weights.piece import Piece, Side, State, Tensors, own_shapes, packed, plain, projections, unpacked, wrong
from builder.weights.standard import node_of, placed
from builder.weights.unet2d import config as unet2d_config

__all__ = ["config", "from_diffusers", "key_map", "model_class", "pieces", "to_diffusers"]

#: Part of a level -> the modules there.
_PARTS = {"block": "resnets", "attn": "attentions"}
_RESAMPLERS = {"downsample": "downsamplers.0", "upsample": "upsamplers.0"}
_FIXED = {
    "mid.block_1": "mid_block.resnets.0",
    "mid.attn_1": "mid_block.attentions.0",
    "mid.block_2": "mid_block.resnets.1",
    "temb": "time_embedding",
    "label_emb": "class_embedding",
    "conv_in": "conv_in",
    "norm_out": "conv_norm_out",
    "conv_out": "conv_out",
}
_VECTORS = {"text_time": "add_embedding", "projection": "class_embedding"}
_PROJECTIONS = ("q", "k", "v")

#: Operation -> names of its layers here and there, where they differ.
_LAYERS: dict[type[Op], dict[str, str]] = {
    ops.ResnetBlock: {"temb_proj": "time_emb_proj", "nin_shortcut": "conv_shortcut"},
    ops.Attention: {"norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0"},
    ops.Mlp: {"dense.0": "linear_1", "dense.1": "linear_2"},
}


def model_class(architecture: ArchGraph) -> str:
    """Which of diffusers' classes it is a matter for."""
    return "UNet2DConditionModel" if is_conditional(architecture) else "UNet2DModel"


def config(architecture: ArchGraph, vector: Vector = "text_time") -> dict[str, Any]:
    """The arguments of `model_class` that make the same network.

    Args:
        architecture: what is to be said.
        vector: whether its vector is that of SDXL, made of a pooled text and of sizes, or goes in as it is.

    Raises:
        UserError: that class cannot say this architecture; with every reason.
    """
    return condition_config(architecture, vector) if is_conditional(architecture) else unet2d_config(architecture)


def key_map(architecture: ArchGraph, vector: Vector = "text_time") -> dict[str, str]:
    """Our weight names -> those of diffusers, for every weight; where there are three for one, as ``to_{q,k,v}``.

    Raises:
        UserError: diffusers cannot say this architecture.
    """
    found: dict[str, str] = {}
    for piece in pieces(architecture, vector):
        several = len(piece.ours) != len(piece.theirs)
        joined = [piece.theirs[0].replace("to_q", "to_{q,k,v}")] if several else piece.theirs
        found.update(zip(piece.ours, joined, strict=False))
    return found


def to_diffusers(architecture: ArchGraph, state: State, vector: Vector = "text_time") -> dict[str, Tensor]:
    """Our weights as a `state_dict` of diffusers' model with `config(architecture)`.

    Down- and upsampling without convolution becomes a convolution that does the same (average, identity).

    Raises:
        UserError: diffusers cannot say the architecture, or `state` does not fit it; with everything that is wrong.
    """
    found = packed(pieces(architecture, vector), own_shapes(architecture), state)
    like = state["conv_in.weight"]
    fixed = {key for piece in _resampling(architecture) for key in piece.theirs}
    return {key: value.to(like.device, like.dtype) if key in fixed else value for key, value in found.items()}


def from_diffusers(architecture: ArchGraph, state: State, vector: Vector = "text_time") -> dict[str, Tensor]:
    """A `state_dict` of diffusers' model with `config(architecture)` as our weights; the inverse of `to_diffusers`.

    Raises:
        UserError: diffusers cannot say the architecture, or `state` does not fit it, or it has trained convolutions
            where the architecture resamples without; with everything that is wrong.
    """
    return unpacked(pieces(architecture, vector), own_shapes(architecture), state)


def pieces(architecture: ArchGraph, vector: Vector = "text_time") -> list[Piece]:
    """How each weight stands there; `UserError` if diffusers cannot say the architecture."""
    config(architecture, vector)
    paths = _paths(architecture, vector)
    shapes = own_shapes(architecture)
    found: list[Piece] = []
    for key, shape in shapes.items():
        node, layer, leaf = node_of(architecture, key)
        op = op_of(architecture, node)
        if isinstance(op, ops.Attention) and layer in ("qkv", *_PROJECTIONS):
            if layer in ("qkv", "q"):
                found.append(_projections(architecture, node, paths[node], leaf, shapes))
            continue
        renamed = _LAYERS.get(type(op), {}).get(layer, layer)
        there = ".".join(filter(None, (paths[node], renamed, leaf)))
        # Attention's 1×1 convolutions are linear layers there.
        found.append(plain(key, there, shape, shape[:2] if isinstance(op, ops.Attention) else None))
    return [*found, *_resampling(architecture)]


def _projections(architecture: ArchGraph, node: str, path: str, leaf: str, shapes: Mapping[str, Size]) -> Piece:
    op = op_of(architecture, node)
    assert isinstance(op, ops.Attention)
    channels = feature_map(input_shapes(architecture, node)).channels
    heads, width = op.split(channels)
    layers = ("qkv",) if op.fused_qkv else _PROJECTIONS
    keys = tuple(f"{node}.{layer}.{leaf}" for layer in layers)
    each = Size((heads * width, channels) if leaf == "weight" else (heads * width,))
    theirs = tuple(f"{path}.to_{name}.{leaf}" for name in _PROJECTIONS)
    return projections(Side(keys, tuple(shapes[key] for key in keys)), Side(theirs, (each,) * 3), heads)


def _paths(architecture: ArchGraph, vector: Vector) -> dict[str, str]:
    """Node -> the module there."""
    where = placed(architecture)
    deepest = max(at.level for at in where.values())
    paths = {node: path for node, path in _FIXED.items() if node in architecture}
    paths["vector_emb"] = _VECTORS[vector]
    for node, at in where.items():
        if at.part in _PARTS:
            paths[node] = f"{_side(at.side, at.level, deepest)}.{_PARTS[at.part]}.{at.number}"
    for node in architecture:
        match = re.fullmatch(r"(down|up)\.(\d+)\.(downsample|upsample)", node)
        if match:
            paths[node] = f"{_side(match[1], int(match[2]), deepest)}.{_RESAMPLERS[match[3]]}"
    return paths


def _side(side: str, level: int, deepest: int) -> str:
    return f"down_blocks.{level}" if side == "down" else f"up_blocks.{deepest - level}"


def _resampling(architecture: ArchGraph) -> Iterator[Piece]:
    """The weights of convolutions that average 2×2 pixels, or leave the map as it is."""
    if is_conditional(architecture):
        return
    padding = int(unet2d_config(architecture)["downsample_padding"])
    paths = _paths(architecture, "text_time")
    values: dict[str, Tensor] = {}
    for node in architecture:
        op, shape = op_of(architecture, node), shape_of(architecture, node)
        kernel = torch.zeros(3, 3)
        if isinstance(op, ops.Downsample) and op.method != "conv":
            kernel[padding : padding + 2, padding : padding + 2] = 0.25
        elif isinstance(op, ops.Upsample) and not op.conv:
            kernel[1, 1] = 1.0
        else:
            continue
        assert isinstance(shape, FeatureMap)
        values[f"{paths[node]}.conv.weight"] = torch.eye(shape.channels)[:, :, None, None] * kernel
        values[f"{paths[node]}.conv.bias"] = torch.zeros(shape.channels)
    if values:
        yield _fixed(values)


def _fixed(values: Mapping[str, Tensor]) -> Piece:
    """Weights that only diffusers has, always with these values."""

    def unpack(given: Tensors) -> Tensors:
        trained = [
            key for key, here in zip(values, given, strict=True) if not torch.equal(here.cpu().float(), values[key])
        ]
        if trained:
            message = "these weights have a convolution where the architecture resamples without one."
            raise UserError([wrong(trained[0], message, len(trained))])
        return ()

    shapes = tuple(value.shape for value in values.values())
    return Piece((), tuple(values), shapes, lambda _: tuple(values.values()), unpack)
