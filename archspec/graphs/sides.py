"""Where a node stands in the U: its side and its level, by its id where that says so, else by the graph's topology.

Ids such as ``down.1.attn.0``, ``mid.attn_1`` and ``up.1.upsample`` name the side, and the level of `down` and `up`. Of
every other feature map (and of the middle) the level is the rank of its size, 0 for the largest. Its side is `down` if
a map that is made smaller comes from it, `up` if it comes from a map that was made larger, and `mid` if neither holds;
a graph that never changes the size, and a node between two Us, have no side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from archspec.graphs.graph import ArchGraph, closure, known_shape
from archspec.ops.shapes import FeatureMap

Side = Literal["down", "mid", "up"]

SIDES: tuple[Side, ...] = get_args(Side)


@dataclass(frozen=True)
class Standing:
    """Side and level of one node, as far as they are known."""

    side: Side | None = None
    level: int | None = None


def standings(graph: ArchGraph) -> dict[str, Standing]:
    """Side and level of every node; the topology is seen where shapes are inferred."""
    sizes = {node: shape.size for node in graph if isinstance(shape := known_shape(graph, node), FeatureMap)}
    rank = {size: level for level, size in enumerate(sorted(set(sizes.values()), reverse=True))}
    by_topology = _sides(graph, sizes)
    found: dict[str, Standing] = {}
    for node in graph:
        side, level = _said(node)
        size = sizes.get(node)
        by_rank = rank[size] if size is not None else None
        found[node] = Standing(side or by_topology.get(node), by_rank if level is None else level)
    return found


def _said(node: str) -> tuple[Side | None, int | None]:
    """What the id says."""
    first, _, rest = node.partition(".")
    side = next((name for name in SIDES if name == first and rest), None)
    level = rest.partition(".")[0]
    return side, int(level) if side in ("down", "up") and level.isdecimal() and len(level) < 5 else None


def _sides(graph: ArchGraph, sizes: dict[str, int]) -> dict[str, Side]:
    steps = [(size, min((sizes[source] for source in graph.pred[node] if source in sizes), default=size), node)
             for node, size in sizes.items()]  # fmt: skip
    smaller = [node for size, before, node in steps if size < before]
    larger = [node for size, before, node in steps if size > before]
    if not smaller and not larger:
        return {}
    down, up = closure(graph.pred, smaller), closure(graph.succ, larger)
    choices: dict[tuple[bool, bool], Side] = {(True, False): "down", (False, True): "up", (False, False): "mid"}
    found = {node: choices.get((node in down, node in up)) for node in sizes}
    return {node: side for node, side in found.items() if side is not None}
