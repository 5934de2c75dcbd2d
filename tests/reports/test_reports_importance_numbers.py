"""Importances by other means: epsilon squared of an analysis of variance, quarters, halves, and forests of one tree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from reports.analysis.importance import (
    FULL_EFFORT,
    MIN_TRIALS,
    adjusted_ratio,
    distinct,
    groups_of,
    importances,
    numeric,
)
from reports.analysis.surrogate import MOST_TRIALS, Surrogate, surrogate
from tests.reports.bare_study import NAN, searched


def trials_of(loss: Any, **parameters: Any) -> pd.DataFrame:
    return searched(list(loss)).assign(**{f"param:{name}": values for name, values in parameters.items()})


@pytest.mark.parametrize("groups", [2, 3, 5])
def test_the_share_is_the_adjusted_r_squared_of_an_analysis_of_variance_of_the_ranks(groups: int) -> None:
    random = np.random.default_rng(groups)
    kinds = random.integers(0, groups, 40)
    loss = kinds * 0.3 + random.normal(size=40)
    fit = smf.ols("rank ~ C(kind)", pd.DataFrame({"rank": stats.rankdata(loss), "kind": kinds})).fit()
    assert adjusted_ratio(stats.rankdata(loss), kinds) == pytest.approx(max(0.0, fit.rsquared_adj))
    (row,) = importances(trials_of(loss, kind=[f"k{kind}" for kind in kinds]), "loss").rows
    assert row.share == pytest.approx(max(0.0, fit.rsquared_adj))


def test_equal_losses_leave_nothing_to_explain() -> None:
    assert math.isnan(adjusted_ratio(np.ones(6), np.array([0, 0, 0, 1, 1, 1])))
    (row,) = importances(trials_of([0.5] * 12, ch=[16, 32] * 6), "loss").rows
    assert math.isnan(row.share)
    assert math.isnan(row.trend)


def test_the_trend_is_spearmans_and_only_numbers_have_one() -> None:
    random = np.random.default_rng(1)
    width, loss = random.choice([16, 32, 64, 128], 30), random.random(30)
    words = np.where(width > 40, "wide", "narrow")
    rows = {row.parameter: row for row in importances(trials_of(loss, ch=width, word=words), "loss").rows}
    assert rows["ch"].trend == pytest.approx(float(stats.spearmanr(width, loss).statistic))
    assert math.isnan(rows["word"].trend)


def test_chance_is_what_five_of_a_hundred_shuffles_pass() -> None:
    random = np.random.default_rng(4)
    kinds, loss = random.integers(0, 3, 60), random.random(60)
    (row,) = importances(trials_of(loss, kind=kinds), "loss").rows
    ranks = stats.rankdata(loss)
    shares = [adjusted_ratio(random.permutation(ranks), kinds) for _ in range(2000)]
    assert row.chance == pytest.approx(np.quantile(shares, 0.95), abs=0.02)


def test_the_interval_is_where_the_share_falls_in_random_halves() -> None:
    random = np.random.default_rng(5)
    kinds = random.integers(0, 3, 60)
    loss = kinds + random.normal(0, 0.8, 60)
    (row,) = importances(trials_of(loss, kind=kinds), "loss").rows
    ranks = stats.rankdata(loss)
    halves = [random.permutation(60)[:30] for _ in range(2000)]
    low, high = np.quantile([adjusted_ratio(ranks[half], kinds[half]) for half in halves], [0.025, 0.975])
    assert (row.low, row.high) == (pytest.approx(low, abs=0.05), pytest.approx(high, abs=0.05))


def test_a_level_that_a_half_lacks_does_not_spoil_the_interval() -> None:
    loss = [float(i) for i in range(20)]
    kinds = ["rare", *["a", "b"] * 9, "b"]
    (row,) = importances(trials_of(loss, kind=kinds), "loss").rows
    assert 0.0 <= row.low <= row.high <= 1.0


def test_thousands_of_trials_are_looked_at_with_less_effort_and_say_the_same() -> None:
    number = FULL_EFFORT * 5
    kinds = np.arange(number) % 4
    loss = kinds + np.random.default_rng(0).normal(0, 1.0, number)
    (row,) = importances(trials_of(loss, kind=kinds), "loss").rows
    fit = smf.ols("rank ~ C(kind)", pd.DataFrame({"rank": stats.rankdata(loss), "kind": kinds})).fit()
    assert row.share == pytest.approx(fit.rsquared_adj)
    assert row.low < row.share < row.high
    assert row.high - row.low < 0.1
    assert row.chance < 0.01


@pytest.mark.parametrize(
    ("values", "groups"),
    [
        (["b", "a", "b"], [1, 0, 1]),
        ([3, 1, 3, 2], [2, 0, 2, 1]),
        # More than six numbers: quarters, of which equal edges are one.
        ([1, 2, 3, 4, 5, 6, 7, 8], [0, 0, 1, 1, 2, 2, 3, 3]),
        ([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6], [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]),
        # More than six words: none is larger than another.
        (list("gfedcba"), [6, 5, 4, 3, 2, 1, 0]),
        ([True, False, True], [1, 0, 1]),
        ([1, "none", 2, 3, 4, 5, 6, 7], [0, 7, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_values_are_put_into_groups(values: list[object], groups: list[int]) -> None:
    assert groups_of(values).tolist() == groups


def test_a_parameter_is_a_number_where_it_is_one_everywhere_and_no_truth_value() -> None:
    assert numeric([1, 2.5, np.int64(3), np.float64(0.5)])
    assert not numeric([1, "2"])
    assert not numeric([True, False])
    assert numeric([])


def test_the_most_important_comes_first_and_what_never_varied_last() -> None:
    loss = np.arange(24.0)
    found = importances(
        trials_of(loss, fixed=7, chance=[0, 1] * 12, half=[0] * 12 + [1] * 12, quarter=np.arange(24) // 6), "loss"
    )
    assert [row.parameter for row in found.rows] == ["quarter", "half", "chance", "fixed"]
    assert (found.objective, found.n) == ("loss", 24)


@pytest.mark.parametrize(("present", "told"), [(MIN_TRIALS - 1, False), (MIN_TRIALS, True)])
def test_a_parameter_needs_ten_architectures_in_which_it_exists(present: int, *, told: bool) -> None:
    values = [float(i % 2) if i < present else NAN for i in range(20)]
    (row,) = importances(trials_of(range(20), heads=values), "loss").rows
    assert row.n == present
    assert math.isnan(row.share) is not told


def test_an_architecture_is_the_first_of_its_usable_rows() -> None:
    trials = searched([0.1, 0.2, 0.3, NAN, 0.5], fingerprint=["a", "b", "a", "c", "c"],
                      status=["oom", "finished", "replayed", "finished", "finished"])  # fmt: skip
    assert distinct(trials, "loss")["trial"].tolist() == [1, 2, 4]
    assert distinct(trials, "unheard of").empty


# ---- forests -------------------------------------------------------------------------------------------------------


def test_a_forest_that_knows_the_order_explains_it_and_needs_only_what_orders() -> None:
    width = np.repeat([8, 16, 32, 64], 20)
    noise = np.random.default_rng(0).integers(0, 3, 80)
    found = surrogate(trials_of(1.0 / width, ch=width, other=noise), "loss")
    assert found.fit > 0.95
    assert found.fit_low <= found.fit <= found.fit_high <= 1.0
    needs = {need.parameter: need for need in found.needs}
    assert needs["ch"].low <= needs["ch"].loss <= needs["ch"].high
    # Shuffled, the prediction is of another trial: twice the variance is missed, and R² falls from 1 to about -1.
    assert needs["ch"].loss == pytest.approx(2.0, abs=0.35)
    assert needs["other"].loss == pytest.approx(0.0, abs=0.05)


def test_only_ranks_are_predicted_so_that_one_huge_value_does_not_decide() -> None:
    width = np.tile([8, 16, 32], 20)
    loss = 1.0 / width
    huge = loss.copy()
    huge[0] = 1e9
    assert surrogate(trials_of(huge, ch=width), "loss").fit > 0.9


def test_a_forest_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    random = np.random.default_rng(3)
    trials = trials_of(random.random(30), a=random.integers(0, 4, 30), b=random.integers(0, 4, 30))
    assert surrogate(trials, "loss") == surrogate(trials, "loss")
    assert surrogate(trials, "loss").fit != surrogate(trials, "loss", seed=1).fit


def test_words_are_as_good_as_numbers_where_their_order_is_the_same() -> None:
    width = np.repeat([4, 8, 16], 20)
    numbers = surrogate(trials_of(1.0 / width, ch=width), "loss")
    words = surrogate(trials_of(1.0 / width, ch=[f"ch{one}" for one in width]), "loss")
    assert words.fit == pytest.approx(numbers.fit)


@pytest.mark.parametrize("value", [8.0, "here", True])
def test_whether_a_parameter_is_there_is_something_that_varies(value: object) -> None:
    present = np.tile([True, False], 30)
    column = pd.Series([value if one else None for one in present])
    found = surrogate(trials_of(np.where(present, 0.0, 1.0), heads=column, word=np.tile(["a", "b", "c"], 20)), "loss")
    assert [need.parameter for need in found.needs] == ["heads", "word"]
    assert found.fit > 0.95


@pytest.mark.parametrize(("number", "columns"), [(MIN_TRIALS - 1, {"a": "many"}), (30, {}), (30, {"a": "one"})])
def test_without_trials_or_anything_that_varies_there_is_no_forest(number: int, columns: dict[str, str]) -> None:
    values = {name: range(number) if what == "many" else 1 for name, what in columns.items()}
    found = surrogate(trials_of(range(number), **values), "loss")
    assert (found.n, found.needs, found.believed) == (number, (), False)
    assert math.isnan(found.fit)


def test_of_very_many_trials_a_part_is_taken() -> None:
    number = MOST_TRIALS + 50
    width = np.arange(number) % 5
    assert surrogate(trials_of(width, ch=width), "loss").n == MOST_TRIALS


def test_a_fit_of_three_tenths_is_believed() -> None:
    assert Surrogate(50, 0.3, 0.1, 0.5, ()).believed
    assert not Surrogate(50, 0.2999, 0.1, 0.5, ()).believed
