"""What Ray and Slurm have in common: how a driver queues trials there, and what runs on the other side.

Text goes in and text comes out, under the limits of the study. No exception of a trial's leaves it, so that whatever
these systems report as a failure is one of theirs.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from itertools import count
from typing import Any

from archspec import user_error
from studies.study.execution import Run
from studies.trial.job import Job, Outcome, Progress
from studies.trial.limits import TimeIsOver, limit_memory, time_limit, timed_out
from studies.trial.preparation import Preparation, prepared

#: Runs a job in this process.
Trial = Callable[[Job], Outcome]


def trained(job: Job) -> Outcome:
    """The usual trial; nobody listens to its progress."""
    from studies.trial.run import run_trial

    return run_trial(job, lambda progress: None)


def run_remote(trial: Trial, job: str, timeout: float | None, memory: float | None) -> str:
    """Run a job (JSON of `Job`) in this process and return its outcome (JSON of `Outcome`).

    Args:
        trial: what to run.
        job: the job.
        timeout: seconds that it may take.
        memory: bytes that this process may ask for.
    """
    limit_memory(memory)
    began = time.perf_counter()
    try:
        with time_limit(timeout):
            outcome = trial(Job.model_validate_json(job))
    except TimeIsOver:
        assert timeout is not None
        outcome = timed_out(timeout, time.perf_counter() - began)
    return outcome.model_dump_json()


def prepare_remote(preparation: str) -> str | None:
    """Why a study cannot be run where this process is; None if it can."""
    refused, _ = prepared(Preparation.model_validate_json(preparation))
    return refused


class RemoteLauncher(ABC):
    """What every `Launcher` of another system does: as many trials at a time as have room, none telling its progress.

    Args:
        run: what the study says of its run.
        trial: what runs there.
        places: trials at a time.
    """

    def __init__(self, run: Run, trial: Trial, places: int) -> None:
        self._run, self._trial, self._places = run, trial, places
        self._tickets = count()
        #: ticket -> what the system calls the trial
        self._running: dict[int, Any] = {}

    def prepare(self, preparation: Preparation) -> None:
        """Find the device and read the data once there, before anything is trained; `UserError` if it cannot."""
        refused = self._answer(preparation.model_dump_json())
        if refused is not None:
            raise user_error(refused)

    def room(self) -> bool:
        """Whether another trial may be queued."""
        return len(self._running) < self._places

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        """Queue a trial; it reports no progress."""
        del on_progress
        ticket = next(self._tickets)
        self._running[ticket] = self._send(self._trial, job.model_dump_json(), self._run.timeout, self._run.memory)
        return ticket

    @abstractmethod
    def _answer(self, preparation: str) -> str | None:
        """Why a study (JSON of `Preparation`) cannot be run there; None if it can."""

    @abstractmethod
    def _send(self, *arguments: Any) -> Any:
        """Have `run_remote` called there with these arguments; returns what the system calls it."""
