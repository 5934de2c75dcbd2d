"""Two workers on one device: while the one times, the other pauses its training; and what becomes of lost devices."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from studies.measure import device as devices
from studies.sections.protocol import Measure, Protocol
from studies.trial import run as trials
from studies.trial.job import Job, Outcome, Progress
from studies.trial.run import run_trial
from studies.trial.worker import Worker

SPEC = """
version: 1
name: tiny
unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8,
  attn_type: none}
"""


def job(steps: int, **measure: Any) -> Job:
    protocol = {"train": {"steps": steps, "batch": 4}, "evaluate": {"strata": 2, "images": 4}}
    how = {"device": "cpu", "memory": False, "batch": 2, "repeats": 0, **measure}
    document = archspec.to_document(archspec.build(archspec.loads(SPEC)))
    return Job(document=document, protocol=Protocol.model_validate(protocol), measure=Measure(**how), seed=0)


def spans(outcome: Outcome) -> list[tuple[float, float]]:
    """When rounds were timed, by the machine's clock."""
    return [
        (one["before"]["clock_s"], one["after"]["clock_s"])
        for found in outcome.detail["conditions"].values()
        for one in found
    ]


def test_no_worker_trains_while_another_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path / "locks"))
    reports: list[float] = []
    trains = threading.Event()

    def heard(progress: Progress) -> None:
        if progress.stage == "train" and progress.step:
            reports.append(time.monotonic())
            trains.set()

    trainer, timer = Worker(tmp_path / "one.log"), Worker(tmp_path / "two.log")
    # Long enough to be under way when the other times; it is not run to its end. One report for every 60 steps.
    thread = threading.Thread(target=lambda: trainer.run(job(3000), heard), daemon=True)
    try:
        timer.start()
        thread.start()
        assert trains.wait(120)
        outcome = timer.run(job(1, rounds=10_000, max_seconds=1.5), lambda progress: None)
        ended = time.monotonic()
        while thread.is_alive() and (not reports or reports[-1] < ended):
            time.sleep(0.01)
    finally:
        trainer.kill()
        thread.join(60)
        trainer.close(kill=True)
        timer.close(kill=True)
    assert outcome.status == "finished", outcome.reason
    assert outcome.detail["turns"]["trouble"] is None
    (first, second) = spans(outcome)
    assert first[1] - first[0] > 1.4
    assert reports[0] < first[0]
    assert reports[-1] > second[1], "the training was over before the measurement; it has to be longer"
    for began, ended in (first, second):  # what was sent before the pause may be heard a little later
        assert [at for at in reports if began + 0.5 < at < ended] == []


EVALUATIONS: dict[str, dict[str, Any]] = {
    "held-out loss": {"strata": 10, "images": 80, "batch": 2},
    "samples": {
        **{"strata": 2, "images": 4, "batch": 4},
        "samples": {"number": 20, "batch": 20, "steps": 200, "sampler": "ddim", "grid": 0, "reference": 20},
    },
}


@pytest.mark.slow
def test_an_evaluation_pauses_while_another_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path / "locks"))
    worker = Worker(tmp_path / "worker.log")
    try:
        for what, evaluate in EVALUATIONS.items():
            given = job(1, latency=False)
            protocol = Protocol.model_validate(given.protocol.model_dump() | {"evaluate": evaluate})
            outcome = paused_while_evaluating(worker, given.model_copy(update={"protocol": protocol}))
            assert outcome.status == "finished", outcome.reason
            assert outcome.detail["turns"]["paused"] > 0.4, what
    finally:
        worker.close(kill=True)


def paused_while_evaluating(worker: Worker, given: Job) -> Outcome:
    """The outcome of a job during whose evaluation this process had the device alone for half a second."""
    evaluates, outcomes = threading.Event(), list[Outcome]()

    def heard(progress: Progress) -> None:
        if progress.stage == "evaluate":
            evaluates.set()

    thread = threading.Thread(target=lambda: outcomes.append(worker.run(given, heard)), daemon=True)
    thread.start()
    assert evaluates.wait(120)
    with closing(devices.turn_on(torch.device("cpu"))) as turn, turn.measuring():
        assert outcomes == [], "the evaluation was over before anyone could measure; it has to be longer"
        time.sleep(0.5)
        assert outcomes == []
    assert turn.trouble is None
    thread.join(120)
    return outcomes[0]


def test_a_worker_whose_device_was_lost_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(self: Any, module: Any, data: Any, device: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")

    monkeypatch.setattr(trials._Trial, "_train", lost)
    outcome = run_trial(job(1), lambda progress: None)
    assert (outcome.status, outcome.detail["device_lost"]) == ("failed", True)
    assert str(outcome.reason).startswith("the device was lost while training (unspecified launch failure)")

    class Answers:
        def send(self, message: Any) -> None: ...

        def recv(self) -> tuple[str, Any]:
            return "outcome", outcome.model_dump(mode="json")

        def close(self) -> None: ...

    worker = Worker(tmp_path / "worker.log")
    worker.start()
    process = worker._process
    assert process is not None
    monkeypatch.setattr(worker, "_connection", Answers())
    assert worker.run(job(1), lambda progress: None) == outcome
    assert process.poll() is not None
    assert worker._process is None
    worker.close(kill=True)
