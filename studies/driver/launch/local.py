"""Trials in processes of this machine."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from studies.study.execution import Run
from studies.trial.job import Job, Outcome, Progress
from studies.trial.limits import cores, device_environment, thread_environment
from studies.trial.preparation import Preparation
from studies.trial.worker import Conditions, Worker


@dataclass(frozen=True)
class _Running:
    worker: Worker
    thread: threading.Thread
    on_progress: Callable[[Progress], None]


class LocalLauncher:
    """A `Launcher` with a number of worker processes; one thread here waits for each of them.

    Args:
        folder: where the workers' logs go.
        workers: number of jobs that run at a time; None: one for each device, which `prepare` finds out.
        conditions: how the processes are started, and what they may use.
    """

    def __init__(
        self,
        folder: Path,
        workers: int | None = 1,
        conditions: Conditions = Conditions(),  # noqa: B008 - frozen
    ) -> None:
        self._folder, self._workers, self._conditions = folder, workers, conditions
        self._idle = [self._worker(0, workers or 1, 1)]
        if workers is not None:
            self._grow(workers, 1)
        self._running: dict[int, _Running] = {}
        self._tickets = count()
        # Whatever the threads have to say goes through here, so that only the driver's thread acts on it.
        self._events: queue.Queue[tuple[int, Progress | Outcome | BaseException]] = queue.Queue()

    @classmethod
    def of(cls, run: Run, folder: Path) -> Self:
        """The launcher that a study's `run` section asks for."""
        conditions = Conditions(timeout=run.timeout, memory=run.memory, fresh=run.isolation == "trial")
        return cls(folder, run.workers, conditions)

    def _worker(self, number: int, workers: int, devices: int) -> Worker:
        environment = {
            **thread_environment(workers, cores(), os.environ),
            **device_environment(number, devices, os.environ),
            **self._conditions.environment,
        }
        name = "worker.log" if number == 0 else f"worker-{number}.log"
        return Worker(self._folder / name, replace(self._conditions, environment=environment))

    def _grow(self, workers: int, devices: int) -> None:
        self._idle += [self._worker(number, workers, devices) for number in range(len(self._idle), workers)]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kill=kind is not None)

    def prepare(self, preparation: Preparation) -> None:
        """Find the device and read the data once, before anything is trained; `UserError` if either cannot be had."""
        devices = self._idle[0].prepare(preparation)
        if self._workers is None or devices > 1:
            del self._idle[1:]
            self._grow(self._workers or devices, devices)

    def room(self) -> bool:
        """Whether a worker is idle."""
        return bool(self._idle)

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        """Give a job to an idle worker."""
        ticket, worker = next(self._tickets), self._idle.pop(0)
        thread = threading.Thread(target=self._work, args=(ticket, worker, job), daemon=True)
        self._running[ticket] = _Running(worker, thread, on_progress)
        thread.start()
        return ticket

    def _work(self, ticket: int, worker: Worker, job: Job) -> None:
        try:
            self._events.put((ticket, worker.run(job, lambda progress: self._events.put((ticket, progress)))))
        except BaseException as error:  # noqa: BLE001 - it is raised again in the driver's thread
            self._events.put((ticket, error))

    def wait(self) -> tuple[int, Outcome]:
        """The next job that ends; progress is passed on meanwhile."""
        while True:
            ticket, event = self._events.get()
            if isinstance(event, Progress):
                self._running[ticket].on_progress(event)
                continue
            if isinstance(event, BaseException):
                raise event
            self._idle.append(self._running.pop(ticket).worker)
            return ticket, event

    def close(self, *, kill: bool = False) -> None:
        """End the workers: at once, or when they see that nothing more comes."""
        for running in self._running.values():
            running.worker.kill()
        for running in self._running.values():
            running.thread.join(timeout=10)
        for worker in [*self._idle, *(running.worker for running in self._running.values())]:
            worker.close(kill=kill)
