import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.importance import adjusted_ratio, importances
from reports.analysis.surrogate import surrogate


def search(n: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    kind = random.choice(["vanilla", "linear"], n)
    width = random.choice([16, 32, 64], n)
    return pd.DataFrame(
        {
            "status": "finished",
            "fingerprint": [str(i) for i in range(n)],
            "loss": 1.0 / width + random.normal(0, 0.001, n),
            "param:ch": width,
            "param:attn_type": kind,
            "param:fixed": 3,
        }
    )


def test_the_parameter_that_decides_comes_first_and_passes_chance() -> None:
    found = importances(search(60), "loss")
    assert [row.parameter for row in found.rows] == ["ch", "attn_type", "fixed"]
    first, second, fixed = found.rows
    assert first.share > 0.8
    assert first.chance < 0.1
    assert first.low < first.share < first.high
    assert first.high - first.low < 0.3
    assert first.trend == pytest.approx(-0.94, abs=0.03)
    assert second.share < second.chance
    assert math.isnan(second.trend)
    assert math.isnan(fixed.share)
    assert math.isnan(fixed.low)
    assert found.caution == "from 60 trials"


def test_few_trials_are_refused_and_some_are_called_unreliable() -> None:
    few = importances(search(9), "loss")
    assert not few.enough
    assert few.rows == ()
    assert few.caution == "too few trials for importances (n=9; 10 needed)"
    some = importances(search(20), "loss")
    assert some.enough
    assert some.caution == "unreliable: 20 trials; methods disagree widely below 50"


def test_an_architecture_counts_once_and_lost_trials_do_not() -> None:
    trials = search(12)
    again = trials.assign(status="replayed")
    lost = trials.assign(status="oom", loss=math.nan, fingerprint="x")
    assert importances(pd.concat([trials, again, lost], ignore_index=True), "loss").n == 12
    assert importances(trials, "latency").n == 0


def test_a_conditional_parameter_is_judged_where_it_exists() -> None:
    trials = search(40)
    trials["param:heads"] = [4.0 if i < 8 else 8.0 if i < 15 else math.nan for i in range(40)]
    row = next(r for r in importances(trials, "loss").rows if r.parameter == "heads")
    assert row.n == 15


def test_the_same_page_says_the_same_twice() -> None:
    assert importances(search(30), "loss") == importances(search(30), "loss")


def test_adjusted_ratio_by_hand() -> None:
    ranks = np.array([1.0, 2.0, 3.0, 4.0])
    assert adjusted_ratio(ranks, np.array([0, 0, 1, 1])) == pytest.approx((4 - 0.5) / 5)
    assert adjusted_ratio(ranks, np.array([0, 1, 1, 0])) == 0.0
    assert math.isnan(adjusted_ratio(ranks, np.array([0, 0, 0, 0])))
    assert math.isnan(adjusted_ratio(ranks, np.array([0, 1, 2, 3])))


def test_a_continuous_parameter_is_cut_into_quarters() -> None:
    random = np.random.default_rng(5)
    rate = random.random(80)
    trials = pd.DataFrame(
        {"status": "finished", "fingerprint": map(str, range(80)), "loss": rate**2, "param:rate": rate}
    )
    (row,) = importances(trials, "loss").rows
    assert row.share == pytest.approx(0.94, abs=0.02)
    assert row.trend == pytest.approx(1.0)


def test_a_forest_needs_what_decides_and_says_how_well_it_predicts() -> None:
    found = surrogate(search(80), "loss")
    needs = {need.parameter: need for need in found.needs}
    assert list(needs) == ["ch", "attn_type"]
    assert found.n == 80
    assert found.fit > 0.7
    assert found.believed
    assert needs["ch"].low > 0.5
    assert abs(needs["attn_type"].loss) < 0.15


def test_a_forest_sees_an_interaction_that_no_parameter_shows_alone() -> None:
    trials = search(200)
    random = np.random.default_rng(1)
    trials["param:a"], trials["param:b"] = random.integers(0, 2, 200), random.integers(0, 2, 200)
    trials["loss"] = (trials["param:a"] ^ trials["param:b"]) + random.normal(0, 0.05, 200)
    alone = {row.parameter: row.share for row in importances(trials, "loss").rows}
    needs = {need.parameter: need for need in surrogate(trials, "loss").needs}
    assert alone["a"] < 0.05
    assert needs["a"].low > 0.3
    assert needs["b"].low > 0.3


def test_a_forest_that_predicts_nothing_is_not_believed() -> None:
    trials = search(60).assign(loss=np.random.default_rng(7).normal(size=60))
    assert not surrogate(trials, "loss").believed
    assert surrogate(search(9), "loss").needs == ()
    assert math.isnan(surrogate(search(9), "loss").fit)


def test_a_forest_takes_absent_values_and_words() -> None:
    trials = search(60)
    trials["param:heads"] = trials["param:ch"].where(trials["param:attn_type"] == "vanilla")
    assert {need.parameter for need in surrogate(trials, "loss").needs} == {"ch", "attn_type", "heads"}
