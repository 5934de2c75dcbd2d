"""The rules of a graph that need no shapes: ends, ports, cycles, and what is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx

from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    closure,
    edges_into,
    inputs_and_output,
    op_of,
    ops_of,
    place_of,
)
from archspec.ops import Input, Op, Unread
from archspec.ops.shapes import NAMES
from archspec.text.errors import Problem
from archspec.text.positions import Place


def structure_problems(graph: ArchGraph, root: Place, *, cyclic: bool) -> Iterator[Problem]:
    """Every broken rule of structure; `root` is where the graph as a whole stands, `cyclic` whether it has a cycle."""
    yield from _ends(graph, root)
    yield from _ports(graph)
    yield from _cycles(graph) if cyclic else _reach(graph)


def _at(graph: ArchGraph, node: str, code: str, message: str, hint: str | None = None) -> Problem:
    return place_of(graph, node).problem(code, message, hint, node=node)


def _ends(graph: ArchGraph, root: Place) -> Iterator[Problem]:
    unsure = any(isinstance(op, Unread) for _, op in ops_of(graph))
    outputs = inputs_and_output(graph)[1]
    first: dict[str, str] = {}
    for node, op in ops_of(graph):
        if isinstance(op, Input) and first.setdefault(op.kind, node) != node:
            hint = f"Keep `{first[op.kind]}` alone."
            yield _at(graph, node, "U108", f"this is a second {op.kind} input.", hint)
    if "image" not in first and not unsure:
        hint = "Add a node {op: input, kind: image, channels: …, resolution: …}."
        yield root.at("graph").problem("U108", "there is no image input.", hint)
    if not outputs and not unsure:
        yield root.at("graph").problem("U108", "there is no output.", "Add a node {op: output}.")
    for node in outputs[1:]:
        yield _at(graph, node, "U108", "this is a second output.", f"Keep `{outputs[0]}` alone.")
    for node in outputs:
        for target in graph.succ[node]:
            hint = f"Let `{target}` take what `{node}` takes."
            yield _at(graph, target, "U110", f"it takes the output `{node}`, after which nothing comes.", hint)


def _ports(graph: ArchGraph) -> Iterator[Problem]:
    for node, op in ops_of(graph):
        if isinstance(op, Unread):
            continue
        filled: dict[str, str] = {}
        for edge in edges_into(graph, node):
            if edge.port in filled:
                yield _filled_twice(graph, edge, filled[edge.port])
            filled.setdefault(edge.port, edge.source)
        if len(filled) < len(op.ports()):
            yield from _empty_ports(graph, node, op, filled)


def _filled_twice(graph: ArchGraph, edge: Edge, first: str) -> Problem:
    by = "twice by" if first == edge.source else f"by `{first}` and by"
    message = f"its port `{edge.port}` is filled {by} `{edge.source}`."
    others = [p.name for p in op_of(graph, edge.target).ports() if p.name != edge.port]
    hint = f"Its other ports: {', '.join(others)}." if others else "Join them by concat or add first."
    return edge.origin.problem("U103", message, hint, node=edge.target)


def _empty_ports(graph: ArchGraph, node: str, op: Op, filled: dict[str, str]) -> Iterator[Problem]:
    for index, port in enumerate(op.ports()):
        if port.required and port.name not in filled:
            more = f", {port.name}" if index else ""
            hint = f"It takes {NAMES[port.takes]}: add an edge [source, {node}{more}]."
            message = f"its port `{port.name}` is empty."
            yield place_of(graph, node, port.name).problem("U104", message, hint, node=node)


def _cycles(graph: ArchGraph) -> Iterator[Problem]:
    index = {node: position for position, node in enumerate(graph)}
    for component in nx.strongly_connected_components(graph):
        first = min(component, key=index.__getitem__)
        if len(component) > 1 or graph.has_edge(first, first):
            loop = [source for source, *_ in nx.find_cycle(graph.subgraph(component), first)]
            shown = " -> ".join([*loop, loop[0]] if len(loop) <= 8 else [*loop[:7], "…", loop[0]])
            yield _at(graph, first, "U105", f"the graph has a cycle: {shown}.", "Take one of its edges out.")
            yield from _unfed(graph, first)


def _unfed(graph: ArchGraph, node: str) -> Iterator[Problem]:
    """A cycle that turns on itself alone: without the edge that closes it, it would still get nothing."""
    before = closure(graph.pred, [node])
    inputs = set(inputs_and_output(graph)[0])
    starved = any(op_of(graph, other).ports() and not graph.pred[other] for other in before)
    if inputs and not inputs & before and not starved and not any(_is_unread(graph, other) for other in before):
        yield _at(graph, node, "U106", "no input reaches this node.", "Connect it or take it out.")


def _is_unread(graph: ArchGraph, node: str) -> bool:
    return isinstance(op_of(graph, node), Unread)


def _reach(graph: ArchGraph) -> Iterator[Problem]:
    """What is cut off, said once: where a port is empty (U104) that is said already, and of a chain only the end."""
    inputs, outputs = inputs_and_output(graph)
    unread = [node for node, op in ops_of(graph) if isinstance(op, Unread)]
    starved = [node for node, op in ops_of(graph) if op.ports() and not graph.pred[node]]
    fed = closure(graph.succ, [*inputs, *unread, *starved])
    after = closure(graph.succ, outputs)
    for node in graph:
        if inputs and node not in fed:
            yield _at(graph, node, "U106", "no input reaches this node.", "Connect it or take it out.")
        if outputs and node not in after and not graph.succ[node] and node not in unread:
            message = "this node leads nowhere: nothing takes what it gives."
            yield _at(graph, node, "U107", message, "Connect it or take it out.")
