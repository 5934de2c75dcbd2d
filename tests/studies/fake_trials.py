"""Trials for tasks and jobs of launchers that run elsewhere: nearly free, importable there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from studies.trial.job import Job, Outcome
from tests.studies.fake_worker import fake_trial


def pretended(job: Job) -> Outcome:
    """As the fake worker's, with the process it ran in."""
    time.sleep(0.05)
    done = fake_trial(job)
    return done.model_copy(update={"detail": {"pid": os.getpid()}})


class Exits:
    """A trial whose process ends in its midst."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, job: Job) -> Outcome:
        with (self.folder / "attempts").open("a") as file:
            file.write("x")
        os._exit(5)


class Hangs:
    """A trial that never ends by itself."""

    def __call__(self, job: Job) -> Outcome:
        while True:
            time.sleep(0.1)


def fit(preparation: str) -> str | None:
    """Every study can be run."""
    del preparation
    return None
