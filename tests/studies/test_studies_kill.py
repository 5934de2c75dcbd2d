"""A run that is killed or interrupted, in a process of its own: nothing finished is lost, nothing is run twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from archspec import UserError
from studies.records.record import TRAINED, TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


def everything(folder: Path) -> list[TrialRecord]:
    try:
        store = Store(folder)
        return [record for part in store.parts() for record in store.records(part)]
    except UserError:
        return []  # not begun yet


def finished(folder: Path) -> dict[tuple[str, int], TrialRecord]:
    return {(r.part, r.trial): r for r in everything(folder) if r.status == "finished"}


@contextmanager
def driver_of(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ushape", "run", str(path), "--no-report"]
    # A job in the background of a shell without job control ignores SIGINT, and its children inherit that.
    driver = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (there are no threads yet)
    )
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_again_and_again_every_finished_trial_is_there_once(study_file: Write, times: int) -> None:
    path = study_file(ABLATION, SEARCH, **{"seeds: 2": "seeds: 4", "trials: 3": "trials: 4"})
    folder = load_study(path).folder
    draw, kept = random.Random(0), finished(folder)
    for _ in range(times):
        with driver_of(path) as driver:
            deadline = time.monotonic() + 60
            while len(finished(folder)) <= len(kept) and driver.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            time.sleep(draw.uniform(0.0, 0.1))
            assert driver.poll() is None, f"the study must not be over before the last kill: {driver.communicate()}"
            driver.send_signal(signal.SIGKILL)
        now = finished(folder)
        assert {key: now[key] for key in kept} == kept
        kept = now
    with driver_of(path) as driver:
        _, stderr = driver.communicate(timeout=120)
        assert driver.returncode == 0, stderr
    now = finished(folder)
    assert {key: now[key] for key in kept} == kept
    ablation = Counter((r.variant, r.seed) for (part, _), r in now.items() if part == "ablation")
    assert ablation == Counter({(v, s): 1 for v in ("base", "no attention") for s in range(4)})
    search = Store(folder).records("search")
    assert sum(record.status in TRAINED for record in search) == 4
    marks = [(r.fingerprint, r.seed) for r in now.values()]
    assert len(set(marks)) == len(marks)
    storage = f"sqlite:///{folder / 'study.db'}"
    for part in ("ablation", "search"):
        trials = optuna.load_study(study_name=f"tiny/{part}", storage=storage).trials
        assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.FAIL}


@pytest.mark.parametrize(
    "by", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)], ids=["Ctrl-C", "SIGTERM"]
)
def test_interrupted_it_says_so_and_goes_on(study_file: Write, by: signal.Signals) -> None:
    path = study_file(ABLATION, **{"steps: 2": "steps: 4000"})
    folder = load_study(path).folder
    with driver_of(path) as driver:
        deadline = time.monotonic() + 60
        while not any(record.status == "running" for record in everything(folder)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        driver.send_signal(by)
        _, stderr = driver.communicate(timeout=30)
        assert driver.returncode == 130
    assert "Interrupted. What is finished is kept; the same command goes on from there." in stderr
    assert "Traceback" not in stderr
    record = Store(folder).records("ablation")[0]
    assert (record.status, record.reason) == ("interrupted", "the run was stopped before it ended")
