"""The driver's loop with many workers on a virtual clock.

    python benchmarks/scale/simulate.py [TRIALS] [WORKERS]

The loop is `studies.driver.loop.drive` itself. Each trial costs the driver a constant time (half when it is proposed,
half when it is recorded; measure it with overhead.py), during which it does nothing else, and trains for a time drawn
log-normally around a median. Database and sampler are not run: their time is in that constant.
"""

from __future__ import annotations

import heapq
import random
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from studies.driver.ledger import Task
from studies.driver.loop import Launcher, drive
from studies.trial.job import Outcome


class Clock:
    now = 0.0


class Cluster:
    """A launcher whose trials end on the clock."""

    def __init__(self, clock: Clock, workers: int, seconds: Callable[[], float]) -> None:
        self.clock, self.workers, self.seconds = clock, workers, seconds
        self.ends: list[tuple[float, int]] = []
        self.tickets, self.busy = 0, 0.0

    def prepare(self, preparation: Any) -> None: ...

    def room(self) -> bool:
        return len(self.ends) < self.workers

    def submit(self, job: Any, on_progress: Any) -> int:
        self.tickets += 1
        length = self.seconds()
        self.busy += length
        heapq.heappush(self.ends, (self.clock.now + length, self.tickets))
        return self.tickets

    def wait(self) -> tuple[int, Outcome]:
        end, ticket = heapq.heappop(self.ends)
        self.clock.now = max(self.clock.now, end)
        return ticket, cast("Outcome", None)


class Asked:
    """A question of a number of trials, each of which costs the driver its time."""

    def __init__(self, clock: Clock, trials: int, cost: float) -> None:
        self.clock, self.left, self.cost, self.ended_trials = clock, trials, cost, 0

    def next(self) -> Task | None:
        if not self.left:
            return None
        self.left -= 1
        self.clock.now += self.cost / 2
        return cast("Task", SimpleNamespace(job=None))

    def ahead(self) -> None: ...

    def ended(self, task: Task, outcome: Outcome) -> None:
        self.clock.now += self.cost / 2
        self.ended_trials += 1


def busy(trials: int, workers: int, median: float, cost: float) -> float:
    """The share of the workers' time that they train."""
    draw, clock = random.Random(0), Clock()
    cluster = Cluster(clock, workers, lambda: median * draw.lognormvariate(0.0, 0.5))
    question = Asked(clock, trials, cost)
    drive(question, cast("Launcher", cluster), lambda task, progress: None)
    assert question.ended_trials == trials
    return cluster.busy / (workers * clock.now)


if __name__ == "__main__":
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    workers = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000
    costs = (0.02, 0.05, 0.1, 0.3, 1.0)
    print(f"{trials} trials, {workers} workers: share of time that workers are busy")
    print("| median trial | " + " | ".join(f"{1e3 * cost:.0f} ms" for cost in costs) + " |")
    print("|---|" + "---|" * len(costs))
    for median in (60.0, 600.0, 3600.0):
        shares = (f"{100 * busy(trials, workers, median, cost):.1f} %" for cost in costs)
        print(f"| {median / 60:.0f} min | " + " | ".join(shares) + " |")
