"""The points of a space: counted one by one, drawn alike, and led back to what was filled in."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from typing import Any

import pytest

from search.dimension import Categorical, Integer, Primitive, Real, Scalar, Value
from search.space import (
    Space,
    at_random,
    fill,
    fill_in,
    holds,
    is_point,
    loops,
    mutate,
    needs,
    order,
    point,
    primitives,
    size,
)
from search.start import chosen_of
from tests.search.spaces import space

Chosen = dict[str, Scalar]

SPACES: dict[str, Space] = {
    "one value": space(ch=[32]),
    "no dimension": {},
    "a product": space(ch=[32, 64, 96], blocks={"int": [1, 7], "step": 3}, at={"subset": [8, 4]}),
    "a list": space(ch_mult={"choice": [1, 2, 4], "per_level": True}),
    "a list as long as another says": space(
        ch_mult={"choice": [1, 2], "per_level": "levels"}, levels={"int": [1, 4]}, skip=["add", "concat"]
    ),
    "two lists of one length": space(
        ch_mult={"choice": [1, 2], "per_level": "levels"}, blocks={"int": [1, 2], "per_level": "levels"}, levels=[3, 1]
    ),
    "a condition": space(kind=["a", "b", "c"], heads={"choice": [1, 2], "when": {"kind": ["a", "c"]}}),
    "a condition of a condition": space(
        heads={"choice": [1, 2, 4], "when": {"kind": "a"}}, kind={"choice": ["a", "b"], "when": {"on": True}},
        on=[True, False],
    ),
    "two conditions at once": space(
        one=["x", "y"], two={"int": [1, 3]}, both={"choice": [1, 2, 3, 4], "when": {"one": "y", "two": [1, 3]}}
    ),
    "a member of a subset": space(at={"subset": [16, 8, 4]}, kind={"choice": ["a", "b"], "when": {"at": [8, 4]}}),
    "a member of a list that is chosen": space(
        mult=[[1, 1], [1, 2], [2, 4]], kind={"choice": ["a", "b", "c"], "when": {"mult": 2}}
    ),
    "a member of a list by level": space(
        mult={"choice": [1, 2, 4], "per_level": True}, kind={"choice": ["a", "b"], "when": {"mult": 4}}
    ),
    "a member of a list of any length": space(
        mult={"int": [1, 2], "per_level": "levels"}, levels=[1, 2, 3], kind={"choice": ["a", "b"], "when": {"mult": 2}}
    ),
    "true is not one": space(on=[1, True], more={"choice": ["a", "b"], "when": {"on": True}}),
    "there or not": space(
        middle={"present": "mid.attn_1"}, heads={"nodes": "mid.attn_1", "choice": [1, 2], "when": {"middle": True}}
    ),
}  # fmt: skip
LEVELS = 2
EVERY = pytest.mark.parametrize("made", SPACES.values(), ids=list(SPACES))


def values_of(primitive: Primitive) -> list[Scalar]:
    if isinstance(primitive, Categorical):
        return list(primitive.choices)
    assert isinstance(primitive, Integer)
    return list(range(primitive.low, primitive.high + 1, primitive.step))


def every_point(made: Space) -> list[Chosen]:
    """All points: every plain choice with every value, and what of that is reached, each once."""
    known = primitives(made, LEVELS)
    found: list[Chosen] = []
    seen = set()
    for values in itertools.product(*map(values_of, known.values())):
        given = dict(zip(known, values, strict=True))
        one = fill(made, LEVELS, lambda slot, _, given=given: given[slot])
        mark = repr(sorted(one.items()))
        if mark not in seen:
            seen.add(mark)
            found.append(one)
    return found


@EVERY
def test_the_size_is_the_number_of_points(made: Space) -> None:
    assert size(made, LEVELS) == len(every_point(made))


@EVERY
def test_every_point_is_a_point_and_nothing_else_is(made: Space) -> None:
    points = every_point(made)
    for one in points:
        assert is_point(made, one, LEVELS)
        for slot in one:
            assert not is_point(made, {name: value for name, value in one.items() if name != slot}, LEVELS)
            assert not is_point(made, {**one, slot: "no such value"}, LEVELS)
        assert not is_point(made, {**one, "more": 1}, LEVELS)


@EVERY
def test_the_values_of_a_point_lead_back_to_what_was_filled_in(made: Space) -> None:
    for one in every_point(made):
        values = point(made, one, LEVELS)
        assert chosen_of(made, dict(values), LEVELS) == one
        as_written = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        assert chosen_of(made, as_written, LEVELS) == one
        for name in values:
            assert chosen_of(made, {**values, name: object()}, LEVELS) is None


@EVERY
def test_different_points_have_different_values(made: Space) -> None:
    points = every_point(made)
    assert len({repr(point(made, one, LEVELS)) for one in points}) == len(points)


@EVERY
def test_chance_finds_every_point(made: Space) -> None:
    draw, points = at_random(random.Random(0)), every_point(made)
    found = {repr(sorted(fill(made, LEVELS, draw).items())) for _ in range(40 * len(points))}
    assert found == {repr(sorted(one.items())) for one in points}


@EVERY
def test_a_neighbour_is_another_point_and_differs_in_what_was_drawn_and_what_follows(made: Space) -> None:
    points, rng = every_point(made), random.Random(1)
    for one in points:
        other = mutate(made, LEVELS, one, rng)
        assert other in points
        assert (other == one) == (len(points) == 1)
        changed = [slot for slot in one if slot in other and repr(one[slot]) != repr(other[slot])]
        assert len(changed) <= 1


def test_so_many_plain_choices_change_as_are_asked_for() -> None:
    made = space(a=[1, 2, 3], b=[1, 2], c={"int": [1, 5]}, fixed=["x"], d={"float": [0.0, 1.0]})
    rng = random.Random(2)
    start = fill(made, 1, at_random(rng))
    for changes, expected in ((1, 1), (2, 2), (3, 3), (4, 4), (9, 4)):
        for _ in range(10):
            other = mutate(made, 1, start, rng, changes)
            assert sum(start[slot] != other[slot] for slot in start) == expected
            assert other["fixed"] == "x"


def test_a_space_with_a_real_number_is_infinite_only_where_it_is_reached() -> None:
    made = space(kind=["a"], rate={"float": [0.0, 1.0], "when": {"kind": "a"}})
    assert size(made, 1) == math.inf
    assert size(space(kind=["b"], rate={"float": [0.0, 1.0], "when": {"kind": "a"}}), 1) == 1


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_lists_without_a_length_of_their_own_are_as_long_as_the_base(levels: int) -> None:
    made = space(mult={"choice": [1, 2], "per_level": True})
    assert list(primitives(made, levels)) == [f"mult[{level}]" for level in range(levels)]
    assert size(made, levels) == 2**levels


def test_the_plain_choices_reach_as_far_as_the_longest_list() -> None:
    made = space(levels=[2, 5, 3], mult={"choice": [1, 2], "per_level": "levels"})
    assert list(primitives(made, 1)) == ["levels", *(f"mult[{k}]" for k in range(5))]


def test_dimensions_are_asked_for_after_those_that_they_need_and_else_as_they_stand() -> None:
    made = space(
        a={"choice": [1], "when": {"c": 1}},
        b=[1],
        c={"int": [1, 2], "per_level": "e"},
        d={"choice": [1], "when": {"b": 1}},
        e=[1, 2],
    )
    assert order(made) == ["e", "c", "a", "b", "d"]
    assert [needs(made[name]) for name in "abcde"] == [{"c"}, set(), {"e"}, {"b"}, set()]
    asked: list[str] = []
    fill(made, 1, lambda slot, _: asked.append(slot) or 1)
    assert asked == ["e", "c[0]", "a", "b", "d"]
    assert list(point(made, {"e": 1, "c[0]": 1, "a": 1, "b": 1, "d": 1}, 1)) == list("abcde")


@pytest.mark.parametrize(
    ("dimensions", "circle"),
    [
        ({"a": {"choice": [1], "when": {"a": 1}}}, {"a"}),
        ({"a": {"choice": [1], "when": {"b": 1}}, "b": {"int": [1, 2], "per_level": "a"}, "c": [1]}, {"a", "b"}),
        ({"a": {"choice": [1], "when": {"elsewhere": 1}}, "b": {"choice": [1], "when": {"a": 1}}}, None),
    ],
)
def test_dimensions_that_wait_for_each_other_are_named(dimensions: dict[str, Any], circle: set[str] | None) -> None:
    found = loops(space(**dimensions))
    assert (found if found is None else set(found)) == circle


@pytest.mark.parametrize(
    ("when", "values", "matters"),
    [
        ({"kind": "a"}, {"kind": "a"}, True),
        ({"kind": "a"}, {"kind": "b"}, False),
        ({"kind": "a"}, {}, False),
        ({"kind": ["a", "b"]}, {"kind": "b"}, True),
        ({"on": True}, {"on": 1}, False),
        ({"on": 1}, {"on": True}, False),
        ({"at": 8}, {"at": (16, 8)}, True),
        ({"at": [4, 2]}, {"at": (16, 8)}, False),
        ({"at": 8}, {"at": ()}, False),
        ({"kind": None}, {"kind": None}, True),
        ({"kind": "a", "at": 8}, {"kind": "a", "at": (4,)}, False),
    ],
)
def test_when_a_dimension_matters(when: dict[str, Any], values: dict[str, Value], matters: bool) -> None:
    made = space(one={"choice": [1], "when": when})
    assert holds(made["one"], values) is matters


@pytest.mark.parametrize(
    ("dimension", "value", "filled"),
    [
        ({"subset": [8, 4]}, [4], {"d[8]": False, "d[4]": True}),
        ({"subset": [8, 4]}, [], {"d[8]": False, "d[4]": False}),
        ({"subset": [8, 4]}, [16], None),
        ({"subset": [8, 4]}, 8, None),
        ({"subset": [8, 4]}, None, None),
        ({"subset": [1, 2]}, [True], None),
        ({"choice": [1, 2], "per_level": True}, [2, 1], {"d[0]": 2, "d[1]": 1}),
        ({"choice": [1, 2], "per_level": True}, [2], None),
        ({"choice": [1, 2], "per_level": True}, [2, 3], None),
        ({"choice": [1, 2], "per_level": True}, 2, None),
        ({"int": [1, 4], "per_level": True}, (4.0, 1), {"d[0]": 4, "d[1]": 1}),
        ({"choice": [[1, 2]]}, [1, 2], {"d": "1,2"}),
    ],
)
def test_what_is_filled_in_for_a_value(dimension: dict[str, Any], value: object, filled: Chosen | None) -> None:
    assert fill_in("d", space(d=dimension)["d"], value, 2) == filled


def test_a_point_that_is_picked_by_hand_passes_over_what_it_does_not_reach() -> None:
    made = SPACES["a condition"]
    assert chosen_of(made, {"kind": "b", "heads": 17}, 1) == {"kind": "b"}
    assert chosen_of(made, {"kind": "a"}, 1) is None
    assert chosen_of(made, {"kind": "a", "heads": 2, "nothing": 1}, 1) == {"kind": "a", "heads": 2}


def test_a_length_written_with_a_point_is_the_length() -> None:
    made = SPACES["a list as long as another says"]
    found = chosen_of(made, {"levels": 3.0, "ch_mult": [1, 2, 1], "skip": "add"}, LEVELS)
    assert found == {"levels": 3, "ch_mult[0]": 1, "ch_mult[1]": 2, "ch_mult[2]": 1, "skip": "add"}
    assert is_point(made, found, LEVELS)


# chance


def shares(primitive: Primitive, draws: int = 20_000) -> dict[Scalar, float]:
    draw = at_random(random.Random(3))
    found = Counter(draw("d", primitive) for _ in range(draws))
    return {value: number / draws for value, number in found.items()}


def test_labels_and_whole_numbers_are_drawn_alike() -> None:
    assert shares(Categorical(("a", "b", None))) == pytest.approx(dict.fromkeys(["a", "b", None], 1 / 3), abs=0.02)
    assert shares(Integer(1, 10, step=4)) == pytest.approx(dict.fromkeys([1, 5, 9], 1 / 3), abs=0.02)


def test_whole_numbers_on_a_logarithmic_scale_have_the_share_of_their_width() -> None:
    """The share of n is that of [n − ½, n + ½] on the scale from ½ below the least to ½ above the most."""
    whole = math.log(8.5 / 0.5)
    expected = {n: math.log((n + 0.5) / (n - 0.5)) / whole for n in range(1, 9)}
    assert shares(Integer(1, 8, log=True)) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize(("log", "middle"), [(False, 0.5005), (True, math.sqrt(1e-3))])
def test_the_middle_of_real_numbers_is_that_of_their_scale(log: bool, middle: float) -> None:
    draw, primitive = at_random(random.Random(4)), Real(1e-3, 1.0, log=log)
    drawn = [float(draw("d", primitive)) for _ in range(10_000)]  # type: ignore[arg-type]
    assert all(1e-3 <= one <= 1.0 for one in drawn)
    assert sum(one < middle for one in drawn) / len(drawn) == pytest.approx(0.5, abs=0.02)
