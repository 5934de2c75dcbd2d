"""How differences are said: counts and shares, long lists, other operations, other inputs; and that both ways agree."""

from __future__ import annotations

import json
from typing import Any

import pytest

import archspec
from archspec.edits.diff import Difference, as_data, difference, in_words
from archspec.graphs.graph import edges_of, op_of, shape_of
from archspec.ops import Price
from archspec.text.parse import Positions, parse

NODES = {
    "x": "{op: input, channels: 3, resolution: 8}", "a": "{op: conv, out: 8}", "b": "{op: act}",
    "c": "{op: conv, out: 8}", "s": "{op: add}", "d": "{op: conv, out: 3}", "y": "{op: output}",
}  # fmt: skip
EDGES = "[[x, a], [a, b], [b, c], [c, s], [a, s, skip], [s, d], [d, y]]"


def graph_of(name: str, *edits: str) -> archspec.ArchGraph:
    nodes = {node: parse(text, "node").data for node, text in NODES.items()}
    graph = {"nodes": nodes, "edges": parse(EDGES, "edges").data}
    made = [parse(edit, "edit").data for edit in edits]
    data = {"version": 1, "name": name, "graph": graph, "edits": made}
    return archspec.check_data(data, Positions(name)).sound()


BASE = graph_of("base")


@pytest.mark.parametrize(
    ("edit", "lines"),
    [
        ("remove: b", ["- b (act)", "~ c takes a instead of b (x)"]),
        ("remove: s", ["- s (add)", "~ d takes c instead of s (x)"]),
        ("replace: {nodes: b, with: {op: norm, groups: 4}}",
         ["~ b: act becomes norm (groups=4, eps=1e-06)"]),
        ("replace: {nodes: c, with: {op: act}}", ["~ c: conv becomes act (fn=silu)"]),
        ("set: {nodes: a or c, to: {bias: false}}", ["~ a, c: conv: bias true -> false"]),
        ("set: {nodes: c, to: {bias: false, kernel: 5}}", ["~ c: conv: kernel 3 -> 5, bias true -> false"]),
        ("rewire: {to: s, from: b, port: skip}", ["~ s takes b instead of a (skip)"]),
        ("insert: {node: {op: act}, before: s, port: skip, id: n}", ["+ n (act)", "~ s takes n instead of a (skip)"]),
        ("resize: {nodes: a or c, out: 16}", ["~ a, c: conv: out 8 -> 16", "~ b, s gives 8x8x8 -> 16x8x8"]),
        ("replace: {nodes: s, with: {op: act}}",
         ["~ s: add becomes act (fn=silu)", "~ s is no longer given a (skip)"]),
    ],
)  # fmt: skip
def test_one_edit_in_words(edit: str, lines: list[str]) -> None:
    found = in_words(difference(BASE, graph_of("other", edit)))
    assert found[0] == "from base to other:"
    assert found[1:-2] == lines


#: Chains of edits whose differences are asked for in both directions.
PAIRS = [
    ("remove: b", "remove: s"),
    ("resize: {nodes: a or c, out: 16}", "set: {nodes: c, to: {kernel: 1}}"),
    ("rewire: {to: s, from: b, port: skip}", "repeat: {nodes: b, times: 3}"),
    ("replace: {nodes: c, with: {op: act}}", "insert: {node: {op: conv, out: 8}, after: c}"),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_back_is_there_with_before_and_after_exchanged(one: str, other: str) -> None:
    first, second = graph_of("one", one), graph_of("other", other)
    there, back = difference(first, second), difference(second, first)
    assert there.names == back.names[::-1]
    assert (there.removed, there.added) == (back.added, back.removed)
    assert {c.node: (c.op, c.parameters) for c in there.changed} == {
        c.node: (c.op[::-1], {key: pair[::-1] for key, pair in c.parameters.items()}) for c in back.changed
    }
    assert there.rewired == {key: pair[::-1] for key, pair in back.rewired.items()}
    assert there.reshaped == {key: pair[::-1] for key, pair in back.reshaped.items()}
    assert (there.edges, there.prices) == (back.edges[::-1], back.prices[::-1])


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_the_numbers_are_those_of_the_graphs(one: str, other: str) -> None:
    first, second = graph_of("one", one), graph_of("other", other)
    data = json.loads(json.dumps(as_data(difference(first, second))))
    assert data["parameters"]["change"] == (
        archspec.total_price(second).parameters - archspec.total_price(first).parameters
    )
    assert data["macs"]["from"] + data["macs"]["change"] == archspec.total_price(second).macs
    both = set(first) & set(second)
    assert {entry["node"] for entry in data["removed"]} == set(first) - both
    assert {entry["node"]: entry["op"] for entry in data["added"]} == {
        node: op_of(second, node).op for node in set(second) - both
    }
    assert {entry["node"] for entry in data["reshaped"]} == {
        node for node in both if shape_of(first, node) != shape_of(second, node)
    }
    before, after = ({tuple(edge)[:3] for edge in edges_of(graph)} for graph in (first, second))
    assert data["edges"] == {"removed": len(before - after), "added": len(after - before)}


def made(**changes: Any) -> Difference:
    """A difference of nothing but what is said."""
    nothing: dict[str, Any] = {
        "names": ("one", "other"), "same": False, "removed": {}, "added": {}, "changed": (), "rewired": {},
        "reshaped": {}, "edges": (0, 0), "prices": (Price(1000, 10), Price(1000, 10)),
    }  # fmt: skip
    return Difference(**{**nothing, **changes})


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (1000, 1000, "1,000 in both"),
        (0, 0, "0 in both"),
        (1000, 1500, "1,000 -> 1,500 (+500, +50.0%)"),
        (1_234_567, 1_234_566, "1,234,567 -> 1,234,566 (-1, -0.0%)"),
        (0, 7, "0 -> 7 (+7)"),
        (7, 0, "7 -> 0 (-7, -100.0%)"),
    ],
)
def test_the_price_is_said_with_its_change_and_share(before: int, after: int, line: str) -> None:
    found = in_words(made(prices=(Price(before, 0), Price(after, 0))))
    assert found == ["from one to other:", f"parameters {line}", "MACs 0 in both"]
    assert in_words(made(prices=(Price(0, before), Price(0, after))))[-1] == f"MACs {line}"


def test_four_ids_are_named_and_the_others_counted() -> None:
    ids = [f"n{number}" for number in range(6)]
    for count, said in ((4, "n0, n1, n2, n3"), (5, "n0, n1, n2, n3 and 1 more"), (6, "n0, n1, n2, n3 and 2 more")):
        assert in_words(made(added=dict.fromkeys(ids[:count], "act")))[1] == f"+ {said} (act)"


def test_twelve_lines_of_a_kind_are_said_and_the_others_counted() -> None:
    rewired = {(f"n{number}", "x"): ("a", "b") for number in range(13)}
    twelve = dict(list(rewired.items())[:12])
    assert in_words(made(rewired=twelve))[1:-2] == [f"~ n{number} takes b instead of a (x)" for number in range(12)]
    assert in_words(made(rewired=rewired))[13:-2] == ["  … and 1 more of these (--json has all)"]
    assert len(as_data(made(rewired=rewired))["rewired"]) == 13


def test_the_same_computation_is_said_so_whatever_its_ids_are() -> None:
    assert in_words(made(same=True)) == ["one and other are the same architecture."]
    assert in_words(made(same=True, added={"n": "act"}, removed={"m": "act"})) == [
        "one and other are the same architecture, under other ids."
    ]
    found = difference(BASE, graph_of("twin"))
    assert (found.same, found.changed, found.edges) == (True, (), (0, 0))
