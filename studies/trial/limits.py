"""What a trial's process may use: time, memory, threads, devices."""

from __future__ import annotations

import os
import re
import resource
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from studies.training.failures import Failure
from studies.trial.job import Outcome


class TimeIsOver(Exception):  # noqa: N818 - it is no error of the trial's code
    """The trial's time is over."""


def limit_memory(size: float | None) -> None:
    """Let this process ask for at most `size` bytes; more is a MemoryError, or torch's own error of that meaning.

    The limit is on memory of its own (RLIMIT_DATA: heap and private writable mappings), not on the address space, of
    which CUDA reserves far more than it uses.
    """
    if size is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        soft = int(size) if hard == resource.RLIM_INFINITY else min(int(size), hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise `TimeIsOver` in the body when its time is over; to be used in a process's main thread."""
    if seconds is None:
        yield
        return

    def ring(number: int, frame: Any) -> None:
        raise TimeIsOver

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def failed(reason: str, wall: float, *, status: Failure = "failed", **detail: Any) -> Outcome:
    """The outcome of a trial that could not say itself what became of it."""
    return Outcome(
        status=status, reason=reason, metrics={}, detail=detail, curve=(), environment={}, data={}, wall=wall
    )


def timed_out(limit: float, wall: float) -> Outcome:
    """The outcome of a trial whose time was over."""
    return failed(f"the trial took longer than run.timeout ({duration(limit)}) and was stopped", wall, timeout=limit)


def duration(seconds: float) -> str:
    """As a study file would say it: 90 s, 30 min, 2 h."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size and (seconds / size).is_integer():
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def thread_environment(workers: int, cores: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that share the cores among the workers, unless the user has set them.

    Workers that take all cores each spend their time waiting for one another.
    """
    # Without the first libgomp's threads wait by spinning, and a training of small networks that shares its cores with
    # anything else slows down by one to two orders of magnitude.
    wanted = {"GOMP_SPINCOUNT": "10000"}
    if workers > 1:
        share = str(max(1, cores // workers))
        wanted |= {"OMP_NUM_THREADS": share, "MKL_NUM_THREADS": share, "OPENBLAS_NUM_THREADS": share}
    return {name: value for name, value in wanted.items() if name not in environment}


def device_environment(index: int, devices: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that give worker `index` a GPU of its own; none where there are not several (not run on CUDA yet)."""
    if devices < 2:
        return {}
    visible = [name for name in re.split(r"\s*,\s*", environment.get("CUDA_VISIBLE_DEVICES", "")) if name]
    names = visible or [str(number) for number in range(devices)]
    return {"CUDA_VISIBLE_DEVICES": names[index % len(names)]}


def cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0))
