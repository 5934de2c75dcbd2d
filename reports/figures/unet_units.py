"""What belongs where in a picture of a U-Net: sides, and units that share a row.

Places follow from topology (what shrinks, grows and merges) so that graphs written by hand come out too; the ids of the
reference U-Net only settle what topology leaves open, such as the deepest decoder level of a network without skips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import networkx as nx

from archspec import UserError, from_document
from archspec.graphs.graph import ArchGraph, inputs_of, op_of, order, shape_of
from archspec.ops import ATTENTION, MERGES, Act, Conv, Input, Norm, Output
from archspec.ops.shapes import FeatureMap

Side = Literal["down", "mid", "up", "head"]

_HINTS: dict[str, Side] = {"down": "down", "mid": "mid", "up": "up"}


@dataclass(frozen=True)
class Unit:
    """What shares one row: a block, the attention after it, and the skip's merge before it."""

    node: str
    """The node that gives the unit its name and place."""
    side: Side
    size: int
    """Pixels per side of its output."""
    attention: str | None = None
    merge: str | None = None
    skip_source: str | None = None
    """The encoder node whose output arrives at the merge."""

    @property
    def exit(self) -> str:
        """The node whose output leaves the unit."""
        return self.attention or self.node

    @property
    def nodes(self) -> tuple[str, ...]:
        """Its nodes in the order of computation."""
        return tuple(n for n in (self.merge, self.node, self.attention) if n is not None)


@dataclass(frozen=True)
class Network:
    """A built graph with what its picture needs, found once."""

    graph: ArchGraph

    @cached_property
    def units(self) -> tuple[Unit, ...]:
        """Its rows, in the order of computation."""
        return tuple(units(self.graph))

    @cached_property
    def skips(self) -> dict[str, str]:
        """Merge -> the node whose output the skip brings."""
        return skips(self.graph)

    @cached_property
    def conditioning(self) -> tuple[str, ...]:
        """The nodes that are no feature maps (timestep, embeddings), in the order of computation."""
        return tuple(n for n in order(self.graph) if not is_map(self.graph, n))

    @cached_property
    def home(self) -> dict[str, str]:
        """Node -> the node that names its unit."""
        return {node: unit.node for unit in self.units for node in unit.nodes}


def kept_network(architectures: Mapping[str, dict[str, Any]], fingerprint: str) -> Network | None:
    """Read a network that a study kept.

    None if it did not, or if it is of another version of the vocabulary: its numbers stand, only its picture is
    missing.
    """
    try:
        return Network(from_document(architectures[fingerprint]))
    except (KeyError, UserError):
        return None


def main_source(graph: ArchGraph, node: str) -> str | None:
    """Return the node that feeds the main input, or None for inputs."""
    inputs = inputs_of(graph, node)
    return inputs.get("x", next(iter(inputs.values()), None))


def is_map(graph: ArchGraph, node: str) -> bool:
    """Say whether the node puts out a feature map."""
    return isinstance(shape_of(graph, node), FeatureMap)


def size_of(graph: ArchGraph, node: str) -> int:
    """Return pixels per side of a feature map."""
    shape = shape_of(graph, node)
    assert isinstance(shape, FeatureMap)
    return shape.size


def skips(graph: ArchGraph) -> dict[str, str]:
    """Return merge node -> the node whose output the skip brings; images joined at the input are no skips."""
    found = {}
    for node in graph:
        source = inputs_of(graph, node).get("skip") if isinstance(op_of(graph, node), MERGES) else None
        if source is not None and not isinstance(op_of(graph, source), Input):
            found[node] = source
    return found


def sides(graph: ArchGraph) -> dict[str, Side]:
    """Give every feature map but inputs and outputs its side."""
    maps = [n for n in order(graph) if is_map(graph, n) and not isinstance(op_of(graph, n), (Input, Output))]
    joined = skips(graph)
    after = _closure(graph, [*joined, *(n for n in maps if _growth(graph, n) > 0)], nx.descendants)
    before = _closure(graph, [*joined.values(), *(n for n in maps if _growth(graph, n) < 0)], nx.ancestors)
    head = _head(graph)
    found: dict[str, Side] = {}
    for node in maps:
        by_topology: Side = "up" if node in after else "down" if node in before else "mid"
        found[node] = "head" if node in head else _HINTS.get(node.partition(".")[0], by_topology)
    return found


def units(graph: ArchGraph) -> list[Unit]:
    """Group the feature maps into rows, in the order of computation."""
    placed, joined = sides(graph), skips(graph)
    absorbed = {node: target for node in joined if (target := _absorbing(graph, node, placed)) is not None}
    merge_of = {target: node for node, target in absorbed.items()}
    found: list[Unit] = []
    for node in (n for n in order(graph) if n in placed and n not in absorbed):
        last = found[-1] if found else None
        if last is not None and _joins(graph, node, last, placed):
            found[-1] = Unit(last.node, last.side, last.size, node, last.merge, last.skip_source)
            continue
        merge = merge_of.get(node)
        source = joined.get(merge) if merge is not None else joined.get(node)
        found.append(Unit(node, placed[node], size_of(graph, node), None, merge, source))
    return found


def _growth(graph: ArchGraph, node: str) -> int:
    source = main_source(graph, node)
    return 0 if source is None or not is_map(graph, source) else size_of(graph, node) - size_of(graph, source)


def _closure(graph: ArchGraph, nodes: Iterable[str], reach: object) -> set[str]:
    assert callable(reach)
    found: set[str] = set()
    for node in nodes:
        found |= {node, *reach(graph, node)}
    return found


def _head(graph: ArchGraph) -> set[str]:
    """The last convolution and the norm and activation right before it, walking back from the output."""
    node = next((n for n in graph if isinstance(op_of(graph, n), Output)), None)
    found: set[str] = set()
    convolutions = 0
    while node is not None and isinstance(op_of(graph, node), (Output, Conv, Norm, Act)):
        convolutions += isinstance(op_of(graph, node), Conv)
        if convolutions > 1:
            break
        found.add(node)
        node = main_source(graph, node)
    return found


def _absorbing(graph: ArchGraph, merge: str, placed: dict[str, Side]) -> str | None:
    """The decoder block that follows a merge and is drawn in one row with it."""
    followers = list(graph.successors(merge))
    if len(followers) != 1 or placed.get(followers[0]) != placed[merge] or main_source(graph, followers[0]) != merge:
        return None
    op = op_of(graph, followers[0])
    return None if isinstance(op, (*ATTENTION, *MERGES)) else followers[0]


def _joins(graph: ArchGraph, node: str, last: Unit, placed: dict[str, Side]) -> bool:
    """Attention stands beside the block that it follows; in the middle everything is a box of its own."""
    return (
        isinstance(op_of(graph, node), ATTENTION)
        and last.attention is None
        and main_source(graph, node) == last.node
        and placed[node] == last.side
        and last.side in ("down", "up")
        and not isinstance(op_of(graph, last.node), ATTENTION)
    )
