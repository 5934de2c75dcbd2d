"""Words for the nodes of a picture: what stands in a box, and what is said of it in full."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from archspec import Price, ops
from archspec.graphs.graph import ArchGraph, input_shapes, op_of, price_of, shape_of
from archspec.ops import Attention, Op
from archspec.ops.shapes import Embedding, FeatureMap, Shape
from reports.metrics import significant


def node_label(graph: ArchGraph, node: str) -> str:
    """Write what a node is, with its channels in→out: "res 64→128"."""
    return block_label(op_of(graph, node), input_shapes(graph, node), shape_of(graph, node))


def block_label(op: Op, inputs: Mapping[str, Shape], shape: Shape) -> str:
    """As `node_label`, of an operation, the shapes at its ports (main port first) and the shape that it gives."""
    before, after = _width(next(iter(inputs.values()), None)), _width(shape)
    return _LABELS.get(type(op), _other_label)(op, after if before in ("", after) else f"{before}→{after}")


def node_tooltip(graph: ArchGraph, node: str, was: str = "") -> str:
    """Write what a node is in full: id, operation, shape, parameters, MACs, memory, and what the other network has.

    The memory is that of the weights, and of the output for one image; in float32. What a pass holds at once is more.
    """
    words = f"{node}: {block_words(op_of(graph, node), shape_of(graph, node), price_of(graph, node))}"
    return f"{words}\nother side: {was}" if was else words


def block_words(op: Op, shape: Shape, price: Price) -> str:
    """As `node_tooltip`, of a block whatever its name."""
    given = op.model_dump(mode="json", exclude_defaults=True, exclude={"op"})
    settings = ", ".join(f"{key} {value}" for key, value in given.items())
    lines = [
        f"{op.op}{f' ({settings})' if settings else ''}",
        f"output {shape}",
        f"{price.parameters:,} parameters, {_macs(price.macs)}",
        f"float32: weights {_bytes(price.parameters)}, output {_bytes(_values(shape))} an image",
    ]
    return "\n".join(lines)


def _width(shape: Shape | None) -> str:
    if isinstance(shape, FeatureMap):
        return str(shape.channels)
    return str(shape.dim) if isinstance(shape, Embedding) else ""


def _attention_label(op: Op, flow: str) -> str:
    assert isinstance(op, Attention)
    heads = f"·{op.heads}h" if op.heads and op.heads > 1 else ""
    return f"{'attn' if op.type == 'vanilla' else 'linear'} {flow}{heads}"


def _plain(word: str) -> Callable[[Op, str], str]:
    return lambda _op, flow: f"{word} {flow}"


def _other_label(op: Op, flow: str) -> str:
    return f"{op.op.replace('_', ' ')} {flow}"


_LABELS: dict[type[Op], Callable[[Op, str], str]] = {
    ops.ResnetBlock: _plain("res"),
    Attention: _attention_label,
    ops.Downsample: _plain("down"),
    ops.Upsample: _plain("up"),
    ops.Conv: _plain("conv"),
    ops.Norm: lambda op, _flow: (
        "norm" if getattr(op, "type", "group") == "group" else f"{getattr(op, 'type', '')} norm"
    ),
    ops.Act: lambda op, _flow: str(getattr(op, "fn", "act")),
    ops.TimeEmbedding: lambda op, flow: f"{getattr(op, 'type', 'time')} {flow}",
    ops.Mlp: _plain("MLP"),
    ops.Transformer: _plain("transf"),
    ops.LabelEmbedding: _plain("label"),
    ops.MpBlock: _plain("res"),
    ops.MpAttention: _plain("attn"),
    ops.WindowAttention: _plain("window"),
    ops.MpConv: _plain("conv"),
}


def _values(shape: Shape | None) -> int:
    """Numbers in an output for one image."""
    if isinstance(shape, FeatureMap):
        return shape.channels * shape.size**2
    return shape.dim if isinstance(shape, Embedding) else 1


def _bytes(values: int) -> str:
    size = values * 4
    return f"{significant(size / 2**20, 3)} MiB" if size >= 2**20 else f"{significant(size / 2**10, 3)} KiB"


def _macs(macs: int) -> str:
    return f"{significant(macs / 1e9, 3)} GMACs" if macs >= 1e9 else f"{significant(macs / 1e6, 3)} MMACs"
