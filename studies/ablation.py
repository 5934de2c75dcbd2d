"""The ablation's question: every variant with every seed."""

from __future__ import annotations

from collections import deque

from search import optuna_bridge as bridge
from studies.ledger import Ledger, Task
from studies.plan import Cell, cells
from studies.records import SETTLED, WITH_RESULT, TrialRecord
from studies.study import Study
from studies.trial import Outcome


class AblationQuestion:
    """A `Question`: the planned cells that have no record yet, in their order.

    Args:
        study: what to run.
        ledger: where it is written down.
        retry_failed: count cells without a result as not there.
    """

    def __init__(self, study: Study, ledger: Ledger, *, retry_failed: bool) -> None:
        self._ledger = ledger
        planned = cells(study)
        self._optuna_study = ledger.open("ablation", ["loss"])
        done = {
            (record.variant, record.seed): record
            for record in ledger.store.records("ablation")
            if record.status in SETTLED and not (retry_failed and record.status not in WITH_RESULT)
        }
        self._left = deque(cell for cell in planned if not _is_settled(cell, done))
        ledger.observer.planned("ablation", len(planned) - len(self._left), len(planned))

    def next(self) -> Task | None:
        """The next cell that has to be trained; those whose result is known are replayed on the way."""
        while self._left:
            taken = self._take(self._left.popleft())
            if isinstance(taken, Task):
                return taken
        return None

    def _take(self, cell: Cell) -> Task | TrialRecord | None:
        with bridge.quiet():
            trial = self._optuna_study.ask()
        variant = cell.variant
        begun = self._ledger.record("ablation", trial, cell.seed, variant.fingerprint, variant.edits)
        return self._ledger.take(trial, begun.model_copy(update={"variant": variant.name}), variant.graph)

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it."""
        self._ledger.ended(task, outcome)


def _is_settled(cell: Cell, done: dict[tuple[str | None, int], TrialRecord]) -> bool:
    record = done.get((cell.variant.name, cell.seed))
    return record is not None and record.fingerprint == cell.variant.fingerprint
