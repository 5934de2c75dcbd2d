"""What is known of points before any is trained: reasons to refuse, shares of a space, and the pool of what is left."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from archspec import Problem, build, total_price
from search import samplers
from search.candidate import Candidate
from search.decode import decode
from search.dimension import Scalar
from search.feasible import Assessment, assess
from search.objectives import Limits
from search.pool import Pool
from search.screening import Predicted, screen
from search.space import fill, point
from search.survey import nearest, survey
from tests.search.spaces import BASE, space
from tests.search.test_search_points import SPACES, every_point

PRICE = total_price(build(BASE))
#: Nine points, of which those are sound whose groups divide the channels.
NARROW = space(ch=[32, 48, 64], num_groups=[8, 32, 3])


# reasons


@pytest.mark.parametrize(
    ("budgets", "violations", "refusal"),
    [
        ({}, {}, None),
        ({"parameters": float(PRICE.parameters)}, {"parameters": 0.0}, None),
        ({"macs": 2.0 * PRICE.macs}, {"macs": -0.5}, None),
        ({"latency": 1e-9}, {}, None),
        (
            {"parameters": PRICE.parameters / 1.25, "macs": 1e12},
            {"parameters": 0.25, "macs": PRICE.macs / 1e12 - 1},
            "parameters is 701.3 k, +25% over its budget of 561.1 k",
        ),
        (
            {"parameters": PRICE.parameters / 3, "macs": PRICE.macs / 2},
            {"parameters": 2.0, "macs": 1.0},
            "parameters is 701.3 k, +200% over its budget of 233.8 k; "
            f"macs is {PRICE.macs / 1e6:.4g} M, +100% over its budget of {PRICE.macs / 2e6:.4g} M",
        ),
    ],
)
def test_a_point_is_held_against_what_its_graph_tells(
    budgets: Limits, violations: dict[str, float], refusal: str | None
) -> None:
    found = assess(BASE, (), budgets)
    assert found.violations == pytest.approx(violations)
    assert found.refusal == refusal
    assert found.metrics == {"parameters": PRICE.parameters, "macs": PRICE.macs}


def test_all_rules_that_a_point_breaks_are_its_refusal() -> None:
    problems = (Problem(code="U204", message="one thing."), Problem(code="U205", message="another."))
    assert Assessment((), None, problems=problems).refusal == "U204 one thing.; U205 another."


def test_what_a_prediction_rules_out_is_the_reason_and_the_excess_is_kept() -> None:
    found = assess(BASE, (), {"memory": 2.0**20, "parameters": 1e9}, lambda *_: {"memory": Predicted(3 * 2.0**20, 1.0)})
    assert found.refusal is not None
    assert found.refusal.startswith("memory is predicted as 3 MiB, +200.0% over its budget of 1 MiB")
    assert found.violations == pytest.approx({"memory": 2.0, "parameters": PRICE.parameters / 1e9 - 1})
    assert found.predicted == {"memory": 3 * 2.0**20}


def test_a_prediction_within_its_margin_leaves_the_measurement_to_say() -> None:
    found = assess(BASE, (), {"memory": 2.0**20}, lambda *_: {"memory": Predicted(1.5 * 2**20, 0.5 * 2**20)})
    assert (found.refusal, found.violations) == (None, {})
    assert found.predicted == {"memory": 1.5 * 2**20}


def test_only_what_is_as_good_as_known_counts_as_predicted() -> None:
    found = assess(BASE, (), {"latency": 1.0}, lambda *_: {"latency": Predicted(0.5, math.inf)})
    assert found.metrics["predicted_latency"] == 0.5
    assert found.predicted == {}


@pytest.mark.parametrize(
    ("metric", "value", "margin", "said"),
    [
        ("memory", 6e6, 1e6, ("5.722 MiB", "3.815 MiB", "0.9537 MiB")),
        ("latency", 6e-3, 1e-3, ("6 ms", "4 ms", "1 ms")),
        ("train_latency_ratio", 6.0, 1.23456, ("6", "4", "1.23")),
    ],
)
def test_predictions_are_told_in_the_unit_of_their_metric(
    metric: Any, value: float, margin: float, said: tuple[str, str, str]
) -> None:
    found = screen(build(BASE), {metric: value / 1.5}, lambda *_: {metric: Predicted(value, margin)})
    assert found.refusal == (
        f"{metric} is predicted as {said[0]}, +50.0% over its budget of {said[1]}, more than the prediction's "
        f"margin of {said[2]}"
    )


def test_several_predictions_over_their_budgets_are_all_told() -> None:
    many = {
        "memory": Predicted(4e6, 0.0),
        "latency": Predicted(3.0, 0.0, "a guess"),
        "train_memory": Predicted(1.0, 0.0),
    }
    found = screen(build(BASE), {"memory": 2e6, "latency": 1.0, "train_memory": 2.0}, lambda *_: many)  # type: ignore[dict-item,return-value]
    assert found.refusal is not None
    first, second = found.refusal.split("; ")
    assert first.startswith("memory is predicted as 3.815 MiB, +100.0% over")
    assert second.startswith("latency is predicted as 3e+03 ms, +200.0% over")
    assert second.endswith("(a guess)")
    assert set(found.metrics) == {"predicted_memory", "predicted_latency", "predicted_train_memory"}


# a space as a whole


def test_the_shares_of_a_survey_are_those_of_all_points() -> None:
    """Every point judged one by one, beside 300 that were drawn."""
    budgets: Limits = {"parameters": 1e6}
    points = [fill(NARROW, 2, lambda slot, _, one=one: one[slot]) for one in every_point(NARROW)]
    judged = [assess(BASE, decode(BASE, NARROW, point(NARROW, one, 2)), budgets) for one in points]
    found = survey(BASE, NARROW, 2, budgets, points=300, seed=1)
    sound = [one for one in judged if one.graph is not None]
    assert 0 < len(sound) < len(judged) == 9
    assert found.points == 300
    assert found.sound == pytest.approx(len(sound) / 9, abs=0.09)
    assert found.within == pytest.approx(sum(one.refusal is None for one in judged) / 9, abs=0.09)
    assert found.different == len({one.fingerprint for one in sound})
    broken = Counter(code for one in judged for code in {problem.code for problem in one.problems})
    assert {rule: count / 300 for rule, count in found.rules.items()} == pytest.approx(
        {rule: count / 9 for rule, count in broken.items()}, abs=0.09
    )
    assert found.over == {"parameters": round(300 * (found.sound - found.within))}


def test_a_survey_of_one_point_is_all_or_nothing() -> None:
    sound, unsound = space(ch=[32]), space(ch=[48])
    found = survey(BASE, sound, 2, {"macs": 1.0}, points=3)
    assert (found.sound, found.within, found.different, found.rules, found.over) == (1.0, 0.0, 1, {}, {"macs": 3})
    found = survey(BASE, unsound, 2, {"macs": 1.0}, points=3)
    assert (found.sound, found.within, found.different, found.over) == (0.0, 0.0, 0, {})
    assert set(found.rules.values()) == {3}


def test_what_a_survey_may_predict_counts_as_a_budget() -> None:
    found = survey(
        BASE, space(ch=[32]), 2, {"memory": 1.0}, predict=lambda *_: {"memory": Predicted(3.0, 1.0)}, points=2
    )
    assert (found.sound, found.within, found.over) == (1.0, 0.0, {"memory": 2})


@pytest.mark.parametrize(
    ("dimensions", "budgets", "over"),
    [
        ({"ch": [32]}, {"parameters": PRICE.parameters / 1.5}, 0.5),
        ({"ch": [32]}, {"parameters": PRICE.parameters / 1.5, "macs": PRICE.macs / 3}, 2.0),
        ({"ch": [32, 64]}, {"parameters": PRICE.parameters / 1.5}, 0.5),
        ({"ch": [32]}, {"parameters": PRICE.parameters}, 0.0),
        ({"ch": [32, 48]}, {"parameters": 1e9}, 0.0),
        ({"ch": [48]}, {"parameters": 1e9}, math.inf),
        ({"ch": [32]}, {}, 0.0),
        ({"ch": [32]}, {"latency": 1e-9}, 0.0),
    ],
)
def test_how_far_the_nearest_point_is_over_its_worst_budget(
    dimensions: dict[str, Any], budgets: Limits, over: float
) -> None:
    assert nearest(BASE, space(**dimensions), 2, budgets, points=12) == pytest.approx(over)


# the pool

POOLED = SPACES["a condition"]


def judge(chosen: dict[str, Scalar]) -> Assessment:
    """`c` is refused; heads do not matter for `a`, whose points are one architecture."""
    if chosen["kind"] == "c":
        return Assessment((), object(), "c", {"macs": 3.0}, (), {"macs": 0.5})  # type: ignore[arg-type]
    return Assessment((), object(), str(chosen["kind"]), {"macs": 1.0, "predicted_memory": 7.0})  # type: ignore[arg-type]


def test_a_pool_judges_each_point_once_and_keeps_each_architecture_once() -> None:
    judged: list[dict[str, Scalar]] = []
    pool = Pool(POOLED, 1, lambda chosen: judged.append(chosen) or judge(chosen), seed=0)
    pool.grow(200)
    assert (pool.drawn, pool.tried, len(judged)) == (200, 5, 5)
    assert pool.refused == {"macs is 3, +50% over its budget of 2": 2}
    assert {mark for mark in "abc" if pool.known(mark)} == {"a", "b"}
    assert pool.known("a") == Candidate(
        next(one for one in judged if one["kind"] == "a"), {"macs": 1.0, "memory": 7.0, "predicted_memory": 7.0}
    )
    assert [one.chosen["kind"] for one in pool.new({"a"})] == ["b"]
    assert pool.new({"a", "b"}) == []


def test_a_point_without_an_architecture_is_counted_as_such() -> None:
    pool = Pool(POOLED, 1, lambda _: Assessment((), object(), None), seed=0)  # type: ignore[arg-type]
    pool.add({"kind": "b"})
    pool.add({"kind": "b"})
    assert (pool.refused, pool.drawn, pool.tried) == ({"no architecture": 1}, 2, 1)


def test_half_of_what_is_drawn_lies_near_good_points_at_one_or_two_changes() -> None:
    wide = space(**{name: {"int": [1, 1000]} for name in "abcdef"})
    seen: list[dict[str, Scalar]] = []
    pool = Pool(wide, 1, lambda chosen: seen.append(chosen) or Assessment((), None), seed=0)
    good: dict[str, Scalar] = dict.fromkeys("abcdef", 500)
    pool.grow(8, near=[good])
    apart = [sum(one[name] != good[name] for name in good) for one in seen]
    assert apart[1::2] == [1, 2, 1, 2]
    assert all(number >= 4 for number in apart[::2])


def test_the_same_seed_draws_the_same_points() -> None:
    def drawn(seed: int) -> list[dict[str, Scalar]]:
        seen: list[dict[str, Scalar]] = []
        pool = Pool(space(a={"float": [0.0, 1.0]}), 1, lambda chosen: seen.append(chosen) or Assessment((), None), seed)
        pool.grow(4)
        pool.grow(4, near=seen[:2])
        return seen

    assert drawn(1) == drawn(1) != drawn(2)


# the sampler that is taken


@pytest.mark.parametrize(
    ("dimensions", "trials", "name", "startup"),
    [
        (1, 200, "KnownCostSampler", 3),
        (40, 200, "KnownCostSampler", 10),
        (8, 12, "KnownCostSampler", 4),
        (8, 3, "KnownCostSampler", 3),
        (40, 201, "TPESampler", 40),
        (41, 200, "TPESampler", 41),
        (41, 60, "TPESampler", 30),
        (3, 1000, "TPESampler", 10),
        (41, 4, "TPESampler", 4),
    ],
)
def test_size_and_budget_say_which_sampler_and_how_many_points_are_random(
    dimensions: int, trials: int, name: str, startup: int
) -> None:
    found = samplers.choose("auto", {}, 2, dimensions, trials)
    assert found.name == name
    assert found.options["startup" if name == "KnownCostSampler" else "n_startup_trials"] == startup


def test_options_of_the_study_go_over_the_defaults() -> None:
    found = samplers.choose("TPESampler", {"n_startup_trials": 7, "group": False}, 1, 3, 100)
    assert found.options == {"multivariate": True, "group": False, "constant_liar": True, "n_startup_trials": 7}
    assert samplers.choose("RandomSampler", {}, 1, 3, 100).why == "Sampler: RandomSampler, as the study says."


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({}, None),
        ({"startup": 1, "candidates": 100_000, "grow": 1}, None),
        ({"start": 1}, ("start", "KnownCostSampler has no option `start`")),
        ({"grow": 100_001}, ("grow", "KnownCostSampler's grow is a whole number above 0, not 100001")),
        ({"grow": 2.0}, ("grow", "KnownCostSampler's grow is a whole number above 0, not 2.0")),
        ({"candidates": True}, ("candidates", "KnownCostSampler's candidates is a whole number above 0, not True")),
        ({"startup": None}, ("startup", "KnownCostSampler's startup is a whole number above 0, not None")),
    ],
)
def test_options_of_the_own_sampler_are_whole_numbers(options: dict[str, Any], fault: tuple[str, str] | None) -> None:
    expected = None if fault is None else (*fault, ["startup", "candidates", "grow"])
    assert samplers.own_option_fault(options) == expected
