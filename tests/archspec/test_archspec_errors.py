"""Problems: how they read, merge, travel; and how plain data becomes models."""

from __future__ import annotations

import pickle
from typing import Annotated

import pytest
from pydantic import Field

from archspec import Problem, UserError, user_error
from archspec.graphs.graph import Edge as GraphEdge
from archspec.graphs.graph import add_edge, add_node, empty
from archspec.graphs.infer import problems
from archspec.ops import OPS, Act, Concat, Input, Output
from archspec.ops.base import Op, Port
from archspec.ops.shapes import FeatureMap
from archspec.text.errors import merged
from archspec.text.fields import HARMLESS, Flag, Form, Harmless, Number, Width
from archspec.text.parse import Positions, parse, validate
from archspec.text.positions import NOWHERE, Place
from archspec.text.suggest import did_you_mean, known_keys


def test_a_problem_says_where_what_and_what_to_do() -> None:
    problem = Problem(
        code="U205", message="It is so.", hint="Do this.", node="mid", file="a.yaml", line=3, column=5, count=4
    )
    assert str(problem) == "a.yaml:3:5: error U205 mid (and 3 more): It is so. Do this."
    assert str(Problem(code="U501", message="Hm.", severity="warning")) == "warning U501 Hm."
    assert str(Problem(code="U001", message="No.", file="a.yaml")) == "a.yaml: error U001 No."


def test_user_errors_travel_between_processes() -> None:
    error = user_error("it cannot be done.", "Do something else.", file="a.yaml")
    assert str(error) == "a.yaml: error U090 it cannot be done. Do something else."
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, UserError)
    assert again.problems == error.problems


def test_equal_problems_at_one_place_are_counted_by_their_nodes() -> None:
    place = Place(Positions("a.yaml", {("b",): (2, 1), ("a",): (1, 1)}))
    found = [place.at("b").problem("U204", "bad.", f"like {node}", node=node) for node in ("n", "m", "m", "n", "o")]
    other = place.at("a").problem("U204", "bad.", node="p")
    assert [str(problem) for problem in merged([*found, other, other])] == [
        "a.yaml:1:1: error U204 p: bad.",
        "a.yaml:2:1: error U204 n (and 2 more): bad. like n",
    ]


def test_a_place_is_the_nearest_that_stands_in_the_text() -> None:
    document = parse("a:\n  b: [1, 2]\nc: {d: 3}\n", "f")
    place = Place(document.positions)
    assert document.positions.find(("a", "b", 1)) == (2, 10)
    assert document.positions.find(("a", "b", 7)) == (2, 3)
    assert document.positions.find(("c", "d")) == (3, 5)
    assert document.positions.find(("e",)) == (1, 1)
    assert NOWHERE.at("x").problem("U090", "no.").where == "<graph>"
    assert place.holds(place.at("a"))
    assert not place.at("a").holds(place)


class Inner(Form):
    size: Width = Field(description="how large")
    rate: Annotated[Number, Field(gt=0), HARMLESS] = 0.5


class Outer(Form):
    name: Annotated[str, Harmless("anonymous")]
    inner: Inner
    more: tuple[Inner, ...] = ()
    on: Flag = True


def check(text: str) -> tuple[Outer | None, list[str]]:
    document = parse(text, "f")
    model, found = validate(Outer, document.data, document.positions)
    return model, [str(problem) for problem in found]


def test_what_no_rule_looks_at_does_not_stop_the_checks() -> None:
    model, found = check("inner: {size: 3, rate: -1, rat: 2}\nmore: [{size: 1}]\n")
    assert model == Outer(name="anonymous", inner=Inner(size=3), more=(Inner(size=1),))
    assert found == [
        "f:1:1: error U011 `name` is missing.",
        "f:1:18: error U012 `inner.rate` must be more than 0, not -1.",
        "f:1:28: error U010 `inner.rat` is not a known key. Did you mean `rate`?",
    ]


def test_other_values_do_and_all_are_named() -> None:
    model, found = check("name: n\ninner: {rate: high}\nmore: [{size: 0}, 7]\non: off\n")
    assert model is None
    assert found == [
        "f:2:1: error U011 `inner.size` is missing. That is: how large.",
        "f:2:9: error U012 `inner.rate` must be a number, not 'high'.",
        "f:3:9: error U012 `more.0.size` must be at least 1, not 0.",
        "f:3:19: error U012 `more.1` must be a mapping of keys to values, not 7. Its keys: size, rate.",
        "f:4:1: error U012 `on` must be true or false, not 'off'. Write false.",
    ]


def test_a_key_that_belongs_elsewhere() -> None:
    assert check("name: n\nsize: 2\ninner: {size: 1}\n")[1] == [
        "f:2:1: error U010 `size` is not a known key. It belongs under `inner`."
    ]


def test_known_keys_of_a_place() -> None:
    assert known_keys(Outer, ()) == ["name", "inner", "more", "on"]
    assert known_keys(Outer, ("more", 0)) == ["size", "rate"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("attn_resolution", "Did you mean `attn_resolutions`?"),
        ("CH_MULT", "Did you mean `ch_mult`?"),
        ("zzz", None),
        ("", None),
        ("ch" * 100, None),
    ],
)
def test_did_you_mean(word: str, expected: str | None) -> None:
    assert did_you_mean(word, KEYS) == expected


KEYS = ["ch", "ch_mult", "attn_resolutions", "attn_type"]


class Constant(Op):
    """An operation without inputs, as a user could add one."""

    op: str = "constant"

    PORTS = ()

    def shape(self, inputs: object) -> FeatureMap:
        del inputs
        return FeatureMap(3, 8)


def test_nodes_that_no_input_reaches() -> None:
    graph = empty("g")
    for node, op in {
        "x": Input(channels=3, resolution=8),
        "c": Constant(),
        "a": Act(),
        "j": Concat(),
        "out": Output(),
    }.items():
        add_node(graph, node, op)
    for source, target, port in (("c", "a", "x"), ("x", "j", "x"), ("a", "j", "skip"), ("j", "out", "x")):
        add_edge(graph, GraphEdge(source, target, port))
    assert [str(problem) for problem in problems(graph)] == [
        "<graph>: error U106 c: no input reaches this node. Connect it or take it out.",
        "<graph>: error U106 a: no input reaches this node. Connect it or take it out.",
    ]


def test_every_operation_has_a_main_port_and_says_what_it_is() -> None:
    for name, cls in OPS.items():
        assert cls.__doc__
        assert cls.model_fields["op"].default == name
        assert all(isinstance(port, Port) for port in cls.PORTS)
