"""Volumes by inclusion and exclusion, fronts by comparing all pairs; and halving by what the front would lose."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from search.hypervolume import Array, boxes, front_of, hypervolume, improvement
from search.prune import Reached, Tie, promotable, ranked


def by_inclusion_and_exclusion(points: Array, reference: Array) -> float:
    """The volume of a union of boxes from each point to the reference."""
    total = 0.0
    for number in range(1, len(points) + 1):
        for some in itertools.combinations(points, number):
            shared = np.clip(reference - np.max(some, axis=0), 0.0, None)
            total -= (-1) ** number * float(np.prod(shared))
    return total


def beats(one: Array, other: Array) -> bool:
    return bool(all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other))


def drawn(number: int, objectives: int, seed: int = 0) -> Array:
    """Points on a coarse grid, so that some are equal in some objectives, and some are beyond the reference."""
    return np.random.default_rng(seed).integers(0, 12, (number, objectives)) / 10


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(5))
def test_the_volume_is_that_of_the_union_of_boxes(objectives: int, seed: int) -> None:
    points, reference = drawn(7, objectives, seed), np.full(objectives, 1.0)
    assert hypervolume(points, reference) == pytest.approx(by_inclusion_and_exclusion(points, reference), abs=1e-12)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_an_improvement_is_the_volume_with_a_point_less_the_volume_without(objectives: int) -> None:
    front, reference = drawn(6, objectives), np.full(objectives, 0.9)
    new = drawn(30, objectives, seed=1)
    without = by_inclusion_and_exclusion(front, reference)
    with_each = [by_inclusion_and_exclusion(np.vstack([front, one]), reference) for one in new]
    assert improvement(new, front, reference) == pytest.approx(np.array(with_each) - without, abs=1e-12)


def test_without_a_front_a_point_adds_all_that_is_below_the_reference() -> None:
    new = np.array([[0.0, 0.5], [1.0, 0.0], [2.0, -1.0]])
    assert improvement(new, np.empty((0, 2)), np.array([1.0, 2.0])).tolist() == [1.5, 0.0, 0.0]
    assert improvement(np.array([[0.25]]), np.empty((0, 1)), np.array([1.0])).tolist() == [0.75]
    assert improvement(np.empty((0, 2)), new, np.ones(2)).tolist() == []


def test_a_point_of_the_front_or_behind_it_adds_nothing() -> None:
    front = np.array([[0.2, 0.6], [0.6, 0.2]])
    assert improvement(np.array([[0.2, 0.6], [0.3, 0.6], [0.6, 0.6]]), front, np.ones(2)).tolist() == [0.0, 0.0, 0.0]


def test_points_that_are_too_many_for_one_look_are_judged_as_few_are() -> None:
    front, few, times = drawn(60, 4) + 0.2, drawn(30, 4, seed=2), 300
    assert len(boxes(front, np.full(4, 1.2))[0]) * len(few) * times > 2_000_000  # more than is held at once
    expected = improvement(few, front, np.full(4, 1.2))
    assert np.array_equal(improvement(np.tile(few, (times, 1)), front, np.full(4, 1.2)), np.tile(expected, times))


def test_order_and_repetition_change_no_volume() -> None:
    points, reference = drawn(8, 3, seed=3), np.ones(3)
    whole = hypervolume(points, reference)
    assert hypervolume(points[::-1], reference) == pytest.approx(whole, abs=1e-12)
    assert hypervolume(np.vstack([points, points]), reference) == pytest.approx(whole, abs=1e-12)
    assert hypervolume(points[:, ::-1], reference) == pytest.approx(whole, abs=1e-12)


def test_what_only_reaches_the_reference_counts_nothing() -> None:
    assert hypervolume([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0]) == 0.0
    assert hypervolume([[0.0, 1.0], [0.5, 0.5]], [1.0, 1.0]) == 0.25
    assert hypervolume([-2.0, 3.0], [1.0]) == 3.0  # one objective, as a plain list


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_boxes_fill_the_region_that_nothing_dominates(objectives: int) -> None:
    """From −1 to the reference: all of it, less what the front dominates there."""
    front, reference = drawn(6, objectives), np.full(objectives, 1.0)
    lower, upper = boxes(front, reference)
    volume = float(np.clip(upper - np.maximum(lower, -1.0), 0.0, None).prod(axis=1).sum())
    assert volume == pytest.approx(2.0**objectives - by_inclusion_and_exclusion(front, reference))


@pytest.mark.parametrize("objectives", [1, 2, 3, 5])
def test_the_front_is_what_no_other_point_beats(objectives: int) -> None:
    points = drawn(40, objectives)
    expected = [not any(beats(other, one) for other in points) for one in points]
    assert front_of(points).tolist() == expected


def test_no_points_have_no_front() -> None:
    assert front_of(np.empty((0, 2))).tolist() == []


# successive halving


def peeled(values: Array) -> list[set[int]]:
    """Fronts one behind the other, by comparing all pairs."""
    left, found = set(range(len(values))), []
    while left:
        front = {one for one in left if not any(beats(values[other], values[one]) for other in left)}
        found.append(front)
        left -= front
    return found


@pytest.mark.parametrize("tie", ["hypervolume", "epsilon_net"])
@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_ranks_are_fronts_one_behind_the_other(tie: Tie, objectives: int) -> None:
    values = drawn(20, objectives, seed=4)
    order = ranked({trial: Reached(tuple(one)) for trial, one in enumerate(values)}, tie)
    assert sorted(order) == list(range(20))
    for front in peeled(values):
        assert set(order[: len(front)]) == front
        order = order[len(front) :]


def test_within_a_front_the_larger_loss_of_volume_goes_first() -> None:
    # Brought to 0 to 1, with 1.1 as the reference.
    values = [(0.0, 10.0), (2.0, 6.0), (6.0, 3.5), (7.0, 1.0), (10.0, 0.0)]
    scaled, reference = np.array(values) / 10, np.full(2, 1.1)
    whole = by_inclusion_and_exclusion(scaled, reference)
    lost = [whole - by_inclusion_and_exclusion(np.delete(scaled, k, axis=0), reference) for k in range(5)]
    expected = sorted(range(5), key=lambda k: -lost[k])
    assert len({round(one, 6) for one in lost}) == 5  # none of them equal
    assert ranked({trial: Reached(one) for trial, one in enumerate(values)}, "hypervolume") == expected


def test_a_net_goes_on_with_what_is_farthest_from_all_before() -> None:
    values = [(0.0, 8.0), (1.0, 7.0), (4.0, 4.0), (6.0, 2.0), (8.0, 0.0)]
    assert ranked({trial: Reached(one) for trial, one in enumerate(values)}, "epsilon_net") == [0, 4, 2, 3, 1]


@pytest.mark.parametrize("tie", ["hypervolume", "epsilon_net"])
def test_the_unit_of_an_objective_does_not_matter(tie: Tie) -> None:
    values = np.random.default_rng(5).random((15, 2))
    rung = {trial: Reached(tuple(one)) for trial, one in enumerate(values)}
    other = {trial: Reached((1e9 * a - 5.0, 1e-6 * b)) for trial, (a, b) in enumerate(values)}
    assert ranked(other, tie) == ranked(rung, tie)


@pytest.mark.parametrize("tie", ["hypervolume", "epsilon_net"])
def test_equal_trainings_go_by_their_numbers(tie: Tie) -> None:
    assert ranked({7: Reached((1.0, 2.0)), 2: Reached((1.0, 2.0)), 5: Reached((1.0, 2.0))}, tie) == [2, 5, 7]
    assert ranked({3: Reached((1.0,), 0.2), 1: Reached((0.0,), 0.2), 2: Reached((9.0,), 0.1)}, tie) == [2, 1, 3]
    assert ranked({}, tie) == []


def test_whoever_went_on_keeps_its_place_among_the_best() -> None:
    rung = {trial: Reached((float(trial),)) for trial in range(6)}
    assert promotable(rung, set(), 3, "hypervolume") == 0
    assert promotable(rung, {0}, 3, "hypervolume") == 1
    assert promotable(rung, {0, 1}, 3, "hypervolume") is None  # two of six
    assert promotable(rung, {4}, 3, "hypervolume") == 0
    assert promotable({}, set(), 2, "hypervolume") is None
    assert promotable({4: Reached((1.0,))}, set(), 1, "epsilon_net") == 4
