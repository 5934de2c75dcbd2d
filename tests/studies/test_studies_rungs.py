"""Trainings that wait at rungs: who goes on, from which state, and what is said of those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from studies.driver.ledger import Task
from studies.driver.rungs import Rungs
from studies.records.record import TrialRecord
from studies.sections.protocol import Measure, Protocol
from studies.study.document import Pruning, Search
from studies.trial.job import Job
from tests.studies.test_studies_store import record


@dataclass
class Numbered:
    """As much of Optuna's trial as a rung looks at."""

    number: int


def search(objectives: object, **pruning: Any) -> Search:
    return Search.model_validate({"space": {"ch": [32, 64]}, "objectives": objectives, "pruning": pruning})


def rungs(tmp_path: Path, objectives: object = ("loss",), records: Sequence[TrialRecord] = (), **more: Any) -> Rungs:
    asked = search(list(objectives) if isinstance(objectives, tuple) else objectives, **{"rungs": [10, 20], **more})
    assert isinstance(asked.pruning, Pruning)
    return Rungs(asked, asked.pruning, 40, tmp_path, records)


def task(number: int, **metrics: float) -> Task:
    begun = record(number, None, seed=3, status="running", metrics=metrics, fingerprint=f"f{number}")
    job = Job(document={}, protocol=Protocol(), measure=Measure(), seed=3)
    return Task(Numbered(number), begun, job)  # type: ignore[arg-type]


def reach(made: Rungs, number: int, loss: float, **more: Any) -> tuple[Task, bool]:
    begun = made.first(task(number))
    return made.reach(begun, begun.begun.model_copy(update={"metrics": {"loss": loss}, **more}))


def test_a_training_begins_up_to_the_first_rung_and_is_measured_there(tmp_path: Path) -> None:
    made = rungs(tmp_path)
    job = made.first(task(0)).job
    assert (job.until, job.resume, job.costs) == (10, None, True)
    assert job.state == tmp_path / "f0-3-p-10.pt"


def test_one_of_eta_goes_on_from_its_state_and_is_not_measured_again(tmp_path: Path) -> None:
    made = rungs(tmp_path, eta=2)
    reach(made, 0, 0.5)
    assert made.promoted() is None
    reach(made, 1, 0.4)
    (tmp_path / "f1-3-p-10.pt").write_bytes(b"")
    promoted = made.promoted()
    assert promoted is not None
    job = promoted.job
    assert (promoted.trial.number, job.until, job.costs) == (1, 20, False)
    assert (job.resume, job.state) == (tmp_path / "f1-3-p-10.pt", tmp_path / "f1-3-p-20.pt")
    assert made.promoted() is None
    assert len(made) == 1
    assert (made.rung_of(promoted), made.is_last(promoted)) == (1, False)


def test_above_the_last_rung_a_training_is_whole_and_leaves_no_state(tmp_path: Path) -> None:
    made = rungs(tmp_path, rungs=[10], eta=2)
    for number in range(2):
        reach(made, number, 0.5 - number / 10)
    promoted = made.promoted()
    assert promoted is not None
    assert (promoted.job.until, promoted.job.state, made.is_last(promoted)) == (None, None, True)


def test_the_highest_rung_goes_on_first(tmp_path: Path) -> None:
    made = rungs(tmp_path, eta=2)
    for number in range(4):
        reach(made, number, 0.5 + number / 10)
    for expected in (0, 1):
        promoted = made.promoted()
        assert promoted is not None
        assert promoted.trial.number == expected
        made.reach(promoted, promoted.begun.model_copy(update={"metrics": {"loss": 0.3}}))
    reach(made, 4, 0.2)
    reach(made, 5, 0.2)
    last = made.promoted()
    assert last is not None
    assert (last.trial.number, last.job.until) == (0, None)


def test_what_is_noted_at_a_rung_is_what_halving_compares(tmp_path: Path) -> None:
    """Steps, values of which less is better, and by how much budgets are broken."""
    made = rungs(tmp_path, {"loss": "minimize", "parameters": "maximize", "latency": "minimize"})
    begun = made.first(task(0))
    found = {"metrics": {"loss": 0.5, "parameters": 9.0, "latency": 3.0}, "violations": {"macs": 0.25, "loss": -0.5}}
    detail = {"latency": {"ratio": 0.75}, "chosen": {"ch": 32}}
    paused, goes_on = made.reach(begun, begun.begun.model_copy(update={**found, "detail": detail}))
    assert goes_on
    assert paused.begun.detail == {**detail, "rungs": [[10, [0.5, -9.0, 0.75], 0.25]]}


