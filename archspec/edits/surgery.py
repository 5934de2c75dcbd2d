"""How edits are made on a graph. An edit that matches nothing or changes nothing is an error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from archspec.edits import reshape
from archspec.edits.control import control
from archspec.edits.edit import ConnectEdit, DisconnectEdit, Edit, RemoveEdit, ReplaceEdit, SetEdit, flat
from archspec.edits.operate import (
    EditError,
    all_of,
    bypass,
    existing,
    obstacle,
    port_of,
    projection,
    put,
    refuse,
    selected,
)
from archspec.edits.select import SelectorParts
from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    add_edge,
    drop_port,
    edges_of,
    inputs_of,
    known_shape,
    live_nodes,
    op_of,
)
from archspec.graphs.infer import annotate, known_inputs
from archspec.ops import Input, Op, Output
from archspec.ops.table import read_op
from archspec.text.errors import Problem
from archspec.text.positions import Place
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate
from archspec.text.wording import a_or_an

__all__ = ["EditError", "apply", "prune"]


def apply(graph: ArchGraph, edit: Edit, place: Place) -> None:
    """Make one edit, which stands at `place`, on the graph; raises `EditError` and then leaves the graph as it is.

    Nodes that are cut off stay until `prune`, so that a later edit can connect them again.
    """
    annotate(graph)
    _APPLY[edit.kind](graph, getattr(edit, edit.kind), place.at(edit.kind))


def prune(graph: ArchGraph, alive: set[str]) -> None:
    """Take out what was alive and is now cut off from the inputs or from the output."""
    graph.remove_nodes_from(alive - live_nodes(graph))


def _remove(graph: ArchGraph, edit: str | SelectorParts | RemoveEdit, place: Place) -> None:
    options = edit if isinstance(edit, RemoveEdit) else RemoveEdit(nodes=edit)
    nodes = selected(graph, options.nodes, place.at("nodes") if isinstance(edit, RemoveEdit) else place)
    projected = {node: op for node in nodes if options.project and (op := projection(graph, node, nodes)) is not None}
    problems = [problem for node in nodes if node not in projected and (problem := obstacle(graph, node, nodes, place))]
    if problems:
        raise EditError(*problems)
    if options.project and not projected:
        hint = "Take `project` out."
        message = f"there is nothing to project: {all_of(nodes, 'keeps', 'keep')} the channels or the running map."
        refuse(place.at("project"), "U302", message, hint)
    for node in nodes:
        if node in projected:
            graph.nodes[node].update(origin=place, places={})
            put(graph, node, projected[node])
        else:
            bypass(graph, node, place)


def _set(graph: ArchGraph, edit: SetEdit, place: Place) -> None:
    nodes = selected(graph, edit.nodes, place.at("nodes"))
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
        refuse(place, "U302", f"this changes nothing: {all_of(nodes, 'has', 'have')} {what} already.")
    for node, new in changed.items():
        places = {key: place.at("to", key) for key in edit.to}
        graph.nodes[node]["places"] = {**graph.nodes[node]["places"], **places}
        put(graph, node, new)


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
    nodes = selected(graph, edit.nodes, place.at("nodes"))
    kept = [
        node for node in nodes if isinstance(op_of(graph, node), Input | Output) and new.op != op_of(graph, node).op
    ]
    if kept:
        what = op_of(graph, kept[0]).op
        message = f"{a_or_an(what)} cannot become {a_or_an(new.op)}."
        refuse(place, "U303", message, f"A network keeps its {what}.", node=kept[0])
    different = [node for node in nodes if new.op != op_of(graph, node).op or _differs(graph, node, new)]
    if not different:
        refuse(place, "U302", f"this changes nothing: {all_of(nodes, 'is', 'are')} exactly this {new.op} already.")
    for node in different:
        graph.nodes[node].update(origin=place.at("with"), places={})
        put(graph, node, new)


def _connect(graph: ArchGraph, edit: ConnectEdit, place: Place) -> None:
    existing(graph, (edit.source, place.at("from")), (edit.target, place.at("to")))
    port = port_of(graph, edit.target, edit.port, place.at("port"))
    filled = inputs_of(graph, edit.target).get(port)
    if filled is not None:
        hint = f"First `disconnect: {{from: {filled}, to: {edit.target}, port: {port}}}`."
        refuse(place, "U306", f"its port `{port}` is filled by `{filled}` already.", hint, node=edit.target)
    add_edge(graph, Edge(edit.source, edit.target, port, place))
    graph.nodes[edit.target]["places"] = {**graph.nodes[edit.target]["places"], port: place}


def _disconnect(graph: ArchGraph, edit: DisconnectEdit, place: Place) -> None:
    sources = set(selected(graph, edit.source, place.at("from")))
    targets = set(selected(graph, edit.target, place.at("to")))
    between = [edge for edge in edges_of(graph) if edge.source in sources and edge.target in targets]
    found = [edge for edge in between if edit.port in (None, edge.port)]
    if not found:
        hint = _what_arrives(graph, between, targets)
        refuse(place, "U306", "there is no such edge.", hint)
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
    "insert": reshape.insert, "rewire": reshape.rewire, "move": reshape.move, "repeat": reshape.repeat,
    "resize": reshape.resize, "control": control,
}  # fmt: skip
