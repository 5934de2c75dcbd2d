"""Edits that add nodes, put them elsewhere, or change widths. Each is refused if it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from archspec.edits.edit import InsertEdit, MoveEdit, RepeatEdit, ResizeEdit, RewireEdit
from archspec.edits.operate import (
    EditError,
    all_of,
    bypass,
    existing,
    main_input,
    obstacle,
    port_of,
    put,
    refill,
    refuse,
    selected,
)
from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    add_edge,
    add_node,
    edges_from,
    edges_into,
    edges_of,
    inputs_of,
    op_of,
)
from archspec.ops import Input, Op, Output
from archspec.ops.shapes import MAX_CHANNELS
from archspec.ops.table import read_op
from archspec.text.names import id_fault
from archspec.text.positions import Place
from archspec.text.wording import a_or_an


def insert(graph: ArchGraph, edit: InsertEdit, place: Place) -> None:
    """A new node on the way out of nodes, into nodes, or on one edge."""
    op, problems = read_op(edit.node, place.at("node"))
    if op is None or problems:
        raise EditError(*problems)
    if isinstance(op, Input | Output) or not op.ports():
        refuse(
            place.at("node"), "U303", f"{a_or_an(op.op)} cannot be inserted.", "Insert what takes and gives a value."
        )
    for port, source in edit.inputs.items():
        existing(graph, (source, place.at("inputs", port)))
        _own_port(op, port, place.at("inputs", port))
    for anchor, edges in _slots(graph, edit, place):
        node = _name(graph, edit.id, f"{anchor}_{op.op}", place)
        add_node(graph, node, op, place.at("node"))
        _put_on(graph, node, edges, place)
        for port, source in edit.inputs.items():
            add_edge(graph, Edge(source, node, port, place.at("inputs", port)))


def _own_port(op: Op, port: str, place: Place) -> None:
    others = [known.name for known in op.ports()[1:]]
    if port not in others:
        first = op.ports()[0].name
        hint = f"Its further ports: {', '.join(others)}." if others else f"It has `{first}` alone, which is filled."
        refuse(place, "U306", f"{a_or_an(op.op)} has no further port `{port}`.", hint)


def _slots(graph: ArchGraph, edit: InsertEdit, place: Place) -> list[tuple[str, list[Edge]]]:
    """Where new nodes come: the id that their own is made of, and the edges (of one source) that go through each."""
    if edit.after is not None:
        here = place.at("after")
        found = [(node, _edges_after(graph, node, here)) for node in selected(graph, edit.after, here)]
    elif edit.before is not None:
        here = place.at("before")
        nodes = selected(graph, edit.before, here)
        found = [(node, [_edge_into(graph, node, edit.port, place, here)]) for node in nodes]
    else:
        found = [(str(edit.target), [_the_edge(graph, edit, place)])]
    if edit.id is not None and len(found) > 1:
        message = f"`{edit.id}` cannot be the id of {len(found)} new nodes."
        refuse(place.at("id"), "U306", message, "Take `id` out, or select one node.")
    return found


def _edge_into(graph: ArchGraph, node: str, port: str | None, place: Place, here: Place) -> Edge:
    name = port_of(graph, node, port, place.at("port") if port is not None else here)
    source = inputs_of(graph, node).get(name)
    if source is None:
        refuse(here, "U306", f"its port `{name}` is given nothing.", node=node)
    return Edge(source, node, name, here)


def _the_edge(graph: ArchGraph, edit: InsertEdit, place: Place) -> Edge:
    source, target = str(edit.source), str(edit.target)
    existing(graph, (source, place.at("from")), (target, place.at("to")))
    between = [e for e in edges_into(graph, target) if e.source == source and edit.port in (None, e.port)]
    if not between:
        given = ", ".join(f"{port} = {name}" for port, name in inputs_of(graph, target).items())
        refuse(place, "U306", "there is no such edge.", f"`{target}` is given {given or 'nothing'}.")
    return between[0]


def _name(graph: ArchGraph, given: str | None, made: str, place: Place) -> str:
    """The id that was given, if it can be one and is free; else one that is made and free."""
    if given is None:
        return next(name for name in _numbered(made) if name not in graph)
    fault = id_fault(given)
    if fault is not None:
        refuse(place.at("id"), "U109", *fault)
    if given in graph:
        refuse(place.at("id"), "U306", f"there is a node `{given}` already.", "Choose another id.")
    return given


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def _put_on(graph: ArchGraph, node: str, edges: list[Edge], place: Place) -> None:
    """Let these edges, which have one source, go through a node's first port."""
    source = edges[0].source
    for edge in edges:
        refill(graph, edge.target, edge.port, node, place)
    add_edge(graph, Edge(source, node, op_of(graph, node).ports()[0].name, place))


def rewire(graph: ArchGraph, edit: RewireEdit, place: Place) -> None:
    """Another source for a port that is filled."""
    existing(graph, (edit.source, place.at("from")))
    nodes = selected(graph, edit.target, place.at("to"))
    ports = {
        node: port_of(graph, node, edit.port, place.at("port" if edit.port is not None else "to")) for node in nodes
    }
    for node, port in ports.items():
        if port not in inputs_of(graph, node):
            hint = "Use `connect` to fill it."
            refuse(place, "U306", f"its port `{port}` is given nothing.", hint, node=node)
    different = [node for node in nodes if inputs_of(graph, node)[ports[node]] != edit.source]
    if not different:
        message = f"this changes nothing: {all_of(nodes, 'takes', 'take')} `{edit.source}` already."
        refuse(place, "U302", message)
    for node in different:
        refill(graph, node, ports[node], edit.source, place)