def test_what_was_not_measured_is_worse_than_anything(tmp_path: Path) -> None:
    made = rungs(tmp_path, eta=2)
    begun = made.first(task(0))
    paused, _ = made.reach(begun, begun.begun)
    assert paused.begun.detail["rungs"] == [[10, [float("inf")], 0.0]]
    reach(made, 1, 1e9)
    promoted = made.promoted()
    assert promoted is not None
    assert promoted.trial.number == 1


def test_one_that_breaks_a_budget_waits_behind_those_that_keep_it(tmp_path: Path) -> None:
    made = rungs(tmp_path, eta=2)
    reach(made, 0, 0.1, violations={"macs": 0.5})
    reach(made, 1, 0.9, violations={"macs": -0.5})
    promoted = made.promoted()
    assert promoted is not None
    assert promoted.trial.number == 1


def at_rungs(trial: int, *losses: float, status: str = "pruned", steps: tuple[int, ...] = (10, 20)) -> TrialRecord:
    said = [[step, [loss], 0.0] for step, loss in zip(steps, losses, strict=False)]
    return record(trial, None, status=status, detail={"rungs": said})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "number"),
    [
        ([], None),
        ([at_rungs(7, 0.9)], 0),
        ([at_rungs(7, 0.1)], None),
        # The better one went on already: the place of one of two is taken.
        ([at_rungs(7, 0.1, 0.1)], None),
        ([at_rungs(7, 0.1, status="finished")], None),
        ([at_rungs(7, 0.1, 0.1), at_rungs(8, 0.9), at_rungs(9, 0.9)], 0),
        ([at_rungs(7, 0.9, status="interrupted")], None),
        # At another number of steps a loss does not compare.
        ([at_rungs(7, 0.9, steps=(11, 20))], None),
    ],
)
def test_earlier_trials_count_at_the_rungs_that_they_reached(
    tmp_path: Path, before: list[TrialRecord], number: int | None
) -> None:
    made = rungs(tmp_path, records=before, eta=2)
    reach(made, 0, 0.5)
    promoted = made.promoted()
    assert (promoted.trial.number if promoted else None) == number


def test_one_that_was_given_up_stands_in_nobodys_way(tmp_path: Path) -> None:
    made = rungs(tmp_path, records=[at_rungs(7, 0.1)], eta=2)
    for number, loss in enumerate((0.5, 0.6, 0.7)):
        reach(made, number, loss)
    promoted = made.promoted()
    assert promoted is not None
    assert promoted.trial.number == 0
    assert made.promoted() is None


def test_a_training_that_a_stopped_run_left_goes_on_from_its_last_state(tmp_path: Path) -> None:
    made = rungs(tmp_path)
    for steps in (10, 40):  # what a whole training left is no state of this rung
        (tmp_path / f"f0-3-p-{steps}.pt").write_bytes(b"")
    assert made.first(task(0)).job.resume == tmp_path / "f0-3-p-10.pt"


def test_what_waits_in_the_end_is_given_up_with_its_reason(tmp_path: Path) -> None:
    made = rungs(tmp_path, eta=3)
    for number in range(2):
        reach(made, number, 0.5)
    left = made.give_up()
    assert [(one.trial.number, why) for one, why in left] == [
        (0, "stopped after 10 of 40 steps: not among the best 1 in 3 there"),
        (1, "stopped after 10 of 40 steps: not among the best 1 in 3 there"),
    ]
    assert len(made) == 0
    assert made.give_up() == []


def test_states_of_a_training_that_is_over_go_and_others_stay(tmp_path: Path) -> None:
    made = rungs(tmp_path)
    for name in ("f0-3-p-10.pt", "f0-3-p-20.pt", "f1-3-p-10.pt"):
        (tmp_path / name).write_bytes(b"")
    made.forget(task(0))
    made.forget(task(2))
    assert [path.name for path in tmp_path.iterdir()] == ["f1-3-p-10.pt"]


@pytest.mark.parametrize("goes_on", [True, False])
def test_one_of_optunas_pruners_decides_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, goes_on: bool) -> None:
    asked = []
    monkeypatch.setattr("search.optuna_bridge.is_worth_going_on", lambda *said: asked.append(said) or goes_on)  # type: ignore[func-returns-value]
    made = rungs(tmp_path, pruner="MedianPruner")
    paused, worth = reach(made, 0, 0.5)
    assert worth is goes_on
    assert [said[1:] for said in asked] == [(0.5, 10)]
    assert len(made) == 0
    promoted = made.promoted()
    assert (promoted is not None) is goes_on
    assert made.reason(made.rung_of(paused) if promoted is None else 0) == (
        "stopped after 10 of 40 steps: MedianPruner pruned it there"
    )
