"""How a search went, by hand: volumes of rectangles, what costs a training, and what random order would give."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from reports.analysis.progress import Progress, is_random, progress, progress_together
from reports.analysis.search import search_points
from studies.frame import StudyResults
from tests.reports.bare_study import NAN, bare_study, searched


def study_of(loss: list[float], macs: list[float], *, random: bool = False, **columns: Any) -> StudyResults:
    sampler = {"name": "RandomSampler"} if random else "TPESampler"
    changes = {name: columns.pop(name) for name in ("objectives", "maximised") if name in columns}
    trials = searched(loss, macs=macs, **columns)
    return bare_study(
        trials, **{"objectives": ("loss", "macs"), "document": {"search": {"sampler": sampler}}, **changes}
    )


def followed(study: StudyResults) -> Progress:
    found = progress(study, search_points(study))
    assert found is not None
    return found


def test_the_volume_of_two_objectives_is_that_of_rectangles() -> None:
    # Scaled: (1, 0), (0, 1), (0.5, 0.5). To (1.1, 1.1): 0.1 x 1.1; that twice less the corner; and what is between.
    found = followed(study_of([0.3, 0.1, 0.2], [1e6, 3e6, 2e6]))
    corners = 2 * 0.1 * 1.1 - 0.1 * 0.1
    whole = corners + (0.6 * 0.6 - (2 * 0.1 * 0.6 - 0.1 * 0.1))
    assert found.trainings == (1, 2, 3)
    assert found.trials == (0, 1, 2)
    assert found.volumes == pytest.approx((0.11 / whole, corners / whole, 1.0))


def test_of_one_objective_the_volume_is_the_length_to_the_reference() -> None:
    found = followed(study_of([0.3, 0.4, 0.2], [1.0] * 3, objectives=("loss",)))
    assert found.trainings == (1, 3)
    assert found.volumes == pytest.approx((0.6 / 1.1, 1.0))


def test_an_objective_of_which_more_is_better_grows_the_other_way() -> None:
    more = followed(study_of([0.3, 0.1, 0.2], [3e6, 1e6, 2e6], maximised=frozenset({"macs"})))
    less = followed(study_of([0.3, 0.1, 0.2], [-3e6, -1e6, -2e6]))
    assert more == less


def test_an_objective_that_is_the_same_in_all_trials_does_not_count() -> None:
    found = followed(study_of([0.4, 0.2, 0.3], [5.0] * 3))
    assert found.volumes == pytest.approx((0.1 * 1.1 / (1.1 * 1.1), 1.0, 1.0))


def test_what_grows_nothing_is_a_training_and_only_the_last_is_told() -> None:
    found = followed(study_of([0.2, 0.3, 0.1, 0.4, 0.5], [1e6, 2e6, 3e6, 4e6, 5e6]))
    assert (found.trainings, found.trials) == ((1, 3, 5), (0, 2, 4))
    assert found.volumes[1] == found.volumes[2]


@pytest.mark.parametrize(
    ("status", "trainings"),
    [("failed", (1, 3)), ("oom", (1, 3)), ("diverged", (1, 3)), ("pruned", (1, 3)), ("refused", (1, 2)),
     ("running", (1, 2)), ("interrupted", (1, 2))],
)  # fmt: skip
def test_what_was_begun_is_a_training_and_what_was_refused_is_none(status: str, trainings: tuple[int, ...]) -> None:
    study = study_of([0.2, NAN, 0.1], [1e6, NAN, 2e6], status=["finished", status, "finished"])
    assert followed(study).trainings == trainings


def test_a_replay_of_the_ablation_adds_to_the_volume_and_costs_nothing() -> None:
    study = study_of([0.2, 0.1, 0.3], [2e6, 3e6, 1e6], status=["finished", "replayed", "finished"],
                     replay_of=[None, "ablation/4", None])  # fmt: skip
    found = followed(study)
    assert (found.trainings, found.trials) == ((1, 1, 2), (0, 1, 2))


def test_trials_over_a_budget_do_not_count_and_two_are_needed() -> None:
    over = study_of([0.2, 0.1, 0.3], [2e6, 3e6, 1e6], feasible=[True, False, True])
    assert followed(over).trials == (0, 2)
    alone = study_of([0.2, 0.1], [2e6, 3e6], feasible=[True, False])
    assert progress(alone, search_points(alone)) is None
    assert progress_together([], []) == ()


def test_of_three_objectives_the_estimate_is_near_the_exact_volume() -> None:
    random = np.random.default_rng(2)
    values = random.random((7, 3))
    study = study_of(
        values[:, 0].tolist(), values[:, 1].tolist(), memory=values[:, 2], objectives=("loss", "macs", "memory")
    )
    found = followed(study)
    scaled = (values - values.min(axis=0)) / np.ptp(values, axis=0)

    # Inclusion and exclusion over the boxes between each point and the reference.
    def volume(points: np.ndarray) -> float:
        total = 0.0
        for size in range(1, len(points) + 1):
            for some in itertools.combinations(range(len(points)), size):
                total += (-1) ** (size + 1) * float(np.prod(1.1 - points[list(some)].max(axis=0)))
        return total

    shares = [volume(scaled[: trial + 1]) / volume(scaled) for trial in found.trials]
    assert found.volumes == pytest.approx(shares, abs=0.01)


@pytest.mark.parametrize(
    ("sampler", "told"),
    [({"name": "RandomSampler"}, True), ("RandomSampler", True), ({"name": "TPESampler"}, False), (None, False),
     ({}, False)],
)  # fmt: skip
def test_a_search_is_random_by_its_own_statement(sampler: object, *, told: bool) -> None:
    assert is_random(bare_study(searched([0.1]), document={"search": {"sampler": sampler}})) is told
    assert not is_random(bare_study(searched([0.1])))


def test_the_band_of_random_search_is_of_all_orders_and_needs_ten_trainings() -> None:
    random = np.random.default_rng(8)
    loss, macs = random.random((2, 10)).tolist()
    found = followed(study_of(loss, macs, random=True))
    assert found.random == 10
    assert [mark for mark, *_ in found.band] == sorted({round(m) for m in np.geomspace(1, 10, 30)})
    # After one training the volumes are those of the ten trials alone, each as often as the other.
    points = np.column_stack([loss, macs])
    scaled = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    total = followed(study_of(loss, macs)).volumes[0] / float(np.prod(1.1 - scaled[0]))
    alone = np.prod(1.1 - scaled, axis=1) * total
    assert found.band[0][1] >= alone.min() - 1e-9
    assert found.band[0][3] <= alone.max() + 1e-9
    assert found.band[0][2] == pytest.approx(np.median(alone), abs=0.15)
    assert followed(study_of(loss[:9], macs[:9], random=True)).band == ()


def test_where_one_study_lacks_the_ratio_all_are_followed_by_the_time() -> None:
    trials = searched([0.2, 0.1], latency=[1.0, 2.0], latency_ratio=[2.0, 1.0])
    both = bare_study(trials, objectives=("loss", "latency"))
    lacking = bare_study(trials.assign(latency_ratio=NAN), objectives=("loss", "latency"))
    # By ratio the second trial is better in both; by time each is the better one in one objective.
    assert followed(both).volumes == pytest.approx((0.1 * 0.1 / 1.21, 1.0))
    corners = 2 * 0.1 * 1.1 - 0.1 * 0.1
    first, second = progress_together([both, lacking], [search_points(both), search_points(lacking)])
    assert first == second
    assert first is not None
    assert first.volumes == pytest.approx((0.11 / corners, 1.0))
