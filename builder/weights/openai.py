"""The layout of OpenAI's U-Nets (iDDPM, ADM) and of what was built on them (LDM, Stable Diffusion).

Names are counted: ``input_blocks.{n}.{0, 1}``, ``middle_block.{0, 1, 2}``, ``output_blocks.{n}.{0, 1, 2}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Size

from archspec import ArchGraph, Op, Problem, UserError, ops
from archspec.graphs.graph import input_shapes, op_of, ops_of
from archspec.ops.base import feature_map
from archspec.text.errors import merged
from builder.weights.piece import Piece, Side, own_shapes, plain, projections
from builder.weights.standard import Placed, node_of, placed

_FIXED = {
    "conv_in": "input_blocks.0.0",
    "temb": "time_embed",
    "label_emb": "label_emb",
    "vector_emb": "label_emb.0",
    "norm_out": "out.0",
    "conv_out": "out.2",
}
_BLOCK = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "temb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "nin_shortcut": "skip_connection",
    "conv_shortcut": "skip_connection",
}
_LAYERS: dict[type[Op], Mapping[str, str]] = {
    ops.ResnetBlock: _BLOCK,
    ops.Mlp: {"dense.0": "0", "dense.1": "2"},
    ops.Downsample: {"conv": "op"},
}
_PROJECTIONS = ("q", "k", "v")


def pieces(architecture: ArchGraph, *, per_head: bool) -> list[Piece]:
    """How each weight of the architecture stands in this layout.

    Args:
        architecture: built like the reference U-Net, with any number of blocks.
        per_head: the rows of ``qkv`` are q | k | v of one head after another, and not those of all heads (which is
            ADM's ``use_new_attention_order``).

    Raises:
        UserError: nodes with weights that this layout has no name for.
    """
    paths = _paths(architecture)
    shapes = own_shapes(architecture)
    by_node: dict[str, dict[str, Size]] = {}
    for key, shape in shapes.items():
        by_node.setdefault(node_of(architecture, key)[0], {})[key] = shape
    unnamed = [node for node in by_node if node not in paths or not _known(op_of(architecture, node))]
    if unnamed:
        message = "the layout of OpenAI's U-Nets (ADM, LDM) has no name for the weights of this node."
        raise UserError(merged(Problem(code="U090", message=message, node=node) for node in unnamed))
    found: list[Piece] = []
    for node, own in by_node.items():
        found += _of_node(architecture, node, paths[node], own, per_head=per_head)
    return found


def _known(op: Op) -> bool:
    if isinstance(op, ops.Attention):
        return op.type == "vanilla" and op.has_norm
    if isinstance(op, ops.Downsample):
        return op.method == "conv"
    known: tuple[type[Op], ...] = (ops.Conv, ops.Norm, ops.Upsample, ops.Transformer, ops.LabelEmbedding, *_LAYERS)
    return isinstance(op, known)


def _of_node(
    architecture: ArchGraph, node: str, path: str, own: Mapping[str, Size], *, per_head: bool
) -> Iterator[Piece]:
    op = op_of(architecture, node)
    names = _LAYERS.get(type(op), {})
    for key, shape in own.items():
        _, layer, leaf = node_of(architecture, key)
        if isinstance(op, ops.Attention) and layer in ("qkv", *_PROJECTIONS):
            continue
        there = ".".join(filter(None, (path, names.get(layer, layer), leaf)))
        conv1d = isinstance(op, ops.Attention) and len(shape) == 4
        yield plain(key, there, shape, shape[:3] if conv1d else None)
    if isinstance(op, ops.Attention):
        heads, _ = op.split(feature_map(input_shapes(architecture, node)).channels)
        layers = ("qkv",) if op.fused_qkv else _PROJECTIONS
        for leaf in ("weight", "bias"):
            keys = tuple(f"{node}.{layer}.{leaf}" for layer in layers)
            if keys[0] in own:
                ours = Side(keys, tuple(own[key] for key in keys))
                yield projections(ours, Side((f"{path}.qkv.{leaf}",), (_together(ours),), per_head), heads)


def _together(ours: Side) -> Size:
    """Shape of all rows under one key, as a convolution over positions in a row."""
    rows = sum(shape[0] for shape in ours.shapes)
    return Size((rows, *ours.shapes[0][1:3]))


def _paths(architecture: ArchGraph) -> dict[str, str]:
    """Node -> its module there."""
    paths = {node: path for node, path in _FIXED.items() if node in architecture}
    paths |= _middle(architecture)
    where = placed(architecture)
    levels = sorted({at.level for at in where.values()})
    number = 0
    for level in levels:
        for rank in range(_count(where, "down", level)):
            number += 1
            paths |= _level(where, ("down", level, rank), f"input_blocks.{number}")
        down = f"down.{level}.downsample"
        if down in architecture:
            number += 1
            paths[down] = f"input_blocks.{number}.0"
    number = -1
    for level in reversed(levels):
        for rank in range(_count(where, "up", level)):
            number += 1
            paths |= _level(where, ("up", level, rank), f"output_blocks.{number}")
        up = f"up.{level}.upsample"
        if up in architecture:
            taken = sum(path.startswith(f"output_blocks.{number}.") for path in paths.values())
            paths[up] = f"output_blocks.{number}.{taken}"
    return paths


def _count(where: Mapping[str, Placed], side: str, level: int) -> int:
    return sum((at.side, at.level, at.part) == (side, level, "block") for at in where.values())


def _level(where: Mapping[str, Placed], at: tuple[str, int, int], path: str) -> dict[str, str]:
    """The block of a level and the attention behind it."""
    parts = {"block": f"{path}.0", "attn": f"{path}.1"}
    found = [(node, one.part) for node, one in where.items() if (one.side, one.level, one.number) == at]
    return {node: parts[part] for node, part in found if part in parts}


def _middle(architecture: ArchGraph) -> dict[str, str]:
    there = [node for node in ("mid.block_1", "mid.attn_1", "mid.block_2") if node in architecture]
    return {node: f"middle_block.{number}" for number, node in enumerate(there)}


def has_qkv_of_many_heads(architecture: ArchGraph) -> bool:
    """Whether the order of the rows of ``qkv`` matters: some attention has more than one head."""
    attentions = {node: op for node, op in ops_of(architecture) if isinstance(op, ops.Attention)}
    widths = {node: feature_map(input_shapes(architecture, node)).channels for node in attentions}
    return any(op.split(widths[node])[0] > 1 for node, op in attentions.items())
