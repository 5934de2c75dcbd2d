"""What is written down of a run, and what Optuna is told of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from archspec import fingerprint
from studies.driver.ledger import Ledger, Task
from studies.records.record import Part, Status, TrialRecord
from studies.trial.job import Outcome
from tests.studies.test_studies_loop import Silent, begin
from tests.studies.test_studies_loop import outcome as plain
from tests.studies.test_studies_store import record
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


def outcome(**more: Any) -> Outcome:
    return plain().model_copy(update=more)


def taken(ledger: Ledger, part: Part, seed: int = 0, **more: Any) -> Task:
    """The base's training as a task of a part."""
    study = ledger.study
    trial = ledger.open(
        part, study.file.search.objectives if part == "search" and study.file.search else ["loss"]
    ).ask()
    begun = ledger.record(part, trial, seed, fingerprint(study.base), ()).model_copy(update=more)
    task = ledger.take(trial, begun, study.base)
    assert isinstance(task, Task)
    return task


@pytest.fixture
def ledger(study_file: Write) -> Ledger:
    made: Ledger = begin(study_file(ABLATION, SEARCH))[1]
    return made


def test_a_record_that_begins_says_what_it_is_about(ledger: Ledger) -> None:
    task = taken(ledger, "ablation", seed=5)
    assert ledger.records("ablation") == ledger.store.records("ablation") == [task.begun]
    kept = task.begun
    assert (kept.part, kept.trial, kept.seed, kept.status, kept.metrics) == ("ablation", 0, 5, "running", {})
    assert (kept.protocol_hash, kept.fingerprint) == (ledger.study.protocol_hash(), fingerprint(ledger.study.base))
    assert (task.job.seed, task.job.protocol, task.job.measure) == (5, ledger.study.protocol, ledger.study.file.measure)
    assert ledger.store.architectures()[str(kept.fingerprint)] == task.job.document


def test_what_was_known_before_a_training_stays_beside_what_came_of_it(ledger: Ledger) -> None:
    task = taken(
        ledger, "search", metrics={"parameters": 5.0, "loss": 9.0}, detail={"chosen": {"skip": "add"}}, wall=2.0
    )
    came = outcome(
        metrics={"loss": 0.25}, detail={"seconds": {"train": 1.0}}, environment={"device": "x"}, data={"hash": "h"},
        curve=((1, 0.5), (2, 0.25)), wall=3.0, files={"grid.png": base64.b64encode(b"pixels").decode()},
    )  # fmt: skip
    [kept] = ledger.ended(task, came)
    assert kept.status == "finished"
    assert kept.metrics == {"parameters": 5.0, "loss": 0.25}
    assert kept.detail == {
        "chosen": {"skip": "add"}, "seconds": {"train": 1.0}, "files": {"grid.png": "artifacts/search-0/grid.png"},
    }  # fmt: skip
    assert (kept.environment, kept.data, kept.wall) == ({"device": "x"}, {"hash": "h"}, 5.0)
    assert (ledger.store.folder / "artifacts/search-0/grid.png").read_bytes() == b"pixels"
    assert ledger.store.curve("search", 0) == [(1, 0.5), (2, 0.25)]
    assert ledger.store.records("search") == ledger.records("search") == [kept]


@pytest.mark.parametrize(
    ("change", "replayed"),
    [
        ({}, True),
        ({"seed": 1}, False),
        ({"protocol_hash": "another"}, False),
        ({"fingerprint": "another"}, False),
    ],
)
def test_one_architecture_seed_and_protocol_is_trained_once_whatever_part_asks(
    ledger: Ledger, change: dict[str, Any], replayed: bool
) -> None:
    [first] = ledger.ended(taken(ledger, "ablation"), outcome(detail={"latency": {"ratio": 2.0}}, data={"hash": "h"}))
    trial = ledger.open("search", ["loss", "parameters"]).ask()
    begun = ledger.record("search", trial, 0, first.fingerprint, ()).model_copy(
        update={"detail": {"chosen": {}}, **change}
    )
    second = ledger.take(trial, begun, ledger.study.base)
    assert isinstance(second, TrialRecord) is replayed
    if isinstance(second, TrialRecord):
        assert (second.status, second.replay_of, second.wall) == ("replayed", "ablation/0", 0.0)
        assert (second.metrics, second.data) == (first.metrics, first.data)
        assert second.detail == {"latency": {"ratio": 2.0}, "chosen": {}}


def test_a_result_of_another_study_is_named_by_it(ledger: Ledger) -> None:
    mark, shared = fingerprint(ledger.study.base), ledger.study.protocol_hash()
    ledger.learn([record(7, fingerprint=mark, protocol_hash=shared, metrics={"loss": 1.0}, detail={"study": "other"})])
    trial = ledger.open("ablation", ["loss"]).ask()
    found = ledger.take(trial, ledger.record("ablation", trial, 0, mark, ()), ledger.study.base)
    assert isinstance(found, TrialRecord)
    assert found.replay_of == "other:ablation/7"


@pytest.mark.parametrize("status", ["replayed", "pruned", "oom", "diverged", "failed", "interrupted", "running"])
def test_only_what_was_trained_to_its_end_is_replayed(ledger: Ledger, status: Status) -> None:
    kept = record(0, status=status, fingerprint=fingerprint(ledger.study.base), protocol_hash=ledger.protocol_hash)
    ledger.learn([kept])
    assert ledger.known.by_key == {}


