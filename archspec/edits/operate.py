"""The handles of surgery: finding what an edit is about, leaving a node out, putting one in, refusing."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from archspec.edits.edit import flat
from archspec.edits.select import SelectorParts, idle_parts, in_words, select, suggestion
from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    add_edge,
    drop_port,
    edges_from,
    edges_into,
    inputs_of,
    known_shape,
    op_of,
)
from archspec.ops import Conv, Input, Op, Output
from archspec.ops.shapes import FeatureMap, Shape
from archspec.text.errors import Problem
from archspec.text.positions import Place
from archspec.text.suggest import did_you_mean
from archspec.text.wording import a_or_an


class EditError(Exception):
    """An edit that cannot be made, with every problem that was found about it."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def refuse(place: Place, code: str, message: str, hint: str | None = None, *, node: str | None = None) -> NoReturn:
    """Raise `EditError` with one problem."""
    raise EditError(place.problem(code, message, hint, node=node))


def selected(graph: ArchGraph, selector: str | SelectorParts, place: Place) -> list[str]:
    """The nodes that a selector matches; refuses one that matches nothing (U301).

    Parts of an `or` that match nothing are doubtful (U308), which `doubts_of` tells.
    """
    nodes = select(graph, selector)
    if not nodes:
        words = selector if isinstance(selector, str) else flat(selector)
        refuse(place, "U301", f"`{words}` matches no node.", suggestion(graph, selector))
    for part in idle_parts(graph, selector):
        message = f"`{in_words(part)}` matches no node, so this part of the `or` has no effect."
        doubt = place.problem("U308", message, suggestion(graph, part), severity="warning")
        graph.graph.setdefault(_DOUBTS, []).append(doubt)
    return nodes


#: Where the graph keeps doubts about the edit that is being made.
_DOUBTS = "doubts"


def doubts_of(graph: ArchGraph) -> list[Problem]:
    """The doubts that an edit gave rise to; they are told once."""
    doubts: list[Problem] = graph.graph.pop(_DOUBTS, [])
    return doubts


def all_of(nodes: list[str], one: str, many: str) -> str:
    """The nodes as the subject of a sentence, with its verb in both forms."""
    return f"`{nodes[0]}` {one}" if len(nodes) == 1 else f"`{nodes[0]}` and {len(nodes) - 1} more {many}"


def existing(graph: ArchGraph, *named: tuple[str, Place]) -> None:
    """Refuse every id of these, given with its place, that the graph does not have (U301)."""
    problems = [
        place.problem("U301", f"there is no node `{node}`.", did_you_mean(node, graph))
        for node, place in named
        if node not in graph
    ]
    if problems:
        raise EditError(*problems)


def port_of(graph: ArchGraph, node: str, port: str | None, place: Place) -> str:
    """The named port of a node, or its first; refuses one that it does not have (U306)."""
    names = [known.name for known in op_of(graph, node).ports()]
    if port is None and names:
        return names[0]
    if port is None or port not in names:
        hint = (did_you_mean(port, names) if port else None) or (
            f"It has {', '.join(names)}." if names else "It has none."
        )
        message = f"{a_or_an(op_of(graph, node).op)} has no port `{port or 'x'}`."
        refuse(place, "U306", message, hint, node=node)
    return port


def put(graph: ArchGraph, node: str, op: Op) -> None:
    """Another operation at a node; what filled ports that it does not have is cut."""
    graph.nodes[node]["op"] = op
    names = {port.name for port in op.ports()}
    for edge in list(edges_into(graph, node)):
        if edge.port not in names:
            drop_port(graph, edge)


def main_input(graph: ArchGraph, node: str) -> str | None:
    """The source at a node's first port."""
    main = next((port.name for port in op_of(graph, node).ports()), None)
    return inputs_of(graph, node).get(main) if main is not None else None


def bypass(graph: ArchGraph, node: str, place: Place) -> None:
    """Take a node out; what its first port is given goes on in its place."""
    source = main_input(graph, node)
    assert source is not None
    for edge in list(edges_from(graph, node)):
        add_edge(graph, Edge(source, edge.target, edge.port, place))
    graph.remove_node(node)


def refill(graph: ArchGraph, target: str, port: str, source: str, place: Place) -> None:
    """Let `source` fill a port of `target` in the place of what fills it now."""
    for edge in [edge for edge in edges_into(graph, target) if edge.port == port]:
        drop_port(graph, edge)
    add_edge(graph, Edge(source, target, port, place))
    graph.nodes[target]["places"] = {**graph.nodes[target]["places"], port: place}


def _before(graph: ArchGraph, node: str, gone: Collection[str]) -> str | None:
    """What goes on in the place of a node where all of `gone` are left out."""
    source, seen = main_input(graph, node), {node}
    while source is not None and source in gone and source not in seen:
        seen.add(source)
        source = main_input(graph, source)
    return source


def _change(graph: ArchGraph, node: str, gone: Collection[str]) -> tuple[Shape, Shape] | None:
    """What comes in the place of a node, and what left it, where those differ and something that stays is fed by it."""
    source = _before(graph, node, gone)
    merges = any(port.role == "skip" for port in op_of(graph, node).ports())
    if source is None or merges or all(target in gone for target in graph.succ[node]):
        return None
    before, after = known_shape(graph, source), known_shape(graph, node)
    return (before, after) if before is not None and after is not None and before != after else None


def obstacle(graph: ArchGraph, node: str, gone: Collection[str], place: Place) -> Problem | None:
    """Why a node cannot be left out, together with all of `gone`, its main input going on; None if it can."""
    op = op_of(graph, node)
    if isinstance(op, Input | Output):
        hint = "Disconnect what it feeds, and it goes too." if isinstance(op, Input) else None
        return place.problem("U303", f"{a_or_an(op.op)} cannot be removed.", hint, node=node)
    if _before(graph, node, gone) is None:
        return place.problem("U303", "it has no input that could go on in its place.", node=node)
    change = _change(graph, node, gone)
    if change is None:
        return None
    before, after = change
    message = f"it turns {before} into {after}, so it cannot just be left out."
    return place.problem("U303", message, _instead(node, before, after), node=node)


def _instead(node: str, before: Shape, after: Shape) -> str:
    if isinstance(before, FeatureMap) and isinstance(after, FeatureMap) and before.size == after.size:
        return f"Keep a projection in its place: `remove: {{nodes: {node}, project: true}}`."
    return "Replace it by another operation that gives the same, or disconnect what it feeds."


def projection(graph: ArchGraph, node: str, gone: Collection[str]) -> Conv | None:
    """The 1×1 convolution that keeps what leaves a node as wide as it is; None where there is nothing to project."""
    change = _change(graph, node, gone) if not isinstance(op_of(graph, node), Input | Output) else None
    if change is None:
        return None
    before, after = change
    same_size = isinstance(before, FeatureMap) and isinstance(after, FeatureMap) and before.size == after.size
    return Conv(out=after.channels, kernel=1) if same_size and isinstance(after, FeatureMap) else None
