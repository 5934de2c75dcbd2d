import math

import numpy as np
import pytest
from scipy import stats

from reports.analysis.statistics import detectable, holm, holm_levels, paired_t


def test_paired_t_is_that_of_scipy() -> None:
    differences = [0.012, -0.003, 0.007, 0.021, 0.004]
    ours = paired_t(differences)
    theirs = stats.ttest_1samp(differences, 0.0)
    interval = theirs.confidence_interval(0.95)
    assert ours.n == 5
    assert ours.mean == pytest.approx(0.0082)
    assert ours.p == pytest.approx(float(theirs.pvalue), rel=1e-12)
    assert ours.interval(0.95) == pytest.approx((float(interval.low), float(interval.high)), rel=1e-12)


def test_one_difference_has_a_mean_but_no_interval() -> None:
    single = paired_t([0.5])
    assert single.mean == 0.5
    assert math.isnan(single.p)
    assert all(math.isnan(end) for end in single.interval(0.95))


def test_no_differences_say_nothing() -> None:
    assert math.isnan(paired_t([]).mean)


@pytest.mark.parametrize(("value", "p"), [(0.0, 1.0), (0.1, 0.0), (-7.0, 0.0)])
def test_equal_differences_have_no_spread(value: float, p: float) -> None:
    same = paired_t([value] * 6)
    assert (same.spread, same.p) == (0.0, p)
    assert same.interval(0.95) == pytest.approx((value, value))


def test_holm_by_hand() -> None:
    # sorted: 0.005·4 = 0.02, 0.01·3 = 0.03, 0.03·2 = 0.06, 0.04·1 → 0.06 (never below the one before)
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_does_not_count_missing_p_values() -> None:
    adjusted = holm([0.02, math.nan, 0.04])
    assert adjusted[0] == pytest.approx(0.04)
    assert math.isnan(adjusted[1])
    assert adjusted[2] == pytest.approx(0.04)
    assert holm([]) == []


def test_widened_intervals_are_clear_of_zero_exactly_where_holm_finds_a_difference() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        number = int(random.integers(1, 7))
        tests = [paired_t(random.normal(random.choice([0, 0, 0.8, 2]), 1, 6).tolist()) for _ in range(number)]
        p_values = [t.p for t in tests]
        for test, adjusted, level in zip(tests, holm(p_values), holm_levels(p_values), strict=True):
            low, high = test.interval(1 - level)
            assert (low > 0 or high < 0) == (adjusted < 0.05)


@pytest.mark.parametrize(("n", "comparisons", "effect"), [(5, 1, 1.68), (8, 1, 1.16), (10, 1, 1.00), (8, 10, 1.81)])
def test_detectable_effect_at_80_per_cent_power(n: int, comparisons: int, effect: float) -> None:
    assert detectable(n, comparisons) == pytest.approx(effect, abs=0.005)


def test_detectable_effect_agrees_with_simulation() -> None:
    effect = detectable(8, 1)
    samples = np.random.default_rng(1).normal(effect, 1.0, (20_000, 8))
    found = np.asarray(stats.ttest_1samp(samples, 0.0, axis=1).pvalue) < 0.05
    assert found.mean() == pytest.approx(0.80, abs=0.01)


def test_two_seeds_promise_nothing() -> None:
    assert math.isnan(detectable(2))
