"""What diffusers' ``UNet2DModel`` can say of an architecture: its configuration, or every reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from archspec import ArchGraph, Op, Problem, UserError, ops
from archspec.errors import merged
from archspec.graph import input_nodes, input_shapes, inputs_of, op_of, output_node, shape_of
from archspec.infer import annotate
from archspec.ops.base import feature_map, num_groups
from archspec.shapes import FeatureMap, Shape
from archspec.template import UNet, expand
from builder.weights.unet2d_limits import limits

#: Nodes without which nothing of the reference U-Net can be recognised.
_LANDMARKS = ("conv_in", "down.0.block.0", "conv_out")


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
        "down_block_types": ["AttnDownBlock2D" if attn else "DownBlock2D" for attn in with_attention],
        "mid_block_type": "UNetMidBlock2D",
        "up_block_types": ["AttnUpBlock2D" if attn else "UpBlock2D" for attn in reversed(with_attention)],
        "block_out_channels": [_map(architecture, f"down.{level}.block.0").channels for level in levels],
        "layers_per_block": num_blocks(architecture),
        "mid_block_scale_factor": 1,
        "downsample_type": "conv",
        "upsample_type": "conv",
        "act_fn": "silu",
        "resnet_time_scale_shift": "default",
        "attn_norm_num_groups": None,
        "add_attention": "mid.attn_1" in architecture,
        **{name: next(iter(values)) for name, values in _shared(architecture).items()},
    }


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
        yield _reason(None, f"it is not shaped like the reference U-Net; there is no {', '.join(missing)}.")
        return
    if "temb" not in architecture:
        yield _reason(None, "there is no timestep embedding (use_timestep: false).")
    expected = _counterpart(architecture)
    yield from _other_structure(architecture, expected)
    for node in architecture:
        op, inputs = op_of(architecture, node), input_shapes(architecture, node)
        yield from (_reason(node, message) for message in limits(op, inputs))
    for name, values in _shared(architecture).items():
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
    timed = "temb" in ours
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
    if here.inputs != there.inputs and timed:
        yield _reason(node, f"its inputs would be {_listed(there.inputs)}, not {_listed(here.inputs)}.")


def _standard(graph: ArchGraph) -> dict[str, _Node]:
    """The nodes, with the ends of the network under standard names."""
    names = {node: kind for kind, node in input_nodes(graph).items()} | {output_node(graph): "output"}

    def standard(node: str) -> _Node:
        inputs = {port: names.get(source, source) for port, source in inputs_of(graph, node).items()}
        return _Node(op_of(graph, node), inputs, shape_of(graph, node))

    return {names.get(node, node): standard(node) for node in graph}


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _listed(inputs: Mapping[str, str]) -> str:
    return ", ".join(f"{port} = {source}" for port, source in inputs.items()) or "none"


def _shared(architecture: ArchGraph) -> dict[str, dict[Any, None]]:
    """Arguments that hold for the whole network -> the values found in it, in order and each once."""
    nodes = [(op_of(architecture, node), input_shapes(architecture, node)) for node in architecture]
    blocks = [op for op, _ in nodes if isinstance(op, ops.ResnetBlock)]
    normed = [(op, inputs) for op, inputs in nodes if isinstance(op, ops.ResnetBlock | ops.Norm | ops.Attention)]
    norms = [op for op, _ in normed]
    strided = [op for op, _ in nodes if isinstance(op, ops.Downsample) and op.method == "conv"]
    heads = [(op, feature_map(inputs).channels) for op, inputs in nodes if isinstance(op, ops.Attention)]
    return {
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
