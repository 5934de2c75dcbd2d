"""Trainings that wait at a rung of steps: which of them go on, and which are not worth it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from search import optuna_bridge as bridge
from search.objectives import signs
from search.prune import Reached, promotable
from studies.driver.ledger import Task
from studies.records.record import TrialRecord
from studies.study.document import Pruning, Search


@dataclass(frozen=True)
class Paused:
    """A training that has reached a rung.

    Attributes:
        task: its task, whose record says how it is there.
        rung: which rung it is, from 0.
    """

    task: Task
    rung: int


class Rungs:
    """Successive halving over the trainings of a search, or one of Optuna's pruners at each rung.

    Args:
        search: objectives and pruning.
        pruning: its pruning section.
        steps: steps of a whole training.
        states: folder for the trainings' states.
        records: earlier trials of the search, which count at the rungs that they reached.
    """

    def __init__(
        self, search: Search, pruning: Pruning, steps: int, states: Path, records: Iterable[TrialRecord] = ()
    ) -> None:
        self._search, self._pruning, self._states = search, pruning, states
        self._stops: list[int] = [*pruning.rungs, steps]
        self._reached: list[dict[int, Reached]] = [{} for _ in pruning.rungs]
        self._promoted: list[set[int]] = [set() for _ in pruning.rungs]
        self._paused: dict[int, Paused] = {}
        self._at: dict[int, int] = {}
        self._ready: list[Paused] = []
        for record in records:
            if record.status != "interrupted":
                self._remember(record)

    def _remember(self, record: TrialRecord) -> None:
        said = record.detail.get("rungs", [])
        for rung, (step, values, violation) in enumerate(said[: len(self._reached)]):
            if step == self._stops[rung]:
                self._reached[rung][record.trial] = _as_reached(values, violation)
                # Whether it went on from here or ended: it does not go on now.
                self._promoted[rung].add(record.trial)

    def __len__(self) -> int:
        """How many trainings wait at a rung."""
        return len(self._paused)

    def first(self, task: Task) -> Task:
        """A training that begins: up to the first rung."""
        return self._up_to(task, 0, costs=True)

    def _up_to(self, task: Task, rung: int, *, costs: bool) -> Task:
        self._at[task.trial.number] = rung
        # A training that a stopped run left has states already, at just these steps.
        known = [path for stop in self._stops[: rung + 1] if (path := self._state(task, stop)).is_file()]
        whole = rung == len(self._pruning.rungs)
        change = {
            "until": None if whole else self._stops[rung],
            "state": None if whole else self._state(task, self._stops[rung]),
            "resume": known[-1] if known else None,
            "costs": costs,
        }
        return replace(task, job=task.job.model_copy(update=change))

    def _state(self, task: Task, steps: int) -> Path:
        """Where a training's state lies; the same for the same architecture, seed and protocol."""
        begun = task.begun
        return self._states / f"{begun.fingerprint}-{begun.seed}-{begun.protocol_hash}-{steps}.pt"

    def is_last(self, task: Task) -> bool:
        """Whether a training that has ended is whole."""
        return self._at[task.trial.number] == len(self._pruning.rungs)

    def reach(self, task: Task, record: TrialRecord) -> tuple[Task, bool]:
        """Note that a training has reached its rung; returns it as it is there, and whether it may go on.

        It never may if one of Optuna's pruners says so; else that is seen when a place is free.
        """
        number = task.trial.number
        rung = self._at[number]
        values = [
            float("inf") if (value := record.compared(name)) is None else sign * value
            for name, sign in zip(self._search.objectives, signs(self._search.objectives), strict=True)
        ]
        violation = sum(max(excess, 0.0) for excess in record.violations.values())
        self._reached[rung][number] = _as_reached(values, violation)
        said = [*record.detail.get("rungs", []), [self._stops[rung], values, violation]]
        record = record.model_copy(update={"detail": {**record.detail, "rungs": said}})
        paused = Paused(replace(task, begun=record), rung)
        if self._pruning.pruner is None:
            self._paused[number] = paused
            return paused.task, True
        first = next(iter(self._search.objectives))
        goes_on = bridge.is_worth_going_on(task.trial, record.metrics[first], self._stops[rung])
        if goes_on:
            self._ready.append(paused)
        return paused.task, goes_on

    def promoted(self) -> Task | None:
        """The training to go on with now, from the highest rung down; None if none is good enough yet."""
        if self._ready:
            return self._next(self._ready.pop(0))
        for rung in reversed(range(len(self._reached))):
            number = promotable(self._reached[rung], self._promoted[rung], self._pruning.eta, self._pruning.tie)
            if number is not None and number in self._paused:
                self._promoted[rung].add(number)
                return self._next(self._paused.pop(number))
        return None

    def _next(self, paused: Paused) -> Task:
        # Latency and memory do not change with training.
        return self._up_to(paused.task, paused.rung + 1, costs=False)

    def give_up(self) -> list[tuple[Task, str]]:
        """Every training that waits still, and why it is not gone on with."""
        left = [(paused.task, self.reason(paused.rung)) for paused in self._paused.values()]
        self._paused.clear()
        return left

    def reason(self, rung: int) -> str:
        """Why a training ends at a rung, for people."""
        how = f"not among the best 1 in {self._pruning.eta}"
        if self._pruning.pruner is not None:
            how = f"{self._pruning.pruner} pruned it"
        return f"stopped after {self._stops[rung]} of {self._stops[-1]} steps: {how} there"

    def rung_of(self, task: Task) -> int:
        """The rung that a training is on its way to."""
        return self._at[task.trial.number]

    def forget(self, task: Task) -> None:
        """Remove the states of a training that is over."""
        for stop in self._pruning.rungs:
            self._state(task, stop).unlink(missing_ok=True)


def _as_reached(values: Sequence[float], violation: float) -> Reached:
    """What was not measured comes after all that was, like what breaks its budgets: no number compares with it."""
    return Reached(tuple(values), violation if all(map(math.isfinite, values)) else math.inf)
