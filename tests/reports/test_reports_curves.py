"""Training curves and losses by noise level: what is averaged over what, and how much of it is drawn."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.analysis.curves import ALL_POINTS, MAX_POINTS, loss_by_level, smoothed, trial_curves, variant_curves
from reports.analysis.search import search_points
from studies.frame import StudyResults
from tests.reports.bare_study import NAN, bare_study, searched
from tests.reports.test_reports_ablation import frame


def by_hand(points: list[tuple[float, float]], windows: int = 30, most: int = MAX_POINTS) -> list[tuple[float, float]]:
    """The mean of the finite values of each window, at the points that are kept, one after the other."""
    width, every = max(1, len(points) // windows), max(1, math.ceil(len(points) / most))
    found = []
    for last in range(len(points) - 1, -1, -every):
        inside = [loss for _, loss in points[max(0, last - width + 1) : last + 1] if math.isfinite(loss)]
        if inside:
            found.append((float(points[last][0]), sum(inside) / len(inside)))
    return found[::-1]


@pytest.mark.parametrize(("number", "most"), [(1, 160), (29, 160), (60, 160), (160, 160), (161, 160), (1000, 160),
                                              (1000, 16), (7, 3)])  # fmt: skip
def test_a_curve_is_the_mean_of_running_windows_thinned_from_its_end(number: int, most: int) -> None:
    random = np.random.default_rng(number)
    points = [(step * 10, float(loss)) for step, loss in enumerate(random.random(number))]
    for _ in range(number // 5):
        points[int(random.integers(number))] = (points[0][0], [math.nan, math.inf][int(random.integers(2))])
    found, wanted = smoothed(points, most=most), by_hand(points, most=most)
    assert len(found) <= most
    assert [step for step, _ in found] == [step for step, _ in wanted]
    assert [loss for _, loss in found] == pytest.approx([loss for _, loss in wanted])


def test_a_window_without_a_finite_value_is_left_out() -> None:
    assert smoothed([(0, 1.0), (1, math.nan), (2, 3.0)]) == [(0.0, 1.0), (2.0, 3.0)]
    assert smoothed([(0, 1.0), (1, math.nan), (2, 3.0)], windows=1) == [(0.0, 1.0), (1.0, 1.0), (2.0, 2.0)]


def ablation(curves: dict[int, list[tuple[int, float]]], trials: pd.DataFrame, **changes: Any) -> StudyResults:
    keyed = {("ablation", trial): curve for trial, curve in curves.items()}
    return bare_study(trials.assign(replay_of=trials.get("replay_of")), curves=keyed, **changes)


def test_a_variants_curve_is_the_mean_where_all_its_seeds_have_a_value() -> None:
    trials = frame(base=[0.1, 0.2], other=[0.3, "diverged"])
    study = ablation({0: [(1, 1.0), (2, 0.8), (3, 0.6)], 1: [(1, 2.0), (3, 1.0), (4, 0.1)], 2: [(1, 5.0)],
                      3: [(1, 9.0)]}, trials)  # fmt: skip
    base, other = variant_curves(study)
    assert (base.name, base.steps, base.losses, base.emphasis) == ("base", (1.0, 3.0), (1.5, 0.8), True)
    assert (other.name, other.steps, other.losses, other.emphasis) == ("other", (1.0,), (5.0,), False)
    assert not base.ended_early


def test_seeds_without_a_curve_are_left_out_and_variants_without_any() -> None:
    trials = frame(base=[0.1, 0.2], other=[0.3, 0.4], none=["failed"])
    study = ablation({0: [(1, 1.0)], 1: [], 4: [(1, 3.0)]}, trials)
    assert [(curve.name, curve.losses) for curve in variant_curves(study)] == [("base", (1.0,))]
    apart = ablation({0: [(1, 1.0)], 1: [(2, 1.0)]}, trials)
    assert variant_curves(apart) == []


@pytest.mark.parametrize(
    ("replay_of", "losses"), [("ablation/0", (1.0,)), ("search/4", (7.0,)), ("elsewhere:ablation/0", None)]
)
def test_a_variant_whose_results_were_taken_over_has_the_curve_of_the_training_that_made_them(
    replay_of: str, losses: tuple[float, ...] | None
) -> None:
    trials = frame(base=[0.1], cell=[0.1])
    trials["replay_of"] = [None, replay_of]
    trials.loc[1, "status"] = "replayed"
    study = ablation({0: [(1, 1.0)]}, trials)
    study.curves["search", 4] = [(1, 7.0)]
    assert {c.name: c.losses for c in variant_curves(study)}.get("cell") == losses


def test_trials_of_a_search_have_a_curve_each_and_what_has_no_result_ended_early() -> None:
    trials = searched([0.3, 0.2, NAN, 0.4], status=["finished", "finished", "diverged", "finished"])
    curves = {("search", trial): [(1, float(trial)), (2, trial + 0.5)] for trial in range(3)}
    study = bare_study(trials, curves=curves, objectives=("loss",))
    found = [curve for _, curve in trial_curves(study, search_points(study))]
    assert [(c.name, c.losses, c.emphasis, c.ended_early) for c in found] == [
        ("trial 0", (0.0, 0.5), False, False),
        ("trial 1", (1.0, 1.5), True, False),
        ("trial 2", (2.0, 2.5), False, True),
    ]


def test_curves_of_many_trials_are_coarser_and_never_below_sixteen_points() -> None:
    study = bare_study(searched([0.3]), curves={("search", 0): [(step, 1.0) for step in range(2000)]})
    (point,) = search_points(study)
    lost = replace(point, trial=1)
    several = [[point, *[lost] * (number - 1)] for number in (1, ALL_POINTS // 100, ALL_POINTS // 10)]
    lengths = [len(curve.steps) for points in several for _, curve in trial_curves(study, points)]
    assert lengths == [154, 100, 16]


def levels(*, seeds: int = 2, **shares: float) -> StudyResults:
    """Losses at two noise levels: of the base 1 and 3 plus the seed, of a variant so many times as much."""
    trials = frame(base=[0.1] * seeds, **{name: [0.1] * seeds for name in shares})
    bins = {}
    for row in trials.itertuples():
        share = shares.get(str(row.variant), 1.0)
        bins["ablation", int(row.trial)] = [
            (0.0, 100.0, share * (1 + row.seed)),
            (100.0, 200.0, share * (3 + row.seed)),
        ]
    return bare_study(trials, loss_bins=bins)


def test_levels_are_per_cent_of_the_bases_at_their_middle() -> None:
    more, less = loss_by_level(levels(more=1.5, less=0.9))
    assert (more.name, more.steps, more.losses) == ("more", (50.0, 150.0), (pytest.approx(50.0), pytest.approx(50.0)))
    assert (less.name, less.losses) == ("less", (pytest.approx(-10.0), pytest.approx(-10.0)))


def test_only_seeds_and_levels_that_both_have_are_compared() -> None:
    study = levels(other=2.0, seeds=3)
    del study.loss_bins["ablation", 0]
    study.loss_bins["ablation", 5] = [(0.0, 100.0, 30.0)]
    (other,) = loss_by_level(study)
    # Seeds 1 and 2: base 2 + 3, the variant 4 + 30; of the second level only seed 1 has both.
    assert other.steps == (50.0,)
    assert other.losses == (pytest.approx((34 / 5 - 1) * 100),)


def test_without_a_base_or_a_common_seed_there_is_nothing_to_compare_with() -> None:
    study = levels(other=2.0, seeds=1)
    del study.loss_bins["ablation", 0]
    assert loss_by_level(study) == []
    assert loss_by_level(bare_study(frame(base=[0.1], other=[0.2]))) == []


def test_a_base_without_any_loss_at_a_level_has_no_share_there() -> None:
    study = levels(other=2.0, seeds=1)
    study.loss_bins["ablation", 0] = [(0.0, 100.0, 0.0), (100.0, 200.0, 3.0)]
    (other,) = loss_by_level(study)
    assert math.isnan(other.losses[0])
    assert other.losses[1] == pytest.approx(100.0)
