from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from reports.analysis.progress import progress, progress_together
from reports.analysis.search import search_points
from search.hypervolume import hypervolume
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_study, make_study, with_status


def randomly(study: StudyResults) -> StudyResults:
    return replace(study, document={**study.document, "search": {"sampler": {"name": "RandomSampler"}}})


def test_the_volume_is_that_of_the_definition_and_only_grows() -> None:
    study = make_study(seeds=0, trials=30)
    points = search_points(study)
    found = progress(study, points)
    assert found is not None
    assert list(found.volumes) == sorted(found.volumes)
    assert found.volumes[-1] == pytest.approx(1.0)
    kept = [p for p in points if p.kind in ("front", "dominated")]
    values = np.array([[p.values["loss"], p.values["latency_ratio"]] for p in kept])
    scaled = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    half = [i for i, p in enumerate(kept) if p.trial <= found.trials[1]]
    share = hypervolume(scaled[half], [1.1, 1.1]) / hypervolume(scaled, [1.1, 1.1])
    assert found.volumes[1] == pytest.approx(share)


def test_trainings_are_counted_and_what_was_never_trained_is_not() -> None:
    study = full_study()
    rows = study.trials[study.trials["part"] == "search"]
    found = progress(study, search_points(study))
    assert found is not None
    assert found.trainings[-1] == int(rows["status"].isin(["finished", "oom", "failed"]).sum())


def test_more_than_two_objectives_are_estimated_closely() -> None:
    study = make_study(seeds=0, trials=30, objectives=("loss", "latency", "memory"))
    points = search_points(study)
    found = progress(study, points)
    assert found is not None
    kept = [p for p in points if p.kind in ("front", "dominated")]
    values = np.array([[p.values[n] for n in ("loss", "latency_ratio", "memory")] for p in kept])
    scaled = (values - values.min(axis=0)) / np.ptp(values, axis=0)
    first = [i for i, p in enumerate(kept) if p.trial <= found.trials[2]]
    share = hypervolume(scaled[first], [1.1] * 3) / hypervolume(scaled, [1.1] * 3)
    assert found.volumes[2] == pytest.approx(share, abs=0.01)


def test_only_random_trials_make_a_band_of_random_search() -> None:
    study = make_study(seeds=0, trials=30)
    plain = progress(study, search_points(study))
    assert plain is not None
    assert plain.band == ()
    found = progress(randomly(study), search_points(study))
    assert found is not None
    assert found.random == found.trainings[-1]
    assert [mark for mark, *_ in found.band][-1] == found.random
    assert all(low <= middle <= high <= 1 + 1e-9 for _, low, middle, high in found.band)
    # Every order ends with the same trials.
    assert found.band[-1][1:] == pytest.approx((1.0, 1.0, 1.0))


def test_searches_together_are_shares_of_what_all_of_them_dominate() -> None:
    one, two = make_study(seeds=0, trials=20), randomly(make_study(seeds=0, trials=30, seed=5))
    points = [search_points(one), search_points(two)]
    first, second = progress_together([one, two], points)
    assert first is not None
    assert second is not None
    kept = [[p for p in some if p.kind in ("front", "dominated")] for some in points]
    values = [np.array([[p.values["loss"], p.values["latency_ratio"]] for p in some]) for some in kept]
    low, span = np.vstack(values).min(axis=0), np.ptp(np.vstack(values), axis=0)
    volumes = [hypervolume((some - low) / span, [1.1, 1.1]) for some in (*values, np.vstack(values))]
    assert [first.volumes[-1], second.volumes[-1]] == pytest.approx([volumes[0] / volumes[2], volumes[1] / volumes[2]])
    assert first.band == ()
    assert second.band[-1][1:] == pytest.approx((second.volumes[-1],) * 3)


def test_what_the_front_calls_dominated_adds_nothing_while_the_machine_drifts() -> None:
    study = make_study(seeds=0, trials=2, budgets={})
    trials = pd.concat([study.trials.iloc[[0]]] * 3).assign(trial=range(3), status="finished", replay_of=None)
    trials = trials.assign(
        feasible=True, loss=[0.1, 0.2, 0.3], latency=[9e-3, 8e-3, 4e-3], latency_ratio=[4.0, 2.0, 8.0]
    )
    drifting = replace(study, trials=trials)
    found = progress(drifting, search_points(drifting))
    assert found is not None
    assert [p.kind for p in search_points(drifting)] == ["front", "front", "dominated"]
    assert found.trainings == (1, 2, 3)
    # The third costs the largest ratio: it dominates only what the first two do, though its time was the shortest.
    assert found.volumes[1:] == pytest.approx((1.0, 1.0))


def test_nothing_to_follow() -> None:
    study = full_study()
    lost = with_status(study, "failed", "boom")
    assert progress(lost, search_points(lost)) is None
    one = make_study(seeds=0, trials=1)
    assert progress(one, search_points(one)) is None
