"""The `graph:` section and edits as plain data, read piece by piece so that one fault does not hide another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from archspec.document import EdgeEntry, GraphSection
from archspec.graphs.graph import ArchGraph, Edge, add_edge, add_node, op_of
from archspec.ops import Unread
from archspec.ops.table import read_op
from archspec.text.errors import Problem
from archspec.text.names import id_fault, overlaps
from archspec.text.positions import Place
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate
from archspec.text.wording import a_or_an, shown

MAX_PROBLEMS = 200


@dataclass(frozen=True)
class Reading:
    """What became of a `graph:` section.

    Attributes:
        problems: what is wrong with it; after `MAX_PROBLEMS` with nodes or with edges no more of them are read.
        lost_edges: whether there are edges that are not in the graph.
        complete: whether the whole section was read.
    """

    problems: list[Problem]
    lost_edges: bool
    complete: bool


def read_graph(graph: ArchGraph, section: GraphSection, place: Place) -> Reading:
    """Put the section's nodes and edges into a graph; a node that cannot be read is there as `Unread`."""
    of_nodes = list(islice(_read_nodes(graph, section, place.at("nodes")), MAX_PROBLEMS + 1))
    of_edges = list(islice(_read_edges(graph, section, place.at("edges")), MAX_PROBLEMS + 1))
    complete = max(len(of_nodes), len(of_edges)) <= MAX_PROBLEMS
    return Reading([*of_nodes, *of_edges], bool(of_edges), complete)


def _read_nodes(graph: ArchGraph, section: GraphSection, place: Place) -> Iterator[Problem]:
    for key, data in section.nodes.items():
        yield from _read_node(graph, key, data, place.at(key))
    for outer, inner in overlaps(graph):
        message = f"its id lies inside the module path of the node `{outer}`."
        hint = f"Rename one of them, for instance `{outer}` to `{outer}.0`."
        yield place.at(inner).problem("U109", message, hint, node=inner)


def _read_edges(graph: ArchGraph, section: GraphSection, place: Place) -> Iterator[Problem]:
    for index, entry in enumerate(section.edges):
        yield from _read_edge(graph, entry, place.at(index))


def _read_node(graph: ArchGraph, key: Any, data: Any, place: Place) -> Iterator[Problem]:
    node = str(key)
    fault = id_fault(node)
    if fault is None and not isinstance(key, str):
        fault = (f"the node id {shown(key)} is not text.", f'Put it in quotes: "{node}".')
    if fault is not None:
        yield place.problem("U109", *fault)
    op, problems = read_op(data, place)
    yield from (replace(problem, node=node) for problem in problems)
    add_node(graph, node, op or Unread(), place)


def _read_edge(graph: ArchGraph, entry: Any, place: Place) -> Iterator[Problem]:
    edge, problems = _edge(entry, place)
    yield from problems
    if edge is None:
        return
    missing = [node for node in (edge.source, edge.target) if node not in graph]
    for node in missing:
        hint = did_you_mean(node, graph)
        yield place.problem("U101", f"there is no node `{node[:80]}`.", hint)
    if missing:
        return
    op = op_of(graph, edge.target)
    ports = [port.name for port in op.ports()]
    named = edge if edge.port else edge._replace(port=next(iter(ports), "x"))
    if isinstance(op, Unread) or named.port in ports:
        add_edge(graph, named)
        return
    message = f"{a_or_an(op.op)} has no port `{named.port[:80]}`."
    hint = did_you_mean(named.port, ports) or (f"Its ports: {', '.join(ports)}." if ports else "It takes nothing.")
    yield place.problem("U102", message, hint, node=edge.target)


def _edge(entry: Any, place: Place) -> tuple[Edge | None, list[Problem]]:
    """The edge that an entry describes, its port empty where none is given."""
    if isinstance(entry, dict):
        model, problems = validate(EdgeEntry, entry, place.positions, path=place.path)
        if model is None:
            return None, problems
        return Edge(model.source, model.target, model.port or "", place), problems
    if isinstance(entry, list | tuple) and 2 <= len(entry) <= 3 and all(isinstance(part, str) for part in entry):
        return Edge(entry[0], entry[1], entry[2] if len(entry) == 3 else "", place), []
    hint = "Write [from, to] or [from, to, port], with ids and port as text."
    return None, [place.problem("U012", f"an edge is a list of two or three ids, not {_given(entry)}.", hint)]


def _given(entry: Any) -> str:
    if isinstance(entry, list | tuple):
        return f"[{', '.join(shown(part) for part in entry[:4])}{', …' if len(entry) > 4 else ''}]"
    return shown(entry)
