"""How edits are made on a graph. An edit that matches nothing or changes nothing is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

from archspec.edit import ConnectEdit, DisconnectEdit, Edit, ReplaceEdit, SetEdit, flat
from archspec.errors import Problem
from archspec.graph import (
    ArchGraph,
    Edge,
    add_edge,
    drop_port,
    edges_from,
    edges_into,
    edges_of,
    inputs_of,
    known_shape,
    live_nodes,
    op_of,
)
from archspec.infer import annotate, known_inputs
from archspec.ops import Input, Op, Output
from archspec.ops.table import read_op
from archspec.positions import Place
from archspec.select import SelectorParts, select, suggestion
from archspec.shapes import FeatureMap, Shape
from archspec.suggest import did_you_mean
from archspec.validate import validate
from archspec.wording import a_or_an


class EditError(Exception):
    """An edit that cannot be made, with every problem that was found about it."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def apply(graph: ArchGraph, edit: Edit, place: Place) -> None:
    """Make one edit, which stands at `place`, on the graph; raises `EditError` and then leaves the graph as it is.

    Nodes that are cut off stay until `prune`, so that a later edit can connect them again.
    """
    annotate(graph)
    _APPLY[edit.kind](graph, getattr(edit, edit.kind), place.at(edit.kind))


def prune(graph: ArchGraph, alive: set[str]) -> None:
    """Take out what was alive and is now cut off from the inputs or from the output."""
    graph.remove_nodes_from(alive - live_nodes(graph))


def _refuse(place: Place, code: str, message: str, hint: str | None = None, *, node: str | None = None) -> NoReturn:
    raise EditError(place.problem(code, message, hint, node=node))


def _selected(graph: ArchGraph, selector: str | SelectorParts, place: Place) -> list[str]:
    nodes = select(graph, selector)
    if not nodes:
        words = selector if isinstance(selector, str) else flat(selector)
        _refuse(place, "U301", f"`{words}` matches no node.", suggestion(graph, selector))
    return nodes


def _remove(graph: ArchGraph, selector: str | SelectorParts, place: Place) -> None:
    nodes = _selected(graph, selector, place)
    problems = [problem for node in nodes if (problem := _obstacle(graph, node, place))]
    if problems:
        raise EditError(*problems)
    for node in nodes:
        source = inputs_of(graph, node)[op_of(graph, node).ports()[0].name]
        for edge in list(edges_from(graph, node)):
            add_edge(graph, Edge(source, edge.target, edge.port, place))
        graph.remove_node(node)


def _obstacle(graph: ArchGraph, node: str, place: Place) -> Problem | None:
    """Why a node cannot be left out with its main input going on in its place; None if it can."""
    op = op_of(graph, node)
    if isinstance(op, Input | Output):
        hint = "Disconnect what it feeds, and it goes too." if isinstance(op, Input) else None
        return place.problem("U303", f"{a_or_an(op.op)} cannot be removed.", hint, node=node)
    main = next((port.name for port in op.ports()), None)
    source = inputs_of(graph, node).get(main) if main is not None else None
    if source is None:
        return place.problem("U303", "it has no input that could go on in its place.", node=node)
    before, after = known_shape(graph, source), known_shape(graph, node)
    merges = any(port.role == "skip" for port in op.ports())
    if before == after or merges or before is None or after is None:
        return None
    message = f"it turns {before} into {after}, so it cannot just be left out."
    return place.problem("U303", message, _instead(node, before, after), node=node)


def _instead(node: str, before: Shape, after: Shape) -> str:
    if isinstance(before, FeatureMap) and isinstance(after, FeatureMap) and before.size == after.size:
        kept = f"{{op: conv, out: {after.channels}, kernel: 1}}"
        return f"Keep a projection in its place: `replace: {{nodes: {node}, with: {kept}}}`."
    return "Replace it by another operation that gives the same, or disconnect what it feeds."


def _set(graph: ArchGraph, edit: SetEdit, place: Place) -> None:
    nodes = _selected(graph, edit.nodes, place.at("nodes"))
    problems = [problem for key in edit.to if (problem := _unknown(graph, nodes, key, place.at("to", key)))]
    if problems:
        raise EditError(*problems)
    changed: dict[str, Op] = {}
    for node in nodes:
        new, faults = _with_parameters(op_of(graph, node), edit.to, place.at("to"), node)
        problems += faults
        if new is not None and _differs(graph, node, new):
            changed[node] = new
    if problems:
        raise EditError(*problems)
    if not changed:
        what = ", ".join(f"{key}: {flat(value)}" for key, value in edit.to.items())
        _refuse(place, "U302", f"this changes nothing: {_all(nodes, 'has', 'have')} {what} already.")
    for node, new in changed.items():
        places = {key: place.at("to", key) for key in edit.to}
        graph.nodes[node]["places"] = {**graph.nodes[node]["places"], **places}
        _put(graph, node, new)


