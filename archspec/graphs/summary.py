"""An architecture in a few rows: by resolution, and node by node."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from archspec.graphs.fingerprint import fingerprint
from archspec.graphs.graph import ArchGraph, inputs_of, op_of, order, price_of, shape_of, total_price
from archspec.ops import (
    ATTENTION,
    BLOCKS,
    Attention,
    Input,
    MpAttention,
    Op,
    Output,
    Price,
    Transformer,
    WindowAttention,
)
from archspec.ops.shapes import FeatureMap


@dataclass(frozen=True)
class LevelRow:
    """What stands at one resolution; sums over all nodes whose output has it.

    Attributes:
        resolution: in pixels.
        channels: the distinct widths of residual blocks (of all nodes where there is none), ascending.
        blocks: number of residual blocks.
        attention: in words, such as ``3 vanilla, 4 heads``.
        skips: in words, such as ``3 concat``.
        parameters: sum.
        macs: sum, for one image.
    """

    resolution: int
    channels: tuple[int, ...]
    blocks: int
    attention: str
    skips: str
    parameters: int
    macs: int


def levels(graph: ArchGraph) -> list[LevelRow]:
    """One row a resolution, largest first."""
    maps = [(node, shape) for node in graph if isinstance(shape := shape_of(graph, node), FeatureMap)]
    sizes = sorted({shape.size for _, shape in maps}, reverse=True)
    return [_level(graph, size, [node for node, shape in maps if shape.size == size]) for size in sizes]


def _level(graph: ArchGraph, size: int, nodes: list[str]) -> LevelRow:
    ops = {node: op_of(graph, node) for node in nodes}
    blocks = [node for node, op in ops.items() if isinstance(op, BLOCKS)]
    widths = {_channels(graph, node) for node in (blocks or nodes)}
    attention = Counter(_attention(op, _channels(graph, node)) for node, op in ops.items() if isinstance(op, ATTENTION))
    skips = Counter(op.op for node, op in ops.items() if _takes_a_skip(graph, node))
    price = sum((price_of(graph, node) for node in nodes), Price())
    return LevelRow(
        resolution=size,
        channels=tuple(sorted(widths)),
        blocks=len(blocks),
        attention="; ".join(f"{count} {what}" for what, count in attention.items()),
        skips="; ".join(f"{count} {what}" for what, count in skips.items()),
        parameters=price.parameters,
        macs=price.macs,
    )


def _takes_a_skip(graph: ArchGraph, node: str) -> bool:
    return any("skip" in graph.edges[source, node]["roles"] for source in graph.pred[node])


def _channels(graph: ArchGraph, node: str) -> int:
    shape = shape_of(graph, node)
    return shape.channels if isinstance(shape, FeatureMap) else 0


def _attention(op: Op, channels: int) -> str:
    match op:
        case Attention():
            asides = ["no norm"] * (not op.has_norm) + ["no residual"] * (not op.is_residual)
            return ", ".join([op.type, _heads(op.split(channels)[0]), *asides])
        case Transformer():
            return f"transformer, {_heads(op.split(channels)[0])}, depth {op.depth}"
        case WindowAttention():
            return f"windows of {op.window}, {_heads(op.split(channels)[0])}"
        case MpAttention():
            return f"cosine, {_heads(channels // op.head_dim)}"
    return op.op


def _heads(number: int) -> str:
    return f"{number} head" + ("s" if number != 1 else "")


def node_rows(graph: ArchGraph) -> list[dict[str, Any]]:
    """One row a node, in topological order: id, operation, inputs, output shape, parameters, MACs."""
    return [
        {
            "node": node,
            "op": op_of(graph, node).op,
            "inputs": inputs_of(graph, node),
            "output": str(shape_of(graph, node)),
            "parameters": price_of(graph, node).parameters,
            "macs": price_of(graph, node).macs,
        }
        for node in order(graph)
    ]


def summary(graph: ArchGraph) -> dict[str, Any]:
    """The architecture in numbers, as plain data."""
    price = total_price(graph)
    return {
        "name": graph.graph["name"],
        "fingerprint": fingerprint(graph),
        "parameters": price.parameters,
        "macs": price.macs,
        "inputs": {node: str(shape_of(graph, node)) for node in graph if isinstance(op_of(graph, node), Input)},
        "output": next(str(shape_of(graph, node)) for node in graph if isinstance(op_of(graph, node), Output)),
        "levels": [asdict(row) for row in levels(graph)],
        "nodes": node_rows(graph),
    }