def test_a_variant_that_failed_may_be_trained_again_and_a_point_of_a_search_not(ledger: Ledger) -> None:
    ledger.ended(taken(ledger, "ablation"), plain("failed", "no luck"))
    taken(ledger, "ablation", seed=0)
    first = taken(ledger, "search", seed=1)
    ledger.ended(first, plain("oom", "too large"))
    trial = ledger.open("search", ["loss", "parameters"]).ask()
    again = ledger.take(trial, ledger.record("search", trial, 1, first.begun.fingerprint, ()), ledger.study.base)
    assert isinstance(again, TrialRecord)
    assert (again.status, again.detail) == ("refused", {"failed_as": "search/0"})
    assert again.reason == "the same architecture as search/0, which is oom: too large"


def test_what_waits_at_a_rung_is_judged_but_not_over(ledger: Ledger) -> None:
    task = taken(ledger, "search", metrics={"parameters": 800_000.0})
    paused = ledger.paused(task, outcome(curve=((1, 0.5),)))
    assert (paused.status, paused.violations) == ("running", {"parameters": 1.0})
    assert ledger.store.trials("search")[0].state == TrialState.RUNNING
    assert ledger.store.curve("search", 0) == [(1, 0.5)]
    [closed] = ledger.pruned(Task(task.trial, paused, task.job), "stopped after 1 of 2 steps")
    assert (closed.status, closed.reason) == ("pruned", "stopped after 1 of 2 steps")
    assert ledger.store.trials("search")[0].state == TrialState.PRUNED


def told(ledger: Ledger, **more: Any) -> tuple[TrialState, list[float] | None, dict[str, float]]:
    """What Optuna knows of a trial of the search that was closed so."""
    trial = ledger.open("search", ["loss", "parameters"]).ask()
    kept = record(trial.number, None, metrics={"loss": 0.5, "parameters": 200_000.0}, **more)
    ledger.close(trial, kept)
    found = ledger.store.trials("search")[-1]
    return found.state, found.values, found.constraints


FULL = {"rules": 0.0, "trained": 0.0, "parameters": -0.5}


@pytest.mark.parametrize(
    ("more", "state", "constraints"),
    [
        ({}, TrialState.COMPLETE, FULL),
        ({"status": "replayed"}, TrialState.COMPLETE, FULL),
        ({"status": "refused", "detail": {"rules_broken": 2}}, TrialState.COMPLETE, {**FULL, "rules": 2.0}),
        ({"status": "refused", "detail": {"failed_as": "search/0"}}, TrialState.COMPLETE, {**FULL, "trained": 1.0}),
        ({"status": "refused", "detail": {"prefiltered": "snip"}}, TrialState.COMPLETE, {**FULL, "trained": 1.0}),
        ({"status": "diverged"}, TrialState.COMPLETE, {**FULL, "trained": 1.0}),
        ({"status": "pruned"}, TrialState.PRUNED, FULL),
        ({"status": "interrupted"}, TrialState.FAIL, {}),
    ],
)
def test_what_optuna_is_told_of_a_point(
    ledger: Ledger, more: dict[str, Any], state: TrialState, constraints: dict[str, float]
) -> None:
    found = told(ledger, **more)
    assert (found[0], found[2]) == (state, constraints)
    if state == TrialState.COMPLETE and more.get("status") not in ("refused", "diverged"):
        assert found[1] == [0.5, 200_000.0]


@pytest.mark.parametrize(
    ("status", "state"),
    [("finished", TrialState.COMPLETE), ("replayed", TrialState.COMPLETE), ("diverged", TrialState.FAIL)],
)
def test_what_optuna_is_told_of_a_variant(ledger: Ledger, status: Status, state: TrialState) -> None:
    trial = ledger.open("ablation", ["loss"]).ask()
    ledger.close(trial, record(trial.number, status=status, metrics={"loss": 0.5}))
    [found] = ledger.store.trials("ablation")
    assert (found.state, found.values) == (state, [0.5] if state == TrialState.COMPLETE else None)


def test_a_latency_is_told_by_its_ratio_to_the_reference(study_file: Write) -> None:
    _, ledger = begin(
        study_file(SEARCH, **{"[loss, parameters]": "[latency, loss]", "latency: false": "latency: true"})
    )
    trial = ledger.open("search", ["latency", "loss"]).ask()
    timed = {"metrics": {"loss": 0.5, "latency": 0.02}, "detail": {"latency": {"ratio": 1.5}}}
    ledger.close(trial, record(trial.number, None, **timed))
    assert ledger.store.trials("search")[0].values == [1.5, 0.5]


def test_what_a_stopped_run_left_open_is_closed_each_as_far_as_it_came(ledger: Ledger) -> None:
    """Under way: interrupted. Recorded, but Optuna not told: told. Asked for alone: failed."""
    optuna_study = ledger.open("ablation", ["loss"])
    ledger.store.keep(optuna_study.ask(), record(0, status="running"))
    ledger.store.keep(optuna_study.ask(), record(1, seed=1, metrics={"loss": 0.5}))
    optuna_study.ask()
    again = Ledger(ledger.study, ledger.store, Silent())
    assert again.settle() == 1
    states = [trial.state for trial in again.store.trials("ablation")]
    assert states == [TrialState.FAIL, TrialState.COMPLETE, TrialState.FAIL]
    assert [(one.status, one.reason) for one in again.records("ablation")] == [
        ("interrupted", "the run was stopped before it ended"), ("finished", None),
    ]  # fmt: skip
    assert again.settle() == 0


def test_points_of_a_search_that_is_not_asked_for_any_more_are_closed(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH)
    _, ledger = begin(path)
    taken(ledger, "search")
    path.write_text(path.read_text().replace(SEARCH, ""))
    _, again = begin(path)
    assert again.settle() == 1
    assert again.store.trials("search")[0].state == TrialState.FAIL
