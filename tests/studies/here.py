"""Trials in the tests' own process, which has imported torch: where a process of their own is not the point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from archspec import user_error
from studies.study.execution import Run
from studies.trial.job import Job, Outcome, Progress
from studies.trial.preparation import Preparation, prepared
from studies.trial.run import run_trial


class Here:
    """A launcher of one place; a trial, real ones by default, runs when it is waited for."""

    def __init__(
        self, run: Run, folder: Path, trial: Callable[[Job, Callable[[Progress], None]], Outcome] = run_trial
    ) -> None:
        del run, folder
        self._trial = trial
        self._waiting: tuple[Job, Callable[[Progress], None]] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def prepare(self, preparation: Preparation) -> None:
        refused, _ = prepared(preparation)
        if refused is not None:
            raise user_error(refused)

    def room(self) -> bool:
        return self._waiting is None

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        self._waiting = job, on_progress
        return 0

    def wait(self) -> tuple[int, Outcome]:
        assert self._waiting is not None
        job, on_progress = self._waiting
        self._waiting = None
        return 0, self._trial(job, on_progress)
