"""The loop of a run: a question says what to train next, a launcher trains it, the question learns what came of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from studies.driver.ledger import Task
from studies.trial.job import Job, Outcome, Progress
from studies.trial.preparation import Preparation


class Question(Protocol):
    """A part of a study: an ablation, a search."""

    def next(self) -> Task | None:
        """The next training.

        None if there is nothing to train now: nothing at all, if no task is under way; else it is asked again when
        one has ended.
        """

    def ahead(self) -> None:
        """Nothing can start now, and trainings are under way: what `next` will need can be made meanwhile."""

    def ended(self, task: Task, outcome: Outcome) -> None:
        """A task that `next` gave is over."""


class Launcher(Protocol):
    """Where trainings run; it is used from one thread."""

    def prepare(self, preparation: Preparation) -> None:
        """Find the device and read the data once, before anything is trained; `UserError` if either cannot be had."""

    def room(self) -> bool:
        """Whether another job can start now."""

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        """Start a job; `on_progress` is called from within `wait`. Returns the job's ticket."""

    def wait(self) -> tuple[int, Outcome]:
        """The next job that ends, by its ticket, and what came of it; a worker that dies is an outcome too."""


def drive(question: Question, launcher: Launcher, progressed: Callable[[Task, Progress], None]) -> None:
    """Run a question to its end.

    Args:
        question: what to train.
        launcher: where to train it.
        progressed: told how far each training is.
    """
    under_way: dict[int, Task] = {}
    while True:
        while launcher.room() and (task := question.next()) is not None:
            under_way[launcher.submit(task.job, _reporter(task, progressed))] = task
        if not under_way:
            return
        question.ahead()
        ticket, outcome = launcher.wait()
        question.ended(under_way.pop(ticket), outcome)


def _reporter(task: Task, progressed: Callable[[Task, Progress], None]) -> Callable[[Progress], None]:
    return lambda progress: progressed(task, progress)
