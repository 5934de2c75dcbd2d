"""What nodes and edges of a graph carry, and how they are read: ports, roles, orders, places."""

from __future__ import annotations

import networkx as nx
import pytest

from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    add_edge,
    add_node,
    closure,
    drop_port,
    edges_from,
    edges_into,
    edges_of,
    empty,
    input_nodes,
    inputs_and_output,
    inputs_of,
    known_shape,
    live_nodes,
    ops_of,
    order,
    output_node,
    place_of,
    ports_of,
    total_price,
)
from archspec.graphs.infer import annotate, known_inputs
from archspec.ops import Act, Add, Concat, Conv, Input, Mlp, Op, Output, Price, ResnetBlock, Transformer
from archspec.ops.shapes import Embedding, FeatureMap, Timestep, Tokens
from archspec.text.positions import NOWHERE, Place, Positions

TEXT = Positions("f", {(): (1, 1), ("a",): (2, 1), ("a", "out"): (2, 9), ("b",): (3, 1)})


def edge(source: str, target: str, port: str = "x") -> Edge:
    return Edge(source, target, port)


@pytest.fixture
def graph() -> ArchGraph:
    """An image through two convolutions, both joined by a sum; beside it a node that leads nowhere."""
    made = empty("g")
    nodes = {"x": Input(channels=3, resolution=8), "b": Conv(out=4), "a": Conv(out=4, kernel=1), "sum": Add()}
    for node, op in (*nodes.items(), ("out", Output()), ("idle", Act())):
        add_node(made, node, op)
    for one in (edge("x", "a"), edge("x", "b"), edge("a", "sum"), edge("b", "sum", "skip"), edge("sum", "out")):
        add_edge(made, one)
    return made


def test_a_source_may_fill_two_ports_of_a_node(graph: ArchGraph) -> None:
    drop_port(graph, edge("b", "sum", "skip"))
    add_edge(graph, edge("a", "sum", "skip"))
    assert ports_of(graph, "a", "sum") == ("x", "skip")
    assert graph.edges["a", "sum"]["roles"] == ("main", "skip")
    assert inputs_of(graph, "sum") == {"x": "a", "skip": "a"}
    drop_port(graph, edge("a", "sum", "x"))
    assert graph.edges["a", "sum"]["ports"] == ("skip",)
    assert graph.edges["a", "sum"]["roles"] == ("skip",)
    drop_port(graph, edge("a", "sum", "skip"))
    assert not graph.has_edge("a", "sum")
    assert ports_of(graph, "a", "sum") == ()


def test_inputs_come_in_the_order_of_the_ports_not_of_the_edges() -> None:
    made = empty("g")
    for node, op in (("x", Input(channels=3, resolution=8)), ("y", Act()), ("join", Concat())):
        add_node(made, node, op)
    for one in (edge("y", "join", "skip"), edge("x", "y"), edge("x", "join")):
        add_edge(made, one)
    assert list(inputs_of(made, "join").items()) == [("x", "x"), ("skip", "y")]
    assert inputs_of(made, "x") == {}


def test_what_a_port_is_called_that_there_is_not_comes_last() -> None:
    made = empty("g")
    for node, op in (("x", Input(channels=3, resolution=8)), ("block", ResnetBlock(out=3, conditioning="none"))):
        add_node(made, node, op)
    for port in ("emb", "x"):
        add_edge(made, edge("x", "block", port))
    assert list(inputs_of(made, "block")) == ["x", "emb"]
    assert made.edges["x", "block"]["roles"] == ("main", "main")


@pytest.mark.parametrize(
    ("kind", "target", "port", "role"),
    [
        ("image", Concat(), "x", "main"),
        ("image", Concat(), "skip", "skip"),
        ("context", Concat(), "skip", "context"),
        ("context", Concat(), "x", "context"),
        ("control", Concat(), "skip", "skip"),
        ("vector", ResnetBlock(out=3), "emb", "emb"),
        ("vector", Mlp(hidden=2, out=2), "x", "emb"),
        ("tokens", Transformer(), "tokens", "context"),
    ],
)
def test_the_role_of_an_edge(kind: str, target: Op, port: str, role: str) -> None:
    made = empty("g")
    sizes = {"vector": {"dim": 4}, "tokens": {"dim": 4, "length": 2}}.get(kind, {"channels": 3, "resolution": 8})
    add_node(made, "from", Input.model_validate({"kind": kind, **sizes}))
    add_node(made, "to", target)
    add_edge(made, edge("from", "to", port))
    assert made.edges["from", "to"]["roles"] == (role,)


def test_the_order_is_topological_and_else_that_of_insertion(graph: ArchGraph) -> None:
    assert order(graph) == ["x", "b", "a", "sum", "out", "idle"]
    later = empty("g")
    for node in ("out", "sum", "c", "x"):
        add_node(later, node, Act())
    for one in (edge("x", "sum"), edge("sum", "out")):
        add_edge(later, one)
    assert order(later) == ["c", "x", "sum", "out"]


