"""Trials in processes of this machine."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

from studies.trial import Job, Outcome, Progress
from studies.worker import Preparation, Worker


@dataclass(frozen=True)
class _Running:
    worker: Worker
    thread: threading.Thread
    on_progress: Callable[[Progress], None]


class LocalLauncher:
    """A `Launcher` with a number of worker processes, each kept warm; one thread here waits for each of them.

    Args:
        folder: where the workers' logs go.
        workers: number of jobs that run at a time.
    """

    def __init__(self, folder: Path, workers: int = 1) -> None:
        names = ["worker.log"] if workers == 1 else [f"worker-{number}.log" for number in range(workers)]
        self._idle = [Worker(folder / name) for name in names]
        self._running: dict[int, _Running] = {}
        self._tickets = count()
        # Whatever the threads have to say goes through here, so that only the driver's thread acts on it.
        self._events: queue.Queue[tuple[int, Progress | Outcome | BaseException]] = queue.Queue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(kill=kind is not None)

    def prepare(self, preparation: Preparation) -> None:
        """Find the device and read the data once, before anything is trained; `UserError` if either cannot be had."""
        self._idle[0].prepare(preparation)

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
