"""A search that stops the worse part of its trainings early."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from search.candidate import Candidate
from search.surrogate import Surrogate
from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.pretended_search import run, search
from tests.tiny_study import TINY

Write = Callable[..., Path]

PRUNED = "  pruning: {rungs: [2, 4], eta: 2}\n"
LONG = {"train: {steps: 2, batch: 4}": "train: {steps: 8, batch: 4}"}


@pytest.mark.parametrize("places", [1, 3])
def test_halving_goes_on_with_the_better_part_from_where_it_stopped(study_file: Write, places: int) -> None:
    records, launcher, _ = run(study_file(search(PRUNED), **LONG), places)
    assert len(records) == 8
    assert {record.status for record in records} == {"finished", "pruned"}
    by_stop = {stop: sum(job.until == stop for job in launcher.jobs) for stop in (2, 4, None)}
    assert by_stop[2] == 8
    assert 1 <= by_stop[None] <= by_stop[4] <= 4
    assert sum(record.status == "finished" for record in records) == by_stop[None]
    for job in launcher.jobs:
        assert (job.resume is None) == job.costs == (job.until == 2)
        assert (job.state is None) == (job.until is None)
    steps = sum(
        (job.until or 8) - (0 if job.resume is None else int(job.resume.stem.split("-")[-1])) for job in launcher.jobs
    )
    assert steps < 8 * 8 * 0.7
    pruned = [record for record in records if record.status == "pruned"]
    assert pruned[0].reason in (
        "stopped after 2 of 8 steps: not among the best 1 in 2 there",
        "stopped after 4 of 8 steps: not among the best 1 in 2 there",
    )
    assert all("latency" in record.metrics and record.detail["rungs"] for record in records)


def test_the_model_knows_how_far_each_training_went(study_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[set[float], set[float]]] = []
    pick = Surrogate.pick

    def listened(self: Surrogate, candidates: Sequence[Candidate], seen: Sequence[Candidate]) -> int:
        asked.append(({one.known["steps"] for one in candidates}, {one.known["steps"] for one in seen}))
        return pick(self, candidates, seen)

    monkeypatch.setattr(Surrogate, "pick", listened)
    run(study_file(search(PRUNED), **LONG))
    assert all(new == {8.0} for new, _ in asked)
    assert set.union(*(old for _, old in asked)) >= {2.0, 4.0}


def test_states_of_trainings_that_are_over_are_removed_and_a_resumed_halving_keeps_its_budget(
    study_file: Write,
) -> None:
    path = study_file(search(PRUNED), **LONG)
    run(path)
    assert list((load_study(path).folder / "checkpoints").iterdir()) == []
    path.write_text(path.read_text().replace("trials: 8", "trials: 12"))
    records, launcher, _ = run(path)
    assert sum(job.until == 2 for job in launcher.jobs) == 4
    assert len({record.fingerprint for record in records}) == len(records) == 12
    states = [trial.state.name for trial in Store(load_study(path).folder).trials("search")]
    assert "RUNNING" not in states
    assert states.count("PRUNED") == sum(record.status == "pruned" for record in records)


def test_an_optuna_pruner_for_a_single_objective(study_file: Write) -> None:
    more = "  pruning: {rungs: [2, 4], pruner: MedianPruner, options: {n_startup_trials: 2}}\n"
    records, launcher, _ = run(study_file(search(more, "[loss]"), **LONG))
    assert {record.status for record in records} == {"finished", "pruned"}
    assert "MedianPruner pruned it there" in str([r.reason for r in records if r.status == "pruned"])
    assert sum(job.until == 2 for job in launcher.jobs) == 8


def test_the_tiny_study_has_the_keys_that_are_replaced_here() -> None:
    assert all(key in TINY for key in LONG)
