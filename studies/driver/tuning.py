"""Tuning before judging: each variant tries the same few learning rates on seeds of its own.

A learning rate that suits the base can make a variant look worse than it is. With ``protocol.tune: [lr]`` every variant
(the base too) is trained at each factor times the protocol's learning rate, on seeds that no comparison uses, and is
then judged at the rate of its smallest mean loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from search import optuna_bridge as bridge
from studies.driver.ledger import Ledger, Task
from studies.driver.plan import Variant, variants
from studies.records.record import SETTLED, WITH_RESULT, TrialRecord
from studies.study.study import Study
from studies.trial.job import Outcome

FIRST_SEED = 900_000
"""The first seed of tuning, far from those that people give to trainings."""

Point = tuple[Variant, float, int]


def grid(study: Study) -> list[tuple[float, int]]:
    """(learning rate, seed) of every training that a variant's tuning takes; empty without tuning."""
    tune = study.file.protocol.tune
    if tune is None or study.file.ablation is None:
        return []
    rates = [study.file.protocol.train.lr * factor for factor in tune.factors]
    return [(rate, FIRST_SEED + k) for k in range(tune.seeds) for rate in rates]


class Tuned:
    """What each variant's tuning found."""

    def __init__(self, study: Study, records: Iterable[TrialRecord]) -> None:
        self._base = study.file.protocol.train.lr
        self._is_on = bool(grid(study))
        self._wanted = grid(study)
        self._losses: dict[str, dict[tuple[float, int], float]] = {}
        for record in records:
            if record.status in WITH_RESULT and "loss" in record.metrics:
                point = (record.tuned["lr"], record.seed)
                self._losses.setdefault(str(record.variant), {})[point] = record.metrics["loss"]

    def of(self, variant: str) -> dict[str, float]:
        """The parameters at which a variant is judged; empty without tuning.

        Only rates that finished with every seed count; without any, it is judged at the protocol's own.
        """
        if not self._is_on:
            return {}
        known = self._losses.get(variant, {})
        rates = dict.fromkeys(rate for rate, _ in self._wanted)
        means = {}
        for rate in rates:
            points = [point for point in self._wanted if point[0] == rate]
            if all(point in known for point in points):
                means[rate] = sum(known[point] for point in points) / len(points)
        return {"lr": min(means, key=lambda rate: means[rate]) if means else self._base}


class TuningQuestion:
    """A `Question`: the trainings by which each variant finds its learning rate."""

    def __init__(self, study: Study, ledger: Ledger, *, retry_failed: bool) -> None:
        self._study, self._ledger = study, ledger
        done = {
            (record.variant, record.tuned.get("lr"), record.seed): record.fingerprint
            for record in ledger.records("tuning")
            if record.status in SETTLED and not (retry_failed and record.status not in WITH_RESULT)
        }
        planned = [(variant, rate, seed) for rate, seed in grid(study) for variant in variants(study)]
        self._optuna_study = ledger.open("tuning", ["loss"])
        self._left = deque(
            (variant, rate, seed)
            for variant, rate, seed in planned
            if done.get((variant.name, rate, seed)) != variant.fingerprint
        )
        # Nothing is measured but the loss.
        self._measure = study.file.measure.model_copy(update={"latency": False, "memory": False})
        ledger.observer.planned("tuning", len(planned) - len(self._left), len(planned))

    def next(self) -> Task | None:
        """The next training; known ones are replayed on the way."""
        while self._left:
            taken = self._take(self._left.popleft())
            if isinstance(taken, Task):
                return taken
        return None

    def _take(self, point: Point) -> Task | TrialRecord | None:
        variant, rate, seed = point
        tuned = {"lr": rate}
        with bridge.quiet():
            trial = self._optuna_study.ask()
        begun = self._ledger.record("tuning", trial, seed, variant.fingerprint, variant.edits)
        mark = self._study.protocol_hash(tuned, self._measure)
        begun = begun.model_copy(update={"variant": variant.name, "tuned": tuned, "protocol_hash": mark})
        protocol = self._study.tuned_protocol(tuned)
        return self._ledger.take(trial, begun, variant.graph, protocol, self._measure)

    def ahead(self) -> None:
        """Its trainings are known from the start."""

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it."""
        self._ledger.ended(task, outcome)
