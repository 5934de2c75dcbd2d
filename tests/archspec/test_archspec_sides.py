"""Where a node stands in the U: by its id where that says so, else by the sizes of maps."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.graphs.graph import Edge as GraphEdge
from archspec.graphs.graph import add_edge, add_node, empty
from archspec.graphs.infer import annotate
from archspec.graphs.sides import Side, Standing, standings
from archspec.ops import Act, Downsample, Input, Op, Upsample

Data = dict[str, Any]


def stands(nodes: dict[str, Data], *edges: str) -> dict[str, tuple[str | None, int | None]]:
    ends = {"x": {"op": "input", "channels": 4, "resolution": 16}, "out": {"op": "output"}}
    graph = {"nodes": {**ends, **nodes}, "edges": [edge.split() for edge in edges]}
    built = archspec.from_document({"version": 1, "name": "n", "graph": graph})
    return {node: (standing.side, standing.level) for node, standing in standings(built).items()}


CONV: Data = {"op": "conv", "out": 4}
DOWN: Data = {"op": "downsample"}
UP: Data = {"op": "upsample"}
U: dict[str, Data] = {"a": CONV, "d": DOWN, "b": CONV, "e": DOWN, "m": CONV, "u": UP, "c": CONV, "v": UP, "z": CONV}
WAY = ["x a", "a d", "d b", "b e", "e m", "m u", "u c", "c v", "v z", "z out"]


def test_by_the_sizes_where_ids_say_nothing() -> None:
    assert stands(U, *WAY) == {
        "x": ("down", 0),
        "a": ("down", 0),
        "d": ("down", 1),
        "b": ("down", 1),
        "e": ("down", 2),
        "m": ("mid", 2),
        "u": ("up", 1),
        "c": ("up", 1),
        "v": ("up", 0),
        "z": ("up", 0),
        "out": ("up", 0),
    }


def test_a_graph_of_one_size_has_levels_but_no_sides() -> None:
    assert stands({"a": CONV}, "x a", "a out") == {"x": (None, 0), "a": (None, 0), "out": (None, 0)}


def test_a_node_between_two_us_has_no_side() -> None:
    twice: dict[str, Data] = {**U, "d2": DOWN, "u2": UP, "end": CONV}
    found = stands(twice, *WAY[:-1], "z d2", "d2 u2", "u2 end", "end out")
    assert found["z"] == (None, 0)
    assert (found["a"], found["end"]) == (("down", 0), ("up", 0))


def test_what_bears_no_map_has_neither_side_nor_level() -> None:
    nodes: dict[str, Data] = {"t": {"op": "input", "kind": "timestep"}, "time": {"op": "time_embedding", "dim": 8}}
    nodes["a"] = {"op": "resnet_block", "out": 4, "groups": 2}
    found = stands({**nodes, "d": DOWN, "u": UP}, "t time", "x d", "d a", "time a emb", "a u", "u out")
    assert found["t"] == found["time"] == (None, None)
    assert found["a"] == ("mid", 1)


def test_a_skip_makes_a_join_no_way_down() -> None:
    nodes: dict[str, Data] = {"a": CONV, "d": DOWN, "u": UP, "join": {"op": "concat"}}
    found = stands(nodes, "x a", "a d", "d u", "u join", "a join skip", "join out")
    assert found == {
        "x": ("down", 0), "a": ("down", 0), "d": ("down", 1), "u": ("up", 0), "join": ("up", 0), "out": ("up", 0),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("node", "side", "level"),
    [
        ("down.0.block.0", "down", 0),
        ("up.3.attn.1", "up", 3),
        ("down.12.x", "down", 12),
        ("mid.block_1", "mid", None),
        ("mid.1.block", "mid", None),
        ("down.first.block", "down", None),
        ("up.12345.x", "up", None),
        ("down", None, None),
        ("downs.0.block", None, None),
        ("x.down.0", None, None),
    ],
)
def test_what_an_id_says(node: str, side: Side | None, level: int | None) -> None:
    graph = empty("g")
    add_node(graph, node, Act())
    assert standings(graph) == {node: Standing(side, level)}


def test_an_id_that_says_so_comes_before_the_sizes() -> None:
    renamed = {"a": "up.7.first", "m": "mid.only", "z": "down.last"}
    nodes = {renamed.get(node, node): op for node, op in U.items()}
    edges = [" ".join(renamed.get(node, node) for node in edge.split()) for edge in WAY]
    found = stands(nodes, *edges)
    assert found["up.7.first"] == ("up", 7)
    assert found["mid.only"] == ("mid", 2)  # the middle's level is that of its size
    assert found["down.last"] == ("down", 0)  # no level in its id
    assert found["x"] == ("down", 0)


@pytest.mark.parametrize(
    ("step", "sides"), [(Downsample(), ["down", "down", "mid"]), (Upsample(), ["mid", "up", "up"])]
)
def test_a_graph_that_goes_one_way_alone(step: Op, sides: list[Side]) -> None:
    graph = empty("g")
    for node, op in (("x", Input(channels=4, resolution=8)), ("s", step), ("a", Act())):
        add_node(graph, node, op)
    for source, target in (("x", "s"), ("s", "a")):
        add_edge(graph, GraphEdge(source, target, "x"))
    annotate(graph)
    assert [standing.side for standing in standings(graph).values()] == sides


def test_nodes_without_shapes_stand_where_their_ids_say() -> None:
    graph = empty("g")
    for node in ("up.1.a", "b"):
        add_node(graph, node, Act())
    add_edge(graph, GraphEdge("up.1.a", "b", "x"))
    assert standings(graph) == {"up.1.a": Standing("up", 1), "b": Standing()}
