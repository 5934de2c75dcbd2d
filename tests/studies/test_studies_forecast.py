"""What a study will take, recomputed by hand from made-up pilots."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from archspec import UserError, fingerprint, total_price
from studies.driver.forecast import (
    Pilot,
    base_mean,
    paired_spreads,
    predict_seconds,
    read_pilot,
    trainings_left,
)
from studies.driver.plan import variants
from studies.driver.tuning import FIRST_SEED
from studies.records.database import Storage
from studies.records.record import TrialRecord
from studies.records.server import bind
from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.test_studies_designs import PATH
from tests.studies.test_studies_store import kept, record
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


def timed(trial: int, train: float, wall: float, **more: Any) -> TrialRecord:
    data = {"metrics": {"macs": 1e6}, "detail": {"seconds": {"train": train}}, "wall": wall, **more}
    return record(trial, seed=trial, **data)


def pilot(*records: TrialRecord, steps: int | None = 10, batch: int | None = 4) -> Pilot:
    return Pilot("earlier", records, {"steps": steps, "batch": batch})


@pytest.mark.parametrize(
    ("records", "rate", "fixed"),
    [
        ([timed(0, 4.0, 5.0)], 4.0, 1.0),
        # Medians of both, each by itself.
        ([timed(0, 4.0, 5.0), timed(1, 40.0, 43.0), timed(2, 8.0, 16.0)], 8.0, 3.0),
        # What says no MACs, or did not train, counts for neither.
        ([timed(0, 4.0, 5.0), timed(1, 99.0, 500.0, metrics={}), timed(2, 0, 70.0, detail={"seconds": {}})], 4.0, 1.0),
    ],
)
def test_training_goes_by_macs_and_the_rest_stays(
    study_file: Write, records: Sequence[TrialRecord], rate: float, fixed: float
) -> None:
    study = load_study(study_file(ABLATION))
    found = predict_seconds(study, study.folder, pilot(*records))
    assert found is not None
    macs = statistics.mean(total_price(one.graph).macs for one in variants(study))
    # The pilot's trainings had 1e6 MACs, 10 steps and a batch of 4; this study has 2 steps and a batch of 4.
    assert found.total == pytest.approx((rate * macs / 1e6 * 2 / 10 + fixed) * 4)
    assert (found.trainings, found.how) == (
        4, f"scaled by MACs, steps and batch from {len(records)} trainings of earlier",
    )  # fmt: skip


@pytest.mark.parametrize(
    "empty", [pilot(), pilot(timed(0, 4.0, 5.0), steps=None), pilot(timed(0, 4.0, 5.0), batch=None)]
)
def test_what_says_nothing_of_time_gives_no_forecast(study_file: Write, empty: Pilot) -> None:
    study = load_study(study_file(ABLATION))
    assert predict_seconds(study, study.folder, empty) is None


def test_evaluations_are_foretold_by_evaluations_alone(study_file: Write, tmp_path: Path) -> None:
    untrained = "train: {steps: 0, batch: 4}\n  init: {from: net.safetensors}"
    (tmp_path / "net.safetensors").touch()
    study = load_study(study_file(ABLATION, **{"train: {steps: 2, batch: 4}": untrained}))
    walls = [timed(n, 0.0, wall, detail={"seconds": {"evaluate": 1.0}}) for n, wall in enumerate((2.0, 9.0, 3.0))]
    found = predict_seconds(study, study.folder, pilot(*walls, steps=0))
    assert found is not None
    assert (found.total, found.trainings, found.how) == (12.0, 4, "as 3 evaluations of earlier took")
    assert predict_seconds(study, study.folder, pilot(*walls)) is None


def test_what_is_left_is_what_did_not_come_to_an_end(study_file: Write) -> None:
    study = load_study(study_file(ABLATION, **{"seeds: 2": "seeds: 3\n  tune: {what: [lr], seeds: 2}"}))
    # Two variants: each with 3 seeds, and 3 rates with 2 seeds of tuning.
    assert trainings_left(study, study.folder) == 2 * 3 + 2 * 3 * 2
    store, base = Store(study.folder, study.name, create=True), fingerprint(study.base)
    rows = [
        record(0, fingerprint=base), record(1, seed=1, status="replayed", fingerprint=base),
        record(2, seed=2, status="diverged", fingerprint=base), record(3, "no attention", status="interrupted"),
    ]  # fmt: skip
    kept(store, *rows)
    assert trainings_left(study, study.folder) == 18 - 3
    tuning = store.open("tuning", ["loss"])
    for number, (rate, seed) in enumerate([(0.001, FIRST_SEED), (0.001, FIRST_SEED + 9), (0.9, FIRST_SEED)]):
        tuned = record(number, seed=seed, part="tuning", tuned={"lr": rate}, fingerprint=base)
        store.keep(tuning.ask(), tuned)
    assert trainings_left(study, study.folder) == 18 - 3 - 1


@pytest.mark.parametrize(
    "gone",
    [
        {"variant": "taken out"},
        {"seed": 7},
        {"fingerprint": "as it was before"},
        {"design": "path", "variant": "path: x"},
    ],
)
def test_what_is_not_asked_for_any_more_is_no_part_of_what_is_left(study_file: Write, gone: dict[str, Any]) -> None:
    study = load_study(study_file(ABLATION))
    one = record(0, fingerprint=fingerprint(study.base)).model_copy(update=gone)
    kept(Store(study.folder, study.name, create=True), one)
    assert trainings_left(study, study.folder) == 4


def test_what_lies_on_a_server_is_counted_too(
    study_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = load_study(study_file(ABLATION))
    server = Store(tmp_path / "server", study.name, create=True)
    kept(server, record(0, fingerprint=fingerprint(study.base)))
    bind(study.folder, study.name, Storage(env="PLACE"))
    monkeypatch.setattr("studies.driver.forecast.Store", lambda folder: server)
    assert trainings_left(study, study.folder) == 3


def test_a_path_of_n_steps_trains_the_triangle_of_n(study_file: Write) -> None:
    study = load_study(study_file(PATH))
    # Three candidates, then two, then one, and the base; two seeds.
    assert trainings_left(study, study.folder) == (1 + 3 + 2 + 1) * 2


def test_a_search_alone_has_no_cells(study_file: Write) -> None:
    study = load_study(study_file(SEARCH))
    assert trainings_left(study, study.folder) == 0
    assert variants(study) == []


def test_a_pilot_is_what_was_trained_and_timed(tmp_path: Path) -> None:
    store = Store(tmp_path, "earlier", create=True)
    rows = [
        timed(0, 4.0, 5.0), timed(1, 4.0, 5.0, status="replayed"), timed(2, 4.0, 5.0, detail={}),
        timed(3, 4.0, 5.0, status="pruned"), timed(4, 4.0, 6.0),
    ]  # fmt: skip
    kept(store, *rows)
    store.remember_study(store.load("ablation"), {"protocol": {"train": {"steps": 3, "batch": 5}}}, "f", "")
    found = read_pilot(tmp_path)
    assert (found.name, [one.trial for one in found.records]) == ("earlier", [0, 4])
    assert found.train == {"steps": 3, "batch": 5}


def test_a_folder_without_results_is_no_pilot(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        read_pilot(tmp_path)
    assert str(caught.value) == f"error U001 there are no results in {tmp_path}. `ushape run STUDY` makes one."


def losses(**by_variant: Sequence[float]) -> list[TrialRecord]:
    return [
        record(n, name, seed, metrics={"loss": loss})
        for n, (name, own) in enumerate(by_variant.items())
        for seed, loss in enumerate(own)
    ]


def test_a_spread_is_of_pairs_and_needs_three() -> None:
    found = losses(base=[1.0, 2.0, 3.0], a=[1.5, 2.0, 4.0, 9.0], b=[0.0, 0.0])
    assert paired_spreads(found) == {"a": pytest.approx(statistics.stdev([0.5, 0.0, 1.0]))}
    assert paired_spreads(losses(a=[1.0, 2.0, 3.0])) == paired_spreads([]) == {}
    elsewhere = [one.model_copy(update={"part": "confirmation"}) for one in found]
    assert paired_spreads(elsewhere) == {}


def test_the_mean_of_the_base_is_that_of_the_ablation() -> None:
    found = losses(base=[1.0, 2.0], a=[9.0])
    assert base_mean([*found, record(9, "base", part="tuning", metrics={"loss": 50.0}), record(8)]) == 1.5
    assert base_mean(losses(a=[9.0])) is None
