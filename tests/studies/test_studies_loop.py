from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import fingerprint
from studies.driver.ablation import AblationQuestion
from studies.driver.launch.local import LocalLauncher
from studies.driver.ledger import Ledger, Task
from studies.driver.loop import drive
from studies.driver.searching import SearchQuestion
from studies.records.record import Part, TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from studies.trial.job import Job, Outcome, Progress
from studies.trial.observe import Observer
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


class Silent:
    def __init__(self) -> None:
        self.ended_records: list[TrialRecord] = []

    def planned(self, part: str, done: int, total: int) -> None: ...

    def began(self, record: TrialRecord) -> None: ...

    def progressed(self, record: TrialRecord, progress: Progress) -> None: ...

    def ended(self, record: TrialRecord) -> None:
        self.ended_records.append(record)

    def said(self, text: str) -> None: ...


class Pretended:
    """A launcher of a number of places whose jobs end in the order they came, each with what `result` says."""

    def __init__(self, places: int, result: Callable[[Job], Outcome]) -> None:
        self.places, self.result = places, result
        self.under_way: deque[tuple[int, Job]] = deque()
        self.jobs: list[Job] = []
        self.most = 0

    def room(self) -> bool:
        return len(self.under_way) < self.places

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        self.jobs.append(job)
        self.under_way.append((len(self.jobs), job))
        self.most = max(self.most, len(self.under_way))
        return len(self.jobs)

    def wait(self) -> tuple[int, Outcome]:
        ticket, job = self.under_way.popleft()
        return ticket, self.result(job)


def outcome(status: Any = "finished", reason: str | None = None) -> Outcome:
    return Outcome(
        status=status, reason=reason, metrics={"loss": 0.5} if status == "finished" else {}, detail={}, curve=(),
        environment={}, data={}, wall=1.0,
    )  # fmt: skip


def begin(path: Path, observer: Observer | None = None) -> tuple[Any, Ledger]:
    study = load_study(path)
    return study, Ledger(study, Store(study.folder, study.name, create=True), observer or Silent())


def nothing(task: Task, progress: Progress) -> None: ...


@pytest.mark.parametrize("places", [1, 3, 50])
def test_any_number_of_places_runs_each_cell_once(study_file: Write, places: int) -> None:
    study, ledger = begin(study_file(ABLATION))
    launcher = Pretended(places, lambda job: outcome())
    drive(AblationQuestion(study, ledger, retry_failed=False), launcher, nothing)
    assert launcher.most == min(places, 4)
    records = ledger.store.records("ablation")
    assert [(r.variant, r.seed, r.status) for r in records] == [
        ("base", 0, "finished"), ("no attention", 0, "finished"),
        ("base", 1, "finished"), ("no attention", 1, "finished"),
    ]  # fmt: skip


@pytest.mark.parametrize("places", [1, 4])
def test_a_search_meets_its_budget_exactly_and_trains_nothing_twice(study_file: Write, places: int) -> None:
    study, ledger = begin(study_file(SEARCH, **{"trials: 3": "trials: 7"}))
    launcher = Pretended(places, lambda job: outcome())
    drive(SearchQuestion(study, study.file.search, ledger), launcher, nothing)
    records = ledger.store.records("search")
    trained = [r for r in records if r.status == "finished"]
    assert len(trained) == len(launcher.jobs) == 7
    assert len({r.fingerprint for r in trained}) == 7
    assert "running" not in {r.status for r in records}
    for record in records:
        if record.status == "replayed":
            assert record.metrics["loss"] == 0.5


def twice(ledger: Ledger, study: Any, part: Part) -> Task:
    """The base is taken by two trials; the task of the first is returned, the second waits for it."""
    optuna_study = ledger.open(part, ["loss"])
    taken = []
    for _ in range(2):
        trial = optuna_study.ask()
        begun = ledger.record(part, trial, 0, fingerprint(study.base), ())
        taken.append(ledger.take(trial, begun, study.base))
    first, second = taken
    assert isinstance(first, Task)
    assert second is None
    assert ledger.num_waiting == 1
    return first


def test_a_trial_waits_for_the_training_of_the_same_architecture_and_takes_its_result(study_file: Write) -> None:
    observer = Silent()
    study, ledger = begin(study_file(SEARCH, **{"[loss, parameters]": "[loss]"}), observer)
    ledger.ended(twice(ledger, study, "search"), outcome())
    first, second = ledger.store.records("search")
    assert (first.status, second.status, second.replay_of) == ("finished", "replayed", "search/0")
    assert second.metrics == first.metrics
    assert [record.trial for record in observer.ended_records] == [0, 1]
    assert ledger.num_waiting == 0


@pytest.mark.parametrize(("part", "status"), [("search", "refused"), ("ablation", "diverged")])
def test_what_waited_for_a_training_that_fails_is_not_trained_again(study_file: Write, part: Part, status: str) -> None:
    study, ledger = begin(study_file(ABLATION, SEARCH, **{"[loss, parameters]": "[loss]"}))
    ledger.ended(twice(ledger, study, part), outcome("diverged", "the loss is nan"))
    first, second = ledger.store.records(part)
    assert (first.status, first.reason) == ("diverged", "the loss is nan")
    assert second.status == status
    assert second.reason == f"the same architecture as {part}/0, which is diverged: the loss is nan"
    open_trials = [trial for trial in ledger.store.trials(part) if not trial.state.is_finished()]
    assert open_trials == []
    if part == "search":
        assert [trial.constraints["trained"] for trial in ledger.store.trials(part)] == [1.0, 1.0]


@pytest.mark.parametrize("status", ["diverged", "oom", "failed"])
def test_a_training_that_came_to_nothing_is_not_begun_again_by_any_sampler(study_file: Write, status: str) -> None:
    """A plain sampler proposes what it proposed before, and a search that goes on still knows what was lost."""
    path = study_file(SEARCH, **{"trials: 3": "trials: 5\n  sampler: RandomSampler"})
    launcher = Pretended(1, lambda job: outcome(status, "no luck"))
    study, ledger = begin(path)
    drive(SearchQuestion(study, study.file.search, ledger), launcher, nothing)
    path.write_text(path.read_text().replace("trials: 5", "trials: 7"))
    study, ledger = begin(path)
    drive(SearchQuestion(study, study.file.search, ledger), launcher, nothing)
    records = ledger.store.records("search")
    trained = [record.fingerprint for record in records if record.status == status]
    assert len(trained) == len(set(trained)) == len(launcher.jobs) == 7
    again = [record for record in records if record.detail.get("failed_as")]
    assert again
    assert {record.status for record in again} == {"refused"}
    assert all(f"which is {status}: no luck" in str(record.reason) for record in again)


def test_an_error_in_a_worker_thread_reaches_the_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, job: Job, on_progress: object) -> Outcome:
        raise ValueError("no such thing")

    monkeypatch.setattr("studies.driver.launch.local.Worker.run", broken)
    with LocalLauncher(tmp_path, workers=2) as launcher:
        launcher.submit(None, lambda progress: None)  # type: ignore[arg-type]
        assert launcher.room()
        with pytest.raises(ValueError, match="no such thing"):
            launcher.wait()
