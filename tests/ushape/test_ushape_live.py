"""Where no bars can be drawn, a run still says what it is at."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from studies.records.record import TrialRecord
from studies.trial.job import Progress
from ushape.cli import live


def heard(monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> list[str]:
    clock = [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    file = io.StringIO()
    record = TrialRecord(
        part="ablation", trial=0, variant="base", seed=3, protocol_hash="0" * 16, status="running",
            started="2026-01-01T00:00:00+00:00",        metrics={"loss": 0.25, "parameters": 10.0}, wall=2.0,
    )  # fmt: skip
    with live.LiveObserver(Console(file=file, force_terminal=terminal, width=100)) as observer:
        observer.planned("ablation", 0, 2)
        observer.began(record)
        for step, seconds in ((1, 10.0), (2, 25.0), (3, 31.0), (4, 40.0), (5, 62.0)):
            clock[0] = seconds
            observer.progressed(record, Progress(stage="train", step=step, steps=5, loss=0.5))
        observer.ended(record.model_copy(update={"status": "finished"}))
    return [line for line in file.getvalue().splitlines() if "…" in line or "[1/2]" in line or "trainings" in line]


def test_a_line_at_the_start_and_after_each_quiet_half_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    assert heard(monkeypatch, terminal=False) == [
        "ablation: 2 trainings",
        "  … base, seed 3: starting",
        "  … base, seed 3: step 3 of 5, loss 0.5000",
        "  … base, seed 3: step 5 of 5, loss 0.5000",
        "  [1/2] base, seed 3: loss 0.2500, 10 parameters, 2 s",
    ]


def test_what_is_not_trained_is_called_an_evaluation() -> None:
    file = io.StringIO()
    with live.LiveObserver(Console(file=file, width=100), "evaluations") as observer:
        observer.planned("ablation", 0, 2)
        observer.planned("ablation", 1, 2)
    assert file.getvalue() == "ablation: 2 evaluations\nablation: 1 of 2 evaluations are done\n"


def test_bars_need_no_remarks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not [line for line in heard(monkeypatch, terminal=True) if "…" in line]
