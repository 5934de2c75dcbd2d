"""What diffusers' ``UNet2DModel`` can say of an architecture: its configuration, or every reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from archspec import ArchGraph, Op, Problem, UserError, ops
from archspec.forms.template import UNet, expand
from archspec.forms.unet_parts import LabelOptions
from archspec.graphs.graph import input_nodes, input_shapes, inputs_of, op_of, output_node, shape_of
from archspec.graphs.infer import annotate
from archspec.ops.shapes import FeatureMap, Shape
from archspec.text.errors import merged
from builder.weights.standard import other_inputs, other_operations
from builder.weights.unet2d_limits import LIMITS, no_limits, shared

#: Nodes without which nothing of the reference U-Net can be recognised.
_LANDMARKS = ("conv_in", "down.0.block.0", "conv_out")
#: What it is made of.
_OPERATIONS: tuple[type[Op], ...] = (*LIMITS, ops.Input, ops.Output, ops.AddEmbeddings)


def config(architecture: ArchGraph) -> dict[str, Any]:
    """The arguments of ``UNet2DModel`` that make the same network.

    Each of them matters: with diffusers' own defaults for `downsample_padding`, `flip_sin_to_cos`, `freq_shift`,
    `attention_head_dim` or `norm_eps` the weights load without complaint and the output is wrong.

    Raises:
        UserError: ``UNet2DModel`` cannot say this architecture; with every reason.
    """
    found = list(_unsayable(architecture))
    if found:
        raise UserError(merged(found))
    levels = range(num_levels(architecture))
    time = cast(ops.TimeEmbedding, op_of(architecture, "time"))
    by_blocks = _resamples_by_blocks(architecture)
    one = {name: next(iter(values)) for name, values in shared(architecture).items()}
    label = op_of(architecture, "label_emb") if "label_emb" in architecture else None
    with_attention = [f"down.{level}.attn.0" in architecture for level in levels]
    return {
        "sample_size": _map(architecture, "conv_in").size,
        "in_channels": _map(architecture, input_nodes(architecture)["image"]).channels,
        "out_channels": _map(architecture, "conv_out").channels,
        "center_input_sample": False,
        "time_embedding_type": "positional",
        "time_embedding_dim": cast(ops.Mlp, op_of(architecture, "temb")).out,
        "freq_shift": int(time.freq_shift) if time.freq_shift.is_integer() else time.freq_shift,
        "flip_sin_to_cos": time.order == "cos_sin",
        "down_block_types": [_block_type("Down", attn=attn, by_blocks=by_blocks) for attn in with_attention],
        "mid_block_type": "UNetMidBlock2D",
        "up_block_types": [_block_type("Up", attn=attn, by_blocks=by_blocks) for attn in reversed(with_attention)],
        "block_out_channels": [_map(architecture, f"down.{level}.block.0").channels for level in levels],
        "layers_per_block": num_blocks(architecture),
        "mid_block_scale_factor": 1,
        "downsample_type": "resnet" if by_blocks else "conv",
        "upsample_type": "resnet" if by_blocks else "conv",
        "act_fn": "silu",
        "add_attention": "mid.attn_1" in architecture,
        "num_class_embeds": label.classes if isinstance(label, ops.LabelEmbedding) else None,
        **one,
        # With scale and shift the middle's attention has a norm only where its groups are said.
        "attn_norm_num_groups": None if one["resnet_time_scale_shift"] == "default" else one["norm_num_groups"],
    }


def _block_type(side: str, *, attn: bool, by_blocks: bool) -> str:
    if attn:
        return f"Attn{side}Block2D"
    return f"Resnet{side}sampleBlock2D" if by_blocks else f"{side}Block2D"


def _resamples_by_blocks(architecture: ArchGraph) -> bool:
    first = "down.0.downsample"
    return first in architecture and isinstance(op_of(architecture, first), ops.ResnetBlock)


def num_levels(architecture: ArchGraph) -> int:
    """How many levels the way down has."""
    return _count(architecture, "down.{}.block.0")


def num_blocks(architecture: ArchGraph) -> int:
    """How many residual blocks the first level has on the way down."""
    return _count(architecture, "down.0.block.{}")


def _count(architecture: ArchGraph, pattern: str) -> int:
    count = 0
    while pattern.format(count) in architecture:
        count += 1
    return count


def _map(architecture: ArchGraph, node: str) -> FeatureMap:
    return cast(FeatureMap, shape_of(architecture, node))


def _reason(node: str | None, message: str) -> Problem:
    return Problem(code="U090", message=f"UNet2DModel cannot say this: {message}", node=node)


def _unsayable(architecture: ArchGraph) -> Iterator[Problem]:
    missing = [node for node in _LANDMARKS if node not in architecture]
    if missing or "image" not in input_nodes(architecture):
        message = f"it is not shaped like the reference U-Net; there is no {', '.join(missing) or 'image'}."
        yield _reason(None, message)
        yield from (_reason(*one) for one in other_operations(architecture, _OPERATIONS))
        return
    if "timestep" not in input_nodes(architecture):
        yield _reason(None, "there is no timestep embedding (use_timestep: false).")
    expected = _counterpart(architecture)
    yield from _other_structure(architecture, expected)
    for node in architecture:
        op, inputs = op_of(architecture, node), input_shapes(architecture, node)
        yield from (_reason(node, message) for message in LIMITS.get(type(op), no_limits)(op, inputs))
    for name, values in shared(architecture).items():
        if len(values) > 1:
            shown = ", ".join(map(str, values))
            yield _reason(None, f"{name} is one value for the whole network, and here there are {shown}.")


def _counterpart(architecture: ArchGraph) -> ArchGraph:
    """The reference U-Net with the levels, widths and attention that can be read off."""
    levels = range(num_levels(architecture))
    maps = [_map(architecture, f"down.{level}.block.0") for level in levels]
    unet = UNet(
        ch=maps[0].channels,
        out_ch=_map(architecture, "conv_out").channels,
        ch_mult=tuple(here.channels / maps[0].channels for here in maps),
        num_res_blocks=num_blocks(architecture),
        attn_resolutions=tuple(maps[level].size for level in levels if f"down.{level}.attn.0" in architecture),
        mid_attn="mid.attn_1" in architecture,
        resblock_updown=_resamples_by_blocks(architecture),
        label=LabelOptions(classes=1) if "label_emb" in architecture else None,
        in_channels=_map(architecture, input_nodes(architecture)["image"]).channels,
        resolution=maps[0].size,
    )
    graph = expand(unet, "UNet2DModel")
    annotate(graph)
    return graph


@dataclass(frozen=True)
class _Node:
    op: Op
    inputs: Mapping[str, str]
    shape: Shape


#: Operations that choose a width of their own; the others follow from their inputs.
_WIDE = (ops.Conv, ops.ResnetBlock, ops.TimeEmbedding)


def _other_structure(architecture: ArchGraph, expected: ArchGraph) -> Iterator[Problem]:
    """Nodes that are missing, additional or of another kind or width, and inputs that come from elsewhere."""
    ours, theirs = _standard(architecture), _standard(expected)
    timed = "timestep" in ours
    for node, there in theirs.items():
        if node not in ours and (timed or node not in ("timestep", "time", "temb")):
            yield _reason(node, f"there is no {there.op.op} here.")
    for node, here in ours.items():
        if node not in theirs:
            yield _reason(node, f"there would be no {here.op.op} here.")
        else:
            yield from _other_node(node, here, theirs[node], timed=timed)


def _other_node(node: str, here: _Node, there: _Node, *, timed: bool) -> Iterator[Problem]:
    if type(here.op) is not type(there.op):
        yield _reason(node, f"it would be {_article(there.op.op)}, not {_article(here.op.op)}.")
        return
    if isinstance(here.op, _WIDE) and here.shape != there.shape:
        yield _reason(node, f"it would give {there.shape}, not {here.shape}.")
    if timed:
        yield from (_reason(node, message) for message in other_inputs(here.inputs, there.inputs))


def _standard(graph: ArchGraph) -> dict[str, _Node]:
    """The nodes, with the ends of the network under standard names."""
    names = {node: kind for kind, node in input_nodes(graph).items()} | {output_node(graph): "output"}

    def standard(node: str) -> _Node:
        inputs = {port: names.get(source, source) for port, source in inputs_of(graph, node).items()}
        return _Node(op_of(graph, node), inputs, shape_of(graph, node))

    return {names.get(node, node): standard(node) for node in graph}


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"
