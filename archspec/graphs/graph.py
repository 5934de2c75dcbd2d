"""An architecture as one `networkx.DiGraph`: what nodes and edges carry, and how to read them.

Nodes carry ``op`` (an `Op`), ``origin`` (the `Place` in a document that they come from) and ``places`` (those of single
parameters or ports that come from elsewhere); after inference also ``shape`` and ``price``. Edges carry ``ports``, the
input ports of the target that the source fills (one, unless one source feeds two ports), ``roles``, the roles of
those ports, and ``origin``. The graph carries ``name`` and ``warnings``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import networkx as nx

from archspec.ops import Input, Op, Output, Port, Price
from archspec.ops.shapes import Shape
from archspec.text.positions import NOWHERE, Place

if TYPE_CHECKING:
    ArchGraph: TypeAlias = nx.DiGraph[str]
else:
    ArchGraph = nx.DiGraph


class Edge(NamedTuple):
    """`source` fills the port `port` of `target`; `origin` is its place in the document."""

    source: str
    target: str
    port: str
    origin: Place = NOWHERE


def empty(name: str) -> ArchGraph:
    """A graph without nodes."""
    return nx.DiGraph(name=name, warnings=())


def add_node(
    graph: ArchGraph, node: str, op: Op, origin: Place = NOWHERE, places: Mapping[str, Place] | None = None
) -> None:
    """Put a node into the graph."""
    graph.add_node(node, op=op, origin=origin, places=places or {})


def add_edge(graph: ArchGraph, edge: Edge) -> None:
    """Let `edge.source` fill a port of `edge.target`, beside the ports that it fills already."""
    source, target, port, origin = edge
    data = graph.get_edge_data(source, target) if graph.has_edge(source, target) else None
    if data is None:
        graph.add_edge(source, target, ports=(port,), roles=_roles(graph, source, target, (port,)), origin=origin)
    else:
        ports = (*data["ports"], port)
        data.update(ports=ports, roles=_roles(graph, source, target, ports))


def drop_port(graph: ArchGraph, edge: Edge) -> None:
    """Take one port from an edge; the edge goes with its last port."""
    ports = tuple(name for name in ports_of(graph, edge.source, edge.target) if name != edge.port)
    if ports:
        data = graph.get_edge_data(edge.source, edge.target)
        data.update(ports=ports, roles=_roles(graph, edge.source, edge.target, ports))
    else:
        graph.remove_edge(edge.source, edge.target)


def ports_of(graph: ArchGraph, source: str, target: str) -> tuple[str, ...]:
    """The ports of `target` that `source` fills."""
    ports: tuple[str, ...] = graph.get_edge_data(source, target, {}).get("ports", ())
    return ports


def _roles(graph: ArchGraph, source: str, target: str, ports: tuple[str, ...]) -> tuple[str, ...]:
    nodes = graph.nodes
    giver: Op = nodes[source]["op"]
    if isinstance(giver, Input) and giver.kind == "context":
        return ("context",) * len(ports)
    known: tuple[Port, ...] = nodes[target]["op"].ports()
    if known and ports == (known[0].name,):
        return (known[0].role,)
    roles = {port.name: port.role for port in known}
    return tuple(roles.get(port, "main") for port in ports)


def op_of(graph: ArchGraph, node: str) -> Op:
    """The operation of a node."""
    op: Op = graph.nodes[node]["op"]
    return op


def ops_of(graph: ArchGraph) -> Iterator[tuple[str, Op]]:
    """Every node with its operation, in the order of insertion."""
    found: Iterable[tuple[str, Any]] = graph.nodes.data("op")  # type: ignore[assignment]  # the stub forgets the value
    yield from found


def inputs_and_output(graph: ArchGraph) -> tuple[list[str], list[str]]:
    """The nodes where tensors enter, and the nodes where they leave (one, if the graph is sound)."""
    inputs: list[str] = []
    outputs: list[str] = []
    for node, op in ops_of(graph):
        if isinstance(op, Input):
            inputs.append(node)
        elif isinstance(op, Output):
            outputs.append(node)
    return inputs, outputs


def place_of(graph: ArchGraph, node: str, field: str | None = None) -> Place:
    """Where a node comes from, or one of its parameters or ports."""
    origin: Place = graph.nodes[node]["origin"]
    if field is None:
        return origin
    places: Mapping[str, Place] = graph.nodes[node]["places"]
    return places.get(field) or origin.at(field)


def known_shape(graph: ArchGraph, node: str) -> Shape | None:
    """The shape of a node's output, or None where it is not inferred."""
    shape: Shape | None = graph.nodes[node].get("shape")
    return shape


