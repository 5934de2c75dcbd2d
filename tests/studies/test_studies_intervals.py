"""Intervals of medians and the regression of latencies, beside scipy and plain loops."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import optimize, stats

from builder.profile.durations import KINDS, Work
from studies.latency import regression
from studies.latency.regression import FEWEST, REACH, HeldOut, Regression, fit
from studies.measure.intervals import _expanded_tail, half_width, median_interval, pooled


@pytest.mark.parametrize("n", [5, 6, 12, 200])
def test_the_tails_are_as_wide_as_a_t_interval_of_as_many_means(n: int) -> None:
    """Hesterberg 2015: z of the tail is −t·√(n/(n − 1)), with 2.5 % on either side."""
    expected = stats.norm.cdf(-stats.t.ppf(0.975, n - 1) * math.sqrt(n / (n - 1)))
    assert _expanded_tail(n) == pytest.approx(expected, rel=1e-9)


def test_tails_of_few_blocks_are_wider_than_those_of_many() -> None:
    tails = [_expanded_tail(n) for n in (5, 6, 10, 50, 1000)]
    assert tails == sorted(tails)
    assert tails[-1] == pytest.approx(0.025, rel=0.02)


def test_a_percentile_interval_agrees_with_a_bootstrap_by_loops() -> None:
    draw = np.random.default_rng(0)
    nested = [[draw.normal(k, 1.0, 4) for k in range(blocks)] for blocks in (6, 4, 7)]
    coin, medians = random.Random(1), []
    for _ in range(4_000):
        values: list[float] = []
        for _ in nested:
            process = coin.choice(nested)
            for _ in process:
                values.extend(coin.choice(process))
        medians.append(float(np.median(values)))
    tail = _expanded_tail(17)
    low, high = np.quantile(medians, [tail, 1 - tail])
    found = median_interval(nested, draws=4_000)
    assert found == (pytest.approx(low, abs=0.15), pytest.approx(high, abs=0.15))


def test_blocks_that_are_all_alike_have_an_interval_without_width() -> None:
    assert median_interval([[np.array([2.0, 2.0])] * 5]) == (2.0, 2.0)


@pytest.mark.parametrize("shape", [[4], [2, 2], [1, 1, 1, 1]])
def test_of_fewer_than_five_blocks_nothing_is_said(shape: list[int]) -> None:
    nested = [[np.array([1.0, 2.0])] * blocks for blocks in shape]
    assert median_interval(nested) == (-math.inf, math.inf)


def test_five_blocks_over_several_processes_are_enough() -> None:
    assert median_interval([[np.array([1.0])] * 2, [np.array([1.0])] * 3]) == (1.0, 1.0)


def test_another_seed_draws_other_samples_of_the_same_blocks() -> None:
    nested = [[np.random.default_rng(k).normal(size=3) for k in range(9)]]
    assert median_interval(nested, 50, seed=0) != median_interval(nested, 50, seed=1)


def test_widths_are_relative_to_the_middle() -> None:
    assert half_width((8.0, 12.0), 10.0) == 0.2
    assert half_width((-math.inf, math.inf), 1.0) == math.inf
    assert pooled([[np.array([1.0]), np.array([2.0, 3.0])], [np.array([4.0])]]).tolist() == [1.0, 2.0, 3.0, 4.0]


# the regression


def work(size: float, operations: int = 10, updated: int = 0, kind: str | None = None) -> Work:
    times = {name: size if kind in (None, name) else 0.0 for name in KINDS}
    return Work(times, operations, updated, 0)


def mixed(number: int, seed: int = 0) -> list[Work]:
    draw = random.Random(seed)
    return [
        Work({kind: draw.uniform(1, 30) for kind in KINDS}, draw.randint(50, 200), draw.randint(1, 9), 0)
        for _ in range(number)
    ]


def seconds(one: Work) -> float:
    return 1e-3 * sum(one.times.values()) + 1e-4 * one.operations


def test_coefficients_are_the_least_of_relative_squares_drawn_to_one_factor_for_all() -> None:
    """Where no error is out of the ordinary the weights are 1: minimised by another solver, in other units."""
    works = mixed(12)
    latency = np.array([seconds(one) * (1 + 0.01 * (-1) ** k) for k, one in enumerate(works)])
    columns = np.array([[*(one.times[k] for k in KINDS), one.operations, one.updated, 1.0] for one in works])
    kinds = len(KINDS)
    factor = 1 / np.median(columns[:, :kinds].sum(axis=1) / latency)
    unit = np.array([factor] * kinds + [1 / np.mean(columns[:, k] / latency) for k in range(kinds, kinds + 3)])
    expected = np.array([1.0] * kinds + [0.0] * 3)

    def cost(u: np.ndarray) -> float:
        off = columns @ (u * unit) / latency - 1
        return float((off**2).sum() + regression.RIDGE * ((u - expected) ** 2).sum())

    best = optimize.minimize(cost, expected, bounds=[(0, None)] * len(unit), tol=1e-14)
    assert fit(works, list(latency)).coefficients == pytest.approx(tuple(best.x * unit), rel=2e-2, abs=1e-7)


def test_no_share_of_a_latency_is_negative() -> None:
    works = mixed(20)
    falling = [seconds(one) / (1 + one.updated) for one in works]  # what is updated seems to save time
    assert min(fit(works, falling).coefficients) >= 0


def test_a_prediction_is_the_sum_of_shares() -> None:
    shares = tuple(0.1 * (k + 1) for k in range(len(KINDS)))
    model = Regression((*shares, 2.0, 3.0, 0.5), (1.0, 2.0), None)
    one = Work({kind: 10.0 * (k + 1) for k, kind in enumerate(KINDS)}, 7, 11, 0)
    assert model.predict(one) == pytest.approx(
        sum(a * b for a, b in zip(shares, one.times.values(), strict=True)) + 47.5
    )


def test_each_architecture_is_held_out_in_turn() -> None:
    works = mixed(12, seed=2)
    noise = random.Random(0)
    measured = [seconds(one) * math.exp(noise.gauss(0, 0.2)) for one in works]
    found = fit(works, measured).held_out
    assert found is not None
    errors = []
    for k in range(12):
        others = [j for j in range(12) if j != k]
        model = fit([works[j] for j in others], [measured[j] for j in others])
        errors.append(model.predict(works[k]) / measured[k] - 1)
    assert found.errors == pytest.approx(tuple(errors))
    assert found.mean == pytest.approx(np.mean(np.abs(errors)))
    assert found.bound == pytest.approx(sorted(map(abs, errors))[11])  # the ⌈0.9·13⌉-th of 12
    predicted = [measured[k] * (1 + errors[k]) for k in range(12)]
    assert found.tau == pytest.approx(stats.kendalltau(predicted, measured).statistic)


@pytest.mark.parametrize(("number", "place"), [(9, 9), (10, 10), (19, 18), (29, 27), (39, 36)])
def test_the_bound_is_the_error_that_nine_of_ten_new_ones_keep(number: int, place: int) -> None:
    works = mixed(number, seed=number)
    noise = random.Random(1)
    found = fit(works, [seconds(one) * math.exp(noise.gauss(0, 0.3)) for one in works]).held_out
    assert found is not None
    assert found.bound == sorted(map(abs, found.errors))[place - 1]


def test_the_error_is_unknown_beyond_what_was_measured_on_either_side() -> None:
    held_out = HeldOut(FEWEST, 0.1, 0.2, 0.9, ())
    model = Regression((), (10.0 * len(KINDS), 20.0 * len(KINDS)), held_out)
    assert model.error_of(work(10.0 / REACH)) is model.error_of(work(20.0 * REACH)) is held_out
    assert model.error_of(work(9.9 / REACH)) is model.error_of(work(20.1 * REACH)) is None


def test_an_operation_that_was_never_measured_has_the_common_factor() -> None:
    first, *_, last = KINDS
    works = [work(float(size), 1, kind=first) for size in range(1, 30)]
    model = fit(works, [2e-3 * one.total for one in works])
    assert model.predict(work(5.0, 0, kind=last)) == pytest.approx(2e-3 * 5.0, rel=0.1)


def test_the_error_in_words() -> None:
    assert HeldOut(14, 0.0312, 0.1249, 0.875, ()).text() == (
        "of 14 architectures, each held out in turn, 90 % were predicted within 12.5 %; the mean error is 3.1 %, "
        "Kendall's tau 0.88"
    )