def test_an_order_of_a_cycle_there_is_not(graph: ArchGraph) -> None:
    add_edge(graph, edge("sum", "b"))
    with pytest.raises(nx.NetworkXUnfeasible, match=r"^the graph has a cycle$"):
        order(graph)


def test_edges_one_for_each_port_that_is_filled(graph: ArchGraph) -> None:
    assert [(one.source, one.target, one.port) for one in edges_of(graph)] == [
        ("x", "a", "x"),
        ("x", "b", "x"),
        ("b", "sum", "skip"),
        ("a", "sum", "x"),
        ("sum", "out", "x"),
    ]
    add_edge(graph, edge("a", "sum", "skip"))
    assert list(edges_into(graph, "sum")) == [edge("a", "sum"), edge("a", "sum", "skip"), edge("b", "sum", "skip")]
    assert list(edges_from(graph, "a")) == [edge("a", "sum"), edge("a", "sum", "skip")]
    assert list(edges_into(graph, "x")) == list(edges_from(graph, "out")) == []


def test_ends_and_what_lies_between_them(graph: ArchGraph) -> None:
    assert inputs_and_output(graph) == (["x"], ["out"])
    assert input_nodes(graph) == {"image": "x"}
    assert output_node(graph) == "out"
    assert live_nodes(graph) == {"x", "a", "b", "sum", "out"}
    drop_port(graph, edge("sum", "out"))
    assert live_nodes(graph) == set()


def test_what_can_be_reached(graph: ArchGraph) -> None:
    assert closure(graph.succ, ["b"]) == {"b", "sum", "out"}
    assert closure(graph.pred, ["sum", "idle"]) == {"sum", "a", "b", "x", "idle"}
    assert closure(graph.succ, []) == set()
    add_edge(graph, edge("sum", "b"))
    assert closure(graph.succ, ["b"]) == {"b", "sum", "out"}  # a cycle ends too


def test_a_parameter_stands_in_its_place_in_that_of_its_node_or_where_it_was_said() -> None:
    made, elsewhere = empty("g"), Place(TEXT, ("b",))
    add_node(made, "a", Conv(out=4), Place(TEXT, ("a",)), {"groups": elsewhere})
    add_node(made, "free", Act())
    assert place_of(made, "a") == Place(TEXT, ("a",))
    assert place_of(made, "a", "out").problem("U090", "no.").where == "f:2:9"
    assert place_of(made, "a", "kernel").problem("U090", "no.").where == "f:2:1"
    assert place_of(made, "a", "groups") == elsewhere
    assert place_of(made, "free") == NOWHERE


def test_shapes_and_prices_are_there_once_they_are_inferred(graph: ArchGraph) -> None:
    assert [known_shape(graph, node) for node in graph] == [None] * 6
    annotate(graph)
    shapes = {node: known_shape(graph, node) for node in graph}
    wide = FeatureMap(4, 8)
    assert shapes == {"x": FeatureMap(3, 8), "a": wide, "b": wide, "sum": wide, "out": wide, "idle": None}
    graph.remove_node("idle")
    assert total_price(graph) == Price(3 * 4 + 4 + 9 * 3 * 4 + 4, 64 * (3 * 4 + 9 * 3 * 4))


def test_nodes_that_share_their_operation_have_a_shape_and_a_price_each() -> None:
    made, shared = empty("g"), Conv(out=3)
    for node, op in (("x", Input(channels=3, resolution=8)), ("a", shared), ("b", shared), ("out", Output())):
        add_node(made, node, op)
    for one in (edge("x", "a"), edge("a", "b"), edge("b", "out")):
        add_edge(made, one)
    annotate(made)
    assert total_price(made) == Price(2 * (81 + 3), 2 * 64 * 81)
    assert known_shape(made, "b") == FeatureMap(3, 8)


def test_inferring_again_forgets_what_no_longer_holds(graph: ArchGraph) -> None:
    annotate(graph)
    drop_port(graph, edge("x", "b"))
    annotate(graph)
    assert [node for node in graph if known_shape(graph, node) is not None] == ["x", "a"]
    assert "price" not in graph.nodes["sum"]
    assert known_inputs(graph, {"x": "a", "skip": "b"}) == {"x": FeatureMap(4, 8)}


def test_nodes_come_with_their_operations_in_the_order_of_insertion(graph: ArchGraph) -> None:
    assert [(node, op.op) for node, op in ops_of(graph)] == [
        ("x", "input"), ("b", "conv"), ("a", "conv"), ("sum", "add"), ("out", "output"), ("idle", "act"),
    ]  # fmt: skip


def test_a_graph_has_a_name_and_no_doubts_yet() -> None:
    assert empty("n").graph == {"name": "n", "warnings": ()}


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (FeatureMap(3, 8), "3x8x8"),
        (Embedding(5), "embedding of 5"),
        (Timestep(), "timesteps"),
        (Tokens(4, 3), "3 tokens of 4"),
    ],
)
def test_shapes_in_words(shape: object, words: str) -> None:
    assert str(shape) == words