def _unknown(graph: ArchGraph, nodes: list[str], key: str, place: Place) -> Problem | None:
    """What is wrong with setting this parameter on these nodes; None if they all have it."""
    if key == "op":
        return place.problem("U305", "`set` cannot change the operation.", "Use `replace`.")
    lacking = [node for node in nodes if key not in type(op_of(graph, node)).model_fields]
    if not lacking:
        return None
    op = op_of(graph, lacking[0])
    having = list(dict.fromkeys(op_of(graph, node).op for node in nodes if node not in lacking))
    known = [name for name in type(op).model_fields if name != "op"]
    hint = did_you_mean(key, known) or f"It has: {', '.join(known) or 'none'}."
    if having:
        hint = f"Of the selected nodes {_listed(having)} {'have' if len(having) > 1 else 'has'} it; select those alone."
    message = f"{a_or_an(op.op)} has no parameter `{key}`."
    return replace(place.problem("U305", message, hint, node=lacking[0]), count=len(lacking))


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _with_parameters(op: Op, to: dict[str, Any], place: Place, node: str) -> tuple[Op | None, list[Problem]]:
    given = op.model_dump(exclude_unset=True)
    new, problems = validate(type(op), {**given, **to}, place.positions, path=place.path)
    return new, [replace(problem, node=node) for problem in problems]


def _differs(graph: ArchGraph, node: str, new: Op) -> bool:
    """Whether another operation at this node computes something else there (as far as it is known what arrives)."""
    op = op_of(graph, node)
    if known_shape(graph, node) is None or new.ports() != op.ports():
        return new != op
    inputs = known_inputs(graph, inputs_of(graph, node))
    return new.canonical(inputs) != op.canonical(inputs)


def _replace(graph: ArchGraph, edit: ReplaceEdit, place: Place) -> None:
    new, problems = read_op(edit.new, place.at("with"))
    if new is None or problems:
        raise EditError(*problems)
    nodes = _selected(graph, edit.nodes, place.at("nodes"))
    kept = [
        node for node in nodes if isinstance(op_of(graph, node), Input | Output) and new.op != op_of(graph, node).op
    ]
    if kept:
        what = op_of(graph, kept[0]).op
        message = f"{a_or_an(what)} cannot become {a_or_an(new.op)}."
        _refuse(place, "U303", message, f"A network keeps its {what}.", node=kept[0])
    different = [node for node in nodes if new.op != op_of(graph, node).op or _differs(graph, node, new)]
    if not different:
        _refuse(place, "U302", f"this changes nothing: {_all(nodes, 'is', 'are')} exactly this {new.op} already.")
    for node in different:
        graph.nodes[node].update(origin=place.at("with"), places={})
        _put(graph, node, new)


def _all(nodes: list[str], one: str, many: str) -> str:
    return f"`{nodes[0]}` {one}" if len(nodes) == 1 else f"`{nodes[0]}` and {len(nodes) - 1} more {many}"


def _put(graph: ArchGraph, node: str, op: Op) -> None:
    graph.nodes[node]["op"] = op
    names = {port.name for port in op.ports()}
    for edge in list(edges_into(graph, node)):
        if edge.port not in names:
            drop_port(graph, edge)


def _connect(graph: ArchGraph, edit: ConnectEdit, place: Place) -> None:
    problems = [
        place.at(key).problem("U301", f"there is no node `{node}`.", did_you_mean(node, graph))
        for key, node in (("from", edit.source), ("to", edit.target))
        if node not in graph
    ]
    if problems:
        raise EditError(*problems)
    names = [port.name for port in op_of(graph, edit.target).ports()]
    port = edit.port if edit.port is not None else next(iter(names), "x")
    if port not in names:
        hint = did_you_mean(port, names) or (f"It has {', '.join(names)}." if names else "It has none.")
        message = f"{a_or_an(op_of(graph, edit.target).op)} has no port `{port}`."
        _refuse(place.at("port"), "U306", message, hint, node=edit.target)
    filled = inputs_of(graph, edit.target).get(port)
    if filled is not None:
        hint = f"First `disconnect: {{from: {filled}, to: {edit.target}, port: {port}}}`."
        _refuse(place, "U306", f"its port `{port}` is filled by `{filled}` already.", hint, node=edit.target)
    add_edge(graph, Edge(edit.source, edit.target, port, place))
    graph.nodes[edit.target]["places"] = {**graph.nodes[edit.target]["places"], port: place}


def _disconnect(graph: ArchGraph, edit: DisconnectEdit, place: Place) -> None:
    sources = set(_selected(graph, edit.source, place.at("from")))
    targets = set(_selected(graph, edit.target, place.at("to")))
    between = [edge for edge in edges_of(graph) if edge.source in sources and edge.target in targets]
    found = [edge for edge in between if edit.port in (None, edge.port)]
    if not found:
        hint = _what_arrives(graph, between, targets)
        _refuse(place, "U306", "there is no such edge.", hint)
    for edge in found:
        drop_port(graph, edge)
        graph.nodes[edge.target]["places"] = {**graph.nodes[edge.target]["places"], edge.port: place}


def _what_arrives(graph: ArchGraph, between: list[Edge], targets: set[str]) -> str:
    if between:
        return f"`{between[0].source}` fills the port `{between[0].port}` of `{between[0].target}`."
    target = next(node for node in graph if node in targets)
    given = ", ".join(f"{port} = {source}" for port, source in inputs_of(graph, target).items())
    return f"`{target}` is given {given}." if given else f"`{target}` is given nothing."


_APPLY: dict[str, Callable[[ArchGraph, Any, Place], None]] = {
    "remove": _remove, "set": _set, "replace": _replace, "connect": _connect, "disconnect": _disconnect,
}  # fmt: skip