def shape_of(graph: ArchGraph, node: str) -> Shape:
    """The shape of a node's output; the graph must be built."""
    shape: Shape = graph.nodes[node]["shape"]
    return shape


def price_of(graph: ArchGraph, node: str) -> Price:
    """Parameters and MACs of a node; the graph must be built."""
    price: Price = graph.nodes[node]["price"]
    return price


def total_price(graph: ArchGraph) -> Price:
    """Parameters and MACs of the whole network, for one image."""
    return sum((price_of(graph, node) for node in graph), Price())


def edges_into(graph: ArchGraph, node: str) -> Iterator[Edge]:
    """Every filled port of a node as an `Edge`; a port can occur twice as long as the graph is not checked."""
    for source in graph.predecessors(node):
        data = graph.get_edge_data(source, node)
        for port in data["ports"]:
            yield Edge(source, node, port, data["origin"])


def edges_from(graph: ArchGraph, node: str) -> Iterator[Edge]:
    """Every port that a node fills, as an `Edge`."""
    for target in graph.successors(node):
        data = graph.get_edge_data(node, target)
        for port in data["ports"]:
            yield Edge(node, target, port, data["origin"])


def edges_of(graph: ArchGraph) -> Iterable[Edge]:
    """Every filled port as an `Edge`, sources in the order of insertion."""
    for node in graph:
        yield from edges_from(graph, node)


def inputs_of(graph: ArchGraph, node: str) -> dict[str, str]:
    """Port name -> source node, in the order of the operation's ports."""
    filled: dict[str, str] = {
        port: source for source in graph.predecessors(node) for port in graph.get_edge_data(source, node)["ports"]
    }
    if len(filled) < 2:
        return filled
    known = [port.name for port in op_of(graph, node).ports() if port.name in filled]
    return {port: filled[port] for port in [*known, *(port for port in filled if port not in known)]}


def input_shapes(graph: ArchGraph, node: str) -> dict[str, Shape]:
    """Port name -> shape that arrives there; the graph must be built."""
    return {port: shape_of(graph, source) for port, source in inputs_of(graph, node).items()}


def order(graph: ArchGraph) -> list[str]:
    """The nodes in topological order, ties broken by the order of insertion.

    Raises:
        networkx.NetworkXUnfeasible: there is a cycle.
    """
    nodes = list(graph)
    index = {node: position for position, node in enumerate(nodes)}
    waiting: dict[str, int] = dict(graph.in_degree())
    ready = [index[node] for node in nodes if not waiting[node]]  # ascending, so a heap
    found: list[str] = []
    while ready:
        node = nodes[heappop(ready)]
        found.append(node)
        for target in graph.successors(node):
            waiting[target] -= 1
            if not waiting[target]:
                heappush(ready, index[target])
    if len(found) < len(nodes):
        raise nx.NetworkXUnfeasible("the graph has a cycle")
    return found


def input_nodes(graph: ArchGraph) -> dict[str, str]:
    """Kind of input (image, timestep, context) -> node."""
    return {op.kind: node for node, op in ops_of(graph) if isinstance(op, Input)}


def output_node(graph: ArchGraph) -> str:
    """The node that is returned."""
    return next(node for node, op in ops_of(graph) if isinstance(op, Output))


def live_nodes(graph: ArchGraph) -> set[str]:
    """Nodes that an input reaches and that reach an output."""
    inputs, outputs = inputs_and_output(graph)
    return closure(graph.succ, inputs) & closure(graph.pred, outputs)


def closure(neighbours: Mapping[str, Mapping[str, object]], start: Iterable[str]) -> set[str]:
    """The nodes of `start` and all that can be reached from them (`graph.succ`) or reach them (`graph.pred`)."""
    todo = list(start)
    seen = set(todo)
    while todo:
        for node in neighbours[todo.pop()]:
            if node not in seen:
                seen.add(node)
                todo.append(node)
    return seen
