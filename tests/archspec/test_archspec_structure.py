"""The rules of a graph: what is said of ends, ports, cycles, of what is cut off, and of shapes that do not meet."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.text.positions import Positions

Data = dict[str, Any]

X: Data = {"op": "input", "channels": 4, "resolution": 8}
T: Data = {"op": "input", "kind": "timestep"}
ENDS: dict[str, Data] = {"x": X, "out": {"op": "output"}}
ACT: Data = {"op": "act"}
CONV: Data = {"op": "conv", "out": 4}
UNCONNECTED = "Connect it or take it out."


def told(nodes: dict[str, Data], *edges: str) -> list[str]:
    """What is said of a graph whose edges are written as ``source target`` or ``source target port``."""
    graph = {"nodes": nodes, "edges": [edge.split() for edge in edges]}
    checked = archspec.check_data({"version": 1, "name": "n", "graph": graph}, Positions("f"))
    return [str(problem).removeprefix("f: error ") for problem in checked.problems]


def test_a_sound_graph_is_sound() -> None:
    assert told({**ENDS, "a": CONV}, "x a", "a out") == []


@pytest.mark.parametrize(
    ("nodes", "edges", "said"),
    [
        ({"x": X, "a": CONV}, ["x a"], ["U108 there is no output. Add a node {op: output}."]),
        (
            {"t": T, "time": {"op": "time_embedding", "dim": 8}, "out": {"op": "output"}},
            ["t time", "time out"],
            [
                "U108 there is no image input. Add a node {op: input, kind: image, channels: …, resolution: …}.",
                "U201 out: its port `x` takes a feature map, but `time` gives an embedding.",
            ],
        ),
        (
            {**ENDS, "y": X, "sum": {"op": "add"}},
            ["x sum", "y sum skip", "sum out"],
            ["U108 y: this is a second image input. Keep `x` alone."],
        ),
        (
            {**ENDS, "last": {"op": "output"}},
            ["x out", "x last"],
            ["U108 last: this is a second output. Keep `out` alone."],
        ),
        (
            {**ENDS, "a": ACT, "last": {"op": "output"}},
            ["x out", "out a", "a last"],
            [
                "U108 last: this is a second output. Keep `out` alone.",
                "U110 a: it takes the output `out`, after which nothing comes. Let `a` take what `out` takes.",
            ],
        ),
    ],
)
def test_what_is_said_of_the_ends(nodes: dict[str, Data], edges: list[str], said: list[str]) -> None:
    assert told(nodes, *edges) == said


@pytest.mark.parametrize(
    ("op", "said"),
    [
        (ACT, ["U104 a: its port `x` is empty. It takes a feature map: add an edge [source, a]."]),
        (
            {"op": "concat"},
            [
                "U104 a: its port `x` is empty. It takes a feature map: add an edge [source, a].",
                "U104 a: its port `skip` is empty. It takes a feature map: add an edge [source, a, skip].",
            ],
        ),
        (
            {"op": "mp_silu"},
            ["U104 a: its port `x` is empty. It takes a feature map or an embedding: add an edge [source, a]."],
        ),
        (
            {"op": "mlp", "hidden": 4, "out": 4},
            ["U104 a: its port `x` is empty. It takes an embedding: add an edge [source, a]."],
        ),
        (
            {"op": "mp_fourier", "dim": 4},
            ["U104 a: its port `t` is empty. It takes timesteps: add an edge [source, a]."],
        ),
        (
            {"op": "one_hot", "classes": 4},
            ["U104 a: its port `label` is empty. It takes labels: add an edge [source, a]."],
        ),
        (
            {"op": "transformer", "groups": 2},
            [
                "U104 a: its port `x` is empty. It takes a feature map: add an edge [source, a].",
                "U104 a: its port `tokens` is empty. It takes tokens: add an edge [source, a, tokens].",
            ],
        ),
        (
            {"op": "resnet_block", "out": 4, "groups": 2, "emb_dim": 5},
            ["U104 a: its port `x` is empty. It takes a feature map: add an edge [source, a]."],
        ),
    ],
)
def test_a_port_that_must_be_filled_says_what_it_takes(op: Data, said: list[str]) -> None:
    nowhere = f"U107 a: this node leads nowhere: nothing takes what it gives. {UNCONNECTED}"
    assert told({**ENDS, "a": op}, "x out") == [*said, nowhere]


def test_a_port_is_filled_once() -> None:
    nodes = {**ENDS, "a": CONV, "b": CONV, "join": {"op": "concat"}}
    twice = told(nodes, "x a", "x b", "a join", "b join", "x join skip", "join out")
    assert twice == ["U103 join: its port `x` is filled by `a` and by `b`. Its other ports: skip."]
    same = told({**ENDS, "a": CONV}, "x a", "x a", "a out")
    assert same == ["U103 a: its port `x` is filled twice by `x`. Join them by concat or add first."]


@pytest.mark.parametrize(
    ("op", "edge", "said"),
    [
        (CONV, "x a skip", "U102 a: a conv has no port `skip`. Its ports: x."),
        ({"op": "concat"}, "x a skp", "U102 a: a concat has no port `skp`. Did you mean `skip`?"),
        ({"op": "input", "kind": "label"}, "x a", "U102 a: an input has no port `x`. It takes nothing."),
        (
            {"op": "resnet_block", "out": 4, "conditioning": "none"},
            "x a emb",
            "U102 a: a resnet_block has no port `emb`. Its ports: x.",
        ),
    ],
)
def test_a_port_that_there_is_not(op: Data, edge: str, said: str) -> None:
    assert said in told({**ENDS, "a": op}, "x out", edge)


def test_a_cycle_is_shown_from_the_first_of_its_nodes() -> None:
    join = {"op": "concat"}
    nodes = {**ENDS, "join": join, "a": CONV, "b": CONV}
    assert told(nodes, "x join", "b join skip", "join a", "a b", "b out") == [
        "U105 join: the graph has a cycle: join -> a -> b -> join. Take one of its edges out."
    ]
    itself = told({**ENDS, "join": join, "a": CONV}, "x join", "join join skip", "join a", "a out")
    assert itself == ["U105 join: the graph has a cycle: join -> join. Take one of its edges out."]


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (8, "join -> a0 -> a1 -> a2 -> a3 -> a4 -> a5 -> a6 -> join"),
        (9, "join -> a0 -> a1 -> a2 -> a3 -> a4 -> a5 -> … -> join"),
    ],
)
def test_a_long_cycle_is_shortened(length: int, shown: str) -> None:
    names = [f"a{number}" for number in range(length - 1)]
    nodes = {**ENDS, "join": {"op": "concat"}, **dict.fromkeys(names, CONV)}
    chain = [f"{one} {other}" for one, other in zip(["join", *names], names, strict=False)]
    [said] = told(nodes, "x join", *chain, f"{names[-1]} join skip", f"{names[-1]} out")
    assert said == f"U105 join: the graph has a cycle: {shown}. Take one of its edges out."


def test_a_cycle_that_no_input_reaches_says_so() -> None:
    nodes = {**ENDS, "a": CONV, "b": CONV}
    assert told(nodes, "a b", "b a", "x out") == [
        "U105 a: the graph has a cycle: a -> b -> a. Take one of its edges out.",
        f"U106 a: no input reaches this node. {UNCONNECTED}",
    ]


def test_two_cycles_are_two_problems() -> None:
    nodes = {**ENDS, **{name: {"op": "concat"} for name in ("p", "q")}}
    assert told(nodes, "x p", "p p skip", "p q", "q q skip", "q out") == [
        "U105 q: the graph has a cycle: q -> q. Take one of its edges out.",
        "U105 p: the graph has a cycle: p -> p. Take one of its edges out.",
    ]


def test_of_a_chain_that_leads_nowhere_the_end_is_named() -> None:
    nodes = {**ENDS, "a": CONV, "b": CONV, "c": CONV}
    assert told(nodes, "x out", "x a", "a b", "b c") == [
        f"U107 c: this node leads nowhere: nothing takes what it gives. {UNCONNECTED}"
    ]


def test_an_input_that_nothing_takes_leads_nowhere() -> None:
    assert told({**ENDS, "t": T}, "x out") == [
        f"U107 t: this node leads nowhere: nothing takes what it gives. {UNCONNECTED}"
    ]


def test_a_node_id_is_text() -> None:
    nodes: Any = {**ENDS, float("inf"): CONV}
    assert told(nodes, "x inf", "inf out") == ['U109 the node id inf is not text. Put it in quotes: "inf".']


# shapes: each problem once, where it begins


@pytest.mark.parametrize(
    ("source", "gives"),
    [
        ({"op": "input", "kind": "timestep"}, "timesteps"),
        ({"op": "input", "kind": "label"}, "labels"),
        ({"op": "input", "kind": "vector", "dim": 4}, "an embedding"),
        ({"op": "input", "kind": "tokens", "dim": 4, "length": 2}, "tokens"),
    ],
)
def test_a_port_takes_what_it_takes(source: Data, gives: str) -> None:
    nodes = {**ENDS, "s": source, "join": {"op": "concat"}}
    said = told(nodes, "x join", "s join skip", "join out")
    assert said == [f"U201 join: its port `skip` takes a feature map, but `s` gives {gives}."]


def test_what_follows_from_a_width_that_does_not_fit_is_not_said() -> None:
    block = {"op": "resnet_block", "out": 6, "groups": 4, "conditioning": "none"}
    nodes = {**ENDS, "a": block, "n": {"op": "norm", "groups": 4}, "b": {"op": "attention", "groups": 4}, "c": CONV}
    found = told(nodes, "x a", "a n", "n b", "b c", "c out")
    assert [line.split(": ")[0] for line in found] == ["U204 a"]


def test_what_says_its_own_width_ends_the_doubt() -> None:
    block = {"op": "resnet_block", "out": 6, "groups": 4, "conditioning": "none"}
    nodes = {**ENDS, "a": block, "c": {"op": "conv", "out": 10}, "n": {"op": "norm", "groups": 4}, "d": CONV}
    found = told(nodes, "x a", "a c", "c n", "n d", "d out")
    assert [line.split(": ")[0] for line in found] == ["U204 a", "U204 n"]


def test_a_width_that_is_to_blame_is_said_once_for_all_that_take_it() -> None:
    block = {"op": "resnet_block", "out": 10, "groups": 5, "conditioning": "none"}
    nodes = {**ENDS, "w": {"op": "conv", "out": 12}, "a": block, "n": {"op": "norm", "groups": 5}, "c": CONV}
    nodes["join"] = {"op": "concat"}
    found = told(nodes, "x w", "w a", "w n", "a join", "n join skip", "join c", "c out")
    assert found == [
        "U204 a: 12 channels do not split into 5 groups. Use a width divisible by 5, such as 10 or 15; "
        "or groups out of 1, 2, 3, 4, 6, 12. Inputs: w = 12x8x8."
    ]


def test_a_size_that_cannot_be_halved_is_said_once() -> None:
    nodes = {"x": {**X, "resolution": 9}, "out": {"op": "output"}, "join": {"op": "concat"}}
    nodes |= {"down": {"op": "downsample"}, "more": {"op": "downsample"}, "up": {"op": "upsample"}}
    found = told(nodes, "x down", "down more", "more up", "up join", "x join skip", "join out")
    assert found == [
        "U206 down: a map of 9x9 pixels cannot be halved. Use a resolution that can be halved as often as this "
        "network does, or halve less often. Inputs: x = 4x9x9."
    ]


def test_an_output_of_another_size() -> None:
    nodes = {**ENDS, "down": {"op": "downsample"}}
    assert told(nodes, "x down", "down out") == [
        "U208 out: the output has 4x4 pixels, the image 8x8. Go up as often as down."
    ]


LIMITS = "At most 1,048,576 channels and 65,536 pixels a side are possible."


def test_a_map_of_too_many_pixels() -> None:
    nodes: dict[str, Data] = {"x": {**X, "resolution": 65_536}, "out": {"op": "output"}}
    nodes |= {"up": {"op": "upsample"}, "down": {"op": "downsample"}}
    said = f"U209 up: a map of 4 channels and 131,072x131,072 pixels is too large. {LIMITS}"
    assert told(nodes, "x up", "up down", "down out") == [said]


def test_a_map_of_too_many_channels() -> None:
    doubled = [f"join{number}" for number in range(5)]
    nodes = {**ENDS, "wide": {"op": "conv", "out": 65_536}, **{node: {"op": "concat"} for node in doubled}}
    chain = [f"{one} {other}{port}" for one, other in zip(["wide", *doubled], doubled, strict=False)
             for port in (" x", " skip")]  # fmt: skip
    said = f"U209 join4: a map of 2,097,152 channels and 8x8 pixels is too large. {LIMITS}"
    assert told(nodes, "x wide", *chain, "join4 out") == [said]
    assert told({node: op for node, op in nodes.items() if node != "join4"}, "x wide", *chain[:-2], "join3 out") == []
