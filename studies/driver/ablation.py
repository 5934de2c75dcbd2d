"""The ablation's question: every variant with every seed, as far as its design asks for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import optuna

from search import optuna_bridge as bridge
from search.sequential import MIN_LOOK, decided
from studies.driver.ledger import Ledger, Task
from studies.driver.plan import Cell, cells, most_cells
from studies.driver.tuning import Tuned
from studies.records.record import SETTLED, WITH_RESULT, TrialRecord
from studies.study.designs.forms import BASE
from studies.study.stated import state_margin
from studies.study.study import Study
from studies.trial.job import Outcome

#: What the loss of a training without a result counts as where a design goes on by losses.
LOST = float("inf")


class AblationQuestion:
    """A `Question`: the planned cells that have no record yet, round by round.

    A fixed design has one round. A path has one for each step, and `until` one for each seed, in which only the base
    and the variants that are not decided yet are trained; a round begins when the one before has ended.

    Args:
        study: what to run.
        ledger: where it is written down.
        retry_failed: count cells without a result as not there.
    """

    def __init__(self, study: Study, ledger: Ledger, *, retry_failed: bool) -> None:
        self._study, self._ledger = study, ledger
        records = ledger.records("ablation")
        self._state_margin(records)
        self._optuna_study: optuna.Study = ledger.open("ablation", ["loss"])
        self._tuned = Tuned(study, ledger.records("tuning"))
        self._settled: dict[tuple[str, int], TrialRecord] = {}
        self._learn(
            record
            for record in records
            if record.status in SETTLED and not (retry_failed and record.status not in WITH_RESULT)
        )
        self._under_way = 0
        most = most_cells(study)
        self._left = deque(self._round())
        ledger.observer.planned("ablation", most - len(self._left) if self._is_fixed else self._done(), most)

    @property
    def _is_fixed(self) -> bool:
        ablation = self._study.file.ablation
        return ablation is not None and ablation.path is None and ablation.until is None

    def _done(self) -> int:
        return sum(self._is_settled(cell) for cell in cells(self._study, self._losses()))

    def _state_margin(self, records: Iterable[TrialRecord]) -> None:
        ablation = self._study.file.ablation
        margin = ablation.stated_margin if ablation else None
        results = sum(record.status in WITH_RESULT for record in records)
        state_margin(self._ledger.store.folder, margin.model_dump(mode="json") if margin else None, results)

    def next(self) -> Task | None:
        """The next cell that has to be trained; those whose result is known are replayed on the way."""
        while True:
            if not self._left and not self._under_way:
                self._left.extend(self._round())
            if not self._left:
                return None
            taken = self._take(self._left.popleft())
            if isinstance(taken, Task):
                return taken

    def ahead(self) -> None:
        """Its trainings are known from the start."""

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it, and those that waited for it."""
        records = self._ledger.ended(task, outcome)
        self._under_way -= len(records)
        self._learn(records)

    def _take(self, cell: Cell) -> Task | TrialRecord | None:
        with bridge.quiet():
            trial = self._optuna_study.ask()
        variant = cell.variant
        begun = self._ledger.record("ablation", trial, cell.seed, variant.fingerprint, variant.edits)
        tuned = self._tuned.of(variant.name)
        begun = begun.model_copy(
            update={
                "variant": variant.name, "design": variant.design, "reference": variant.reference,
                "factors": dict(variant.factors), "tuned": tuned, "protocol_hash": self._study.protocol_hash(tuned),
            }
        )  # fmt: skip
        taken = self._ledger.take(trial, begun, variant.graph, self._study.tuned_protocol(tuned))
        if isinstance(taken, TrialRecord):
            self._learn([taken])
        else:
            self._under_way += 1
        return taken

    def _learn(self, records: Iterable[TrialRecord]) -> None:
        self._settled.update({(str(record.variant), record.seed): record for record in records})

    def _is_settled(self, cell: Cell) -> bool:
        record = self._settled.get((cell.variant.name, cell.seed))
        return record is not None and record.fingerprint == cell.variant.fingerprint

    def _round(self) -> list[Cell]:
        """The cells that are to be trained now, in view of what is settled; empty when the question is answered."""
        planned = cells(self._study, self._losses())
        ablation = self._study.file.ablation
        if ablation is None or ablation.until is None:
            return [cell for cell in planned if not self._is_settled(cell)]
        for seed in self._study.seeds:
            wanted = self._undecided([cell for cell in planned if cell.seed == seed], seed)
            missing = [cell for cell in wanted if not self._is_settled(cell)]
            if missing:
                return missing
        return []

    def _undecided(self, of_seed: list[Cell], seed: int) -> list[Cell]:
        """The cells of one seed that have to be trained: of variants that the seeds before it did not decide."""
        assert self._study.file.ablation is not None
        margin = self._study.file.ablation.stated_margin
        assert margin is not None
        losses = self._losses()
        before = [other for other in self._study.seeds if other < seed]
        base = [losses.get(BASE, {}).get(other, LOST) for other in before]
        finite = [loss for loss in base if loss < LOST]
        allowed = margin.absolute(sum(finite) / len(finite)) if finite else 0.0
        found = []
        for cell in of_seed:
            reference = losses.get(cell.variant.reference, {})
            own = losses.get(cell.variant.name, {})
            pairs = [own.get(other, LOST) - reference.get(other, LOST) for other in before]
            known = [pair for pair in pairs if abs(pair) < LOST]
            if len(known) < MIN_LOOK or not decided(known, allowed, len(of_seed) - 1):
                found.append(cell)
        needed = {cell.variant.reference for cell in found if cell.variant.name != BASE}
        return [
            cell for cell in of_seed if (cell in found and cell.variant.name != BASE) or cell.variant.name in needed
        ]

    def _losses(self) -> dict[str, dict[int, float]]:
        """Variant -> seed -> loss of what is settled; `LOST` for trainings without a result."""
        found: dict[str, dict[int, float]] = {}
        for (variant, seed), record in self._settled.items():
            loss = record.metrics.get("loss", LOST) if record.status in WITH_RESULT else LOST
            found.setdefault(variant, {})[seed] = loss
        return found
