"""What a run says of each trial: how it is called, what it came to, how many are done, and the best so far."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from studies.records.record import TrialRecord
from studies.trial.job import Progress
from ushape.cli.live import LiveObserver


def record(**changes: Any) -> TrialRecord:
    nothing: dict[str, Any] = {
        "part": "search", "trial": 4, "seed": 0, "status": "finished", "protocol_hash": "0" * 16, "wall": 75.0,
        "started": "2026-01-01T00:00:00+00:00", "metrics": {"loss": 0.25, "parameters": 1_234_567.0},
    }  # fmt: skip
    return TrialRecord.model_validate({**nothing, **changes})


def lines(*records: TrialRecord, done: int = 0, total: int = 9, part: str = "search") -> list[str]:
    """What is said when these trials end, without the line of the part."""
    file = io.StringIO()
    with LiveObserver(Console(file=file, width=400)) as observer:
        observer.planned(part, done, total)  # type: ignore[arg-type]
        for one in records:
            observer.ended(one)
    return file.getvalue().splitlines()[1:]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "#4 : loss 0.2500, 1.235 M parameters, 1 min 15 s"),
        ({"params": {"depth": 2, "mult": [1, 2], "skip": "add", "on": True, "rest": None}},
         "#4 depth=2 mult=[1,2] skip=add on=True rest=None: loss 0.2500, 1.235 M parameters, 1 min 15 s"),
        ({"part": "ablation", "variant": "no [bold]attention", "seed": 7},
         "no [bold]attention, seed 7: loss 0.2500, 1.235 M parameters, 1 min 15 s"),
        ({"metrics": {"loss": 0.25, "parameters": 512.0, "latency": 0.0123}},
         "#4 : loss 0.2500, latency 12.3 ms, 512 parameters, 1 min 15 s"),
        ({"metrics": {"parameters": 512.0}}, "#4 : 512 parameters, 1 min 15 s"),
        ({"status": "replayed", "replay_of": "ablation/3"}, "#4 : loss 0.2500, 1.235 M parameters, replayed from "
         "ablation/3"),
        ({"violations": {"parameters": 0.5, "latency": -0.1, "macs": 0.01}},
         "#4 : loss 0.2500, 1.235 M parameters, 1 min 15 s; over budget: parameters, macs"),
        ({"violations": {"parameters": 0.0}}, "#4 : loss 0.2500, 1.235 M parameters, 1 min 15 s"),
        ({"status": "failed", "reason": "RuntimeError: [red]"}, "#4 : failed: RuntimeError: [red]"),
        ({"status": "oom", "reason": "no memory"}, "#4 : oom: no memory"),
        ({"status": "interrupted", "reason": "stopped"}, "#4 : interrupted: stopped"),
    ],
)  # fmt: skip
def test_a_trial_that_ended_is_one_line(changes: dict[str, Any], line: str) -> None:
    assert [one.partition("] ")[2] for one in lines(record(**changes))] == [line]


@pytest.mark.parametrize(
    ("part", "status", "counts"),
    [
        ("search", "finished", True), ("search", "failed", True), ("search", "pruned", True), ("search", "oom", True),
        ("search", "diverged", True), ("search", "replayed", False), ("search", "refused", False),
        ("search", "interrupted", False), ("ablation", "replayed", True), ("ablation", "failed", True),
    ],
)  # fmt: skip
def test_of_a_search_what_was_trained_counts_and_of_an_ablation_everything(
    part: str, status: str, *, counts: bool
) -> None:
    said = lines(record(part=part, status=status, reason="r", variant="v"), done=3, part=part)
    assert said[0].startswith(f"  [{3 + counts}/9] ")


def bars(*events: Any) -> str:
    """What a terminal shows after these events."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=200, highlight=False)
    with LiveObserver(console) as observer:
        observer.planned("search", 0, 9)
        for event in events:
            event(observer)
    return file.getvalue()


def test_the_best_so_far_is_of_those_within_the_budgets() -> None:
    ended = [
        record(metrics={"loss": 0.5, "parameters": 1.0}),
        record(metrics={"loss": 0.125, "parameters": 1.0}, violations={"parameters": 1.0}),
        record(metrics={"loss": 0.0625, "parameters": 1.0}, status="failed", reason="r"),
        record(metrics={"loss": 0.25, "parameters": 1.0}),
        record(metrics={"loss": 0.75, "parameters": 1.0}),
    ]
    shown = bars(*(lambda observer, one=one: observer.ended(one) for one in ended))
    assert "best loss 0.2500" in shown
    assert "best loss 0.1250" not in shown
    assert "best loss 0.0625" not in shown


def test_a_trial_has_a_bar_with_its_stage_and_then_its_loss() -> None:
    one = record(status="running", params={"depth": 2})
    shown = bars(
        lambda observer: observer.began(one),
        lambda observer: observer.progressed(one, Progress(stage="build", step=0, steps=0)),
        lambda observer: observer.said("a [bold] word"),
    )
    assert "#4 depth=2" in shown
    assert "build" in shown
    assert "a [bold] word" in shown
    shown = bars(
        lambda observer: observer.began(one),
        lambda observer: observer.progressed(one, Progress(stage="train", step=3, steps=5, loss=0.5)),
    )
    assert "3/5" in shown
    assert "loss 0.5000" in shown


def test_progress_of_a_trial_that_never_began_is_let_pass() -> None:
    assert "loss" not in bars(lambda o: o.progressed(record(), Progress(stage="train", step=1, steps=2, loss=0.5)))
