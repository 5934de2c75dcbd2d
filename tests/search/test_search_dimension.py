"""A dimension as the file says it: what it becomes, which values it knows, and what is refused with which words."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from search.dimension import Categorical, Dimension, Integer, Primitive, Real, Scalar, contains, count, label_of, same


def dimension(**data: object) -> Dimension:
    return Dimension.model_validate(data)


def refused(**data: object) -> str:
    with pytest.raises(ValidationError) as caught:
        dimension(**data)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ")


EDIT = {"remove": "mid.attn_1"}
EDGE = {"from": "conv_in", "to": "up.0.skip.1"}
KINDS = "a dimension has exactly one of choice, int, float, subset, edits, operations, present, edge"


@pytest.mark.parametrize(
    ("data", "kind", "target", "primitive"),
    [
        ({"choice": [1, "a", None, True]}, "choice", "form", Categorical((1, "a", None, True))),
        ({"choice": [[1, 2], [2, 4]]}, "choice", "form", Categorical(("1,2", "2,4"))),
        ({"choice": [1, 2], "nodes": "attention"}, "choice", "nodes", Categorical((1, 2))),
        ({"choice": ["a", "b"], "rewire": {"to": "out"}}, "choice", "rewire", Categorical(("a", "b"))),
        ({"int": [2, 9], "step": 3}, "integer", "form", Integer(2, 9, step=3)),
        ({"int": [1, 64], "log": True}, "integer", "form", Integer(1, 64, log=True)),
        ({"int": [1, 3], "repeat": "mid.block_1"}, "integer", "repeat", Integer(1, 3)),
        ({"float": [0, 0.5]}, "real", "form", Real(0.0, 0.5)),
        ({"float": [1e-3, 1], "log": True}, "real", "form", Real(1e-3, 1.0, log=True)),
        ({"edits": {"as is": [], "less": [EDIT]}}, "edits", "edits", Categorical(("as is", "less"))),
        ({"operations": {"keep": None}, "nodes": "attention"}, "operations", "operations", Categorical(("keep",))),
        ({"present": "mid.attn_1"}, "present", "present", Categorical((False, True))),
        ({"edge": EDGE}, "edge", "edge", Categorical((False, True))),
    ],
)
def test_every_kind_knows_its_target_and_its_plain_choice(
    data: dict[str, Any], kind: str, target: str, primitive: Primitive
) -> None:
    found = dimension(**data)
    assert (found.kind, found.target, found.primitive()) == (kind, target, primitive)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, KINDS),
        ({"choice": [1], "int": [1, 2]}, KINDS),
        ({"choice": None}, KINDS),
        ({"int": [4, 4]}, "the range [4, 4] is empty; write [low, high]"),
        ({"float": [0.5, 0.1]}, "the range [0.5, 0.1] is empty; write [low, high]"),
        ({"float": [0.0, math.inf]}, "the range [0.0, inf] has no end; write [low, high]"),
        ({"float": [-math.inf, 0.0]}, "the range [-inf, 0.0] has no end; write [low, high]"),
        ({"float": [math.nan, 1.0]}, "the range [nan, 1.0] has no end; write [low, high]"),
        ({"float": [0.0, 1.0], "log": True}, "a logarithmic range starts above 0"),
        ({"int": [-2, 4], "log": True}, "a logarithmic range starts above 0"),
        ({"int": [1, 8], "step": 2, "log": True}, "log and step do not go together"),
        ({"choice": [1], "step": 2}, "step goes with int"),
        ({"float": [0.0, 1.0], "step": 2}, "step goes with int"),
        ({"choice": [1], "log": True}, "log goes with int or float"),
        ({"subset": [1], "log": True}, "log goes with int or float"),
        ({"choice": [32, 64, 32]}, "32 stands twice"),
        ({"choice": [1, 1.0]}, "1.0 stands twice"),
        ({"choice": [[1, 2], "1,2"]}, "1,2 stands twice"),
        ({"subset": [8, 4, 8]}, "8 stands twice"),
        ({"choice": [0.1, math.nan]}, "nan is no value"),
        (
            {"choice": [[1, 2], [2, 2]], "per_level": True},
            "per_level makes a list of single values; a choice of lists stands without it",
        ),
        (
            {"subset": [1], "per_level": True},
            "per_level goes with choice, int or float, into a parameter of the short form",
        ),
        (
            {"choice": [1], "nodes": "a", "per_level": True},
            "per_level goes with choice, int or float, into a parameter of the short form",
        ),
        ({"edits": {"a": []}, "nodes": "x"}, "edits stand alone: they say themselves what they change"),
        ({"edits": {"a": []}, "parameter": "x"}, "edits stand alone: they say themselves what they change"),
        ({"present": "a", "per_level": "n"}, "present stands alone: it says itself what it changes"),
        ({"edge": EDGE, "rewire": {"to": "out"}}, "edge stands alone: it says itself what it changes"),
        ({"choice": [1], "nodes": "a", "rewire": {"to": "b"}}, "a value goes into one of nodes and rewire"),
        ({"int": [1, 2], "repeat": "a", "nodes": "b"}, "a value goes into one of nodes and repeat"),
        ({"operations": {"keep": None}}, "operations go with nodes, and with no parameter"),
        ({"operations": {"keep": None}, "repeat": "a"}, "operations go with nodes, and with no parameter"),
        ({"choice": [1, 2], "repeat": "a"}, "repeat goes with int"),
        ({"int": [0, 2], "repeat": "a"}, "nodes stand at least once in a row; `present` takes them out"),
        ({"float": [0.0, 1.0], "rewire": {"to": "out"}}, "rewire goes with choice, of node ids"),
    ],
)  # fmt: skip
def test_what_is_no_dimension_is_refused_in_these_words(data: dict[str, Any], said: str) -> None:
    assert refused(**data) == said


@pytest.mark.parametrize(
    ("data", "primitive"),
    [
        ({"int": [1, 8], "step": 1, "log": True}, Integer(1, 8, log=True)),  # the step that it has anyway
        ({"int": [1, 2], "repeat": "a"}, Integer(1, 2)),  # once is the least
        ({"choice": [1, True]}, Categorical((1, True))),  # true is not 1
        ({"choice": [[1], 1.5, "1.5"]}, Categorical(("1", 1.5, "1.5"))),
        ({"int": [-3, 4]}, Integer(-3, 4)),
    ],
)
def test_what_is_just_a_dimension(data: dict[str, Any], primitive: Primitive) -> None:
    assert repr(dimension(**data).primitive()) == repr(primitive)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ({"int": [1.5, 3]}, "int"),
        ({"int": [True, 3]}, "int"),
        ({"int": [1, 4], "step": 0}, "step"),
        ({"choice": []}, "choice"),
        ({"edits": {}}, "edits"),
        ({"choice": [1], "when": {}}, "when"),
    ],
)
def test_a_value_of_the_wrong_form_is_refused_at_its_key(data: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as caught:
        dimension(**data)
    assert {error["loc"][0] for error in caught.value.errors()} == {key}


def test_a_key_that_is_none_is_refused() -> None:
    assert refused(choice=[1], nodse="attention") == "Extra inputs are not permitted"


@pytest.mark.parametrize(
    ("primitive", "inside", "outside"),
    [
        (Categorical((1, "a", None)), [1, 1.0, "a", None], [True, 2, "1", "b"]),
        (Categorical((False, True)), [True, False], [0, 1, None]),
        (Integer(2, 9, step=3), [2, 5, 8, 5.0], [3, 9, 11, -1, 5.5, "5", True, None, math.inf, math.nan]),
        (Integer(0, 1), [0, 1], [False, True, 2]),
        (Real(0.1, 0.5), [0.1, 0.3, 0.5], [0.0999, 0.501, "0.3", True, None, math.nan, math.inf]),
    ],
)
def test_which_values_a_plain_choice_can_take(
    primitive: Primitive, inside: list[Scalar], outside: list[Scalar]
) -> None:
    assert [value for value in inside if not contains(primitive, value)] == []
    assert [value for value in outside if contains(primitive, value)] == []


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 9, 20])
def test_a_whole_number_has_as_many_values_as_it_contains(step: int) -> None:
    primitive = Integer(-3, 5, step=step)
    assert count(primitive) == sum(contains(primitive, value) for value in range(-20, 20))


def test_labels_and_real_numbers_are_counted() -> None:
    assert count(Categorical(("a", "b", "c"))) == 3
    assert count(Real(0.0, 1e-9)) == math.inf


@pytest.mark.parametrize(
    ("data", "value", "choices"),
    [
        ({"choice": [1, 2]}, 2.0, [2]),
        ({"choice": [1, 2]}, True, []),
        ({"choice": [1, 2]}, [1, 2], []),
        ({"choice": [[1, 2], [2, 2]]}, [2, 2], ["2,2"]),
        ({"choice": [[1, 2], [2, 2]]}, (1, 2), ["1,2"]),
        ({"choice": [[1, 2]]}, "1,2", []),
        ({"choice": ["a", None]}, None, [None]),
        ({"int": [1, 5]}, 3, [3]),
        ({"int": [1, 5]}, 6, []),
        ({"int": [1, 5]}, None, []),
        ({"float": [0.0, 1.0]}, 1, [1]),
        ({"float": [0.0, 1.0]}, [0.5], []),
        ({"edits": {"as is": [], "less": [EDIT]}}, "less", ["less"]),
        ({"edits": {"as is": []}}, "more", []),
        ({"present": "mid.attn_1"}, False, [False]),
        ({"present": "mid.attn_1"}, 0, []),
        ({"edge": EDGE}, {"from": "a"}, []),
    ],
)
def test_a_value_is_found_among_the_choices_or_not_at_all(
    data: dict[str, Any], value: object, choices: list[Scalar]
) -> None:
    assert dimension(**data).choices_like(value) == choices


def test_a_whole_number_written_with_a_point_is_one() -> None:
    (found,) = dimension(int=[1, 5]).choices_like(3.0)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(
    "data",
    [{"choice": [1, "x", None, [1, 2], [3]]}, {"int": [2, 8], "step": 3}, {"present": "a"}, {"edits": {"a": []}}],
)
def test_a_choice_and_its_value_lead_to_each_other(data: dict[str, Any]) -> None:
    made = dimension(**data)
    primitive = made.primitive()
    chosen = primitive.choices if isinstance(primitive, Categorical) else (2, 5, 8)
    for one in chosen:
        value = made.value_of(one)
        assert made.choices_like(list(value) if isinstance(value, tuple) else value) == [one]


def test_labels_of_lists_are_their_text() -> None:
    assert [label_of(value) for value in (3, "a", [1, 2.5, "b"], [None, True], [])] == [
        3,
        "a",
        "1,2.5,b",
        "None,True",
        "",
    ]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [(1, 1.0, True), (1, True, False), (0, False, False), (True, True, True), ("1", 1, False), (None, False, False)],
)
def test_true_is_not_one(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is same(other, one) is equal
