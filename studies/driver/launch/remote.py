"""What runs on the other side of Ray and Slurm: text in, text out, under the limits of the study.

No exception of a trial's leaves it, so that whatever these systems report as a failure is one of theirs.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from studies.trial.job import Job, Outcome
from studies.trial.limits import TimeIsOver, limit_memory, time_limit, timed_out
from studies.trial.worker import Preparation, prepared

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