def move(graph: ArchGraph, edit: MoveEdit, place: Place) -> None:
    """Nodes taken out of where they are and put in, in their order, elsewhere."""
    anchor, where = (edit.after, "after") if edit.after is not None else (str(edit.before), "before")
    existing(graph, (anchor, place.at(where)))
    nodes = selected(graph, edit.nodes, place.at("nodes"))
    if anchor in nodes:
        refuse(place.at(where), "U303", "it is one of the nodes that move.", "Name another place.", node=anchor)
    problems = [problem for node in nodes if (problem := obstacle(graph, node, nodes, place.at("nodes")))]
    if problems:
        raise EditError(*problems)
    _moved(graph.copy(), nodes, anchor, place, where)  # so that a refusal leaves the graph as it is
    _moved(graph, nodes, anchor, place, where)


def _moved(graph: ArchGraph, nodes: list[str], anchor: str, place: Place, where: str) -> None:
    before = {(edge.source, edge.target, edge.port) for edge in edges_of(graph)}
    kept = {node: (dict(graph.nodes[node]), list(edges_into(graph, node))) for node in nodes}
    for node in nodes:
        bypass(graph, node, place)
    if where == "before":
        edges = [_edge_into(graph, anchor, None, place, place.at(where))]
    else:
        edges = _edges_after(graph, anchor, place.at(where))
    for node in nodes:
        graph.add_node(node, **kept[node][0])
        _put_on(graph, node, edges, place)
        edges = list(edges_from(graph, node))
    for node in nodes:
        main = op_of(graph, node).ports()[0].name
        for edge in kept[node][1]:
            if edge.port != main:
                add_edge(graph, edge)
    if {(edge.source, edge.target, edge.port) for edge in edges_of(graph)} == before:
        refuse(place, "U302", f"this changes nothing: {all_of(nodes, 'stands', 'stand')} there already.")


def _edges_after(graph: ArchGraph, node: str, here: Place) -> list[Edge]:
    edges = list(edges_from(graph, node))
    if not edges:
        refuse(here, "U303", "nothing takes what it gives, so nothing can come after it.", node=node)
    return edges


def repeat(graph: ArchGraph, edit: RepeatEdit, place: Place) -> None:
    """Copies of each node after it, with the same other inputs."""
    nodes = selected(graph, edit.nodes, place.at("nodes"))
    for node in nodes:
        if isinstance(op_of(graph, node), Input | Output) or main_input(graph, node) is None:
            refuse(place.at("nodes"), "U303", f"{a_or_an(op_of(graph, node).op)} cannot be repeated.", node=node)
        _edges_after(graph, node, place.at("nodes"))
    for node in nodes:
        op, others = op_of(graph, node), list(edges_into(graph, node))
        last = node
        for _ in range(edit.times - 1):
            copy = next(name for name in islice(_numbered(node), 1, None) if name not in graph)
            edges = list(edges_from(graph, last))
            add_node(graph, copy, op, place)
            _put_on(graph, copy, edges, place)
            for edge in others:
                if edge.port != op.ports()[0].name:
                    add_edge(graph, Edge(edge.source, copy, edge.port, place))
            last = copy


def resize(graph: ArchGraph, edit: ResizeEdit, place: Place) -> None:
    """Another `out` for the selected nodes that have one."""
    nodes = selected(graph, edit.nodes, place.at("nodes"))
    wide = [node for node in nodes if "out" in type(op_of(graph, node)).model_fields]
    if not wide:
        hint = "Widths are set by operations with `out`, such as conv and resnet_block; select those."
        refuse(
            place.at("nodes"),
            "U305",
            f"{a_or_an(op_of(graph, nodes[0]).op)} has no width of its own.",
            hint,
            node=nodes[0],
        )
    widths = {node: _width(graph, node, edit, place) for node in wide}
    different = {node: width for node, width in widths.items() if width != _out(graph, node)}
    if not different:
        refuse(place, "U302", f"this changes nothing: {all_of(wide, 'has', 'have')} that width already.")
    for node, width in different.items():
        field = place.at("out" if edit.out is not None else "factor")
        graph.nodes[node]["places"] = {**graph.nodes[node]["places"], "out": field}
        put(graph, node, op_of(graph, node).model_copy(update={"out": width}))


def _out(graph: ArchGraph, node: str) -> int:
    return int(op_of(graph, node).model_dump(include={"out"})["out"])


def _width(graph: ArchGraph, node: str, edit: ResizeEdit, place: Place) -> int:
    if edit.factor is None:
        assert edit.out is not None
        return edit.out
    old: int = _out(graph, node)
    width = old * edit.factor
    if width != int(width) or not 1 <= width <= MAX_CHANNELS:
        message = f"{old} channels times {edit.factor:g} would be {width:g}."
        near = max(round(width), 1)
        refuse(
            place.at("factor"), "U207", message, f"It must be a whole number; {near / old:g} gives {near}.", node=node
        )
    return int(width)
