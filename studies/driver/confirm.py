"""A search's winners trained again with fresh seeds, beside the base, before anything is claimed of them.

The best of many values is partly the best luck: its search value is too good on average. Fresh seeds have not been
selected on, so that they say what the architecture is worth.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from archspec import from_document, to_document, user_error
from archspec.graphs.graph import ArchGraph
from search import optuna_bridge as bridge
from studies.driver.ledger import Ledger, Task
from studies.records.judged import judged
from studies.records.record import SETTLED, WITH_RESULT, TrialRecord
from studies.records.store import Store
from studies.study.study import Study
from studies.trial.job import Outcome


@dataclass(frozen=True)
class Winner:
    """One architecture to confirm; `trial` is its number in the search, None for the base."""

    name: str
    trial: int | None
    fingerprint: str
    document: dict[str, object]
    edits: tuple[str, ...]


def winners(study: Study, store: Store, top: int) -> list[Winner]:
    """The base, then the search's best architectures within the budgets by loss (or the first objective), best first.

    Raises:
        UserError: the study has no search, or none of its trials has a result within the budgets.
    """
    search = study.file.search
    if search is None:
        hint = "Only a search has winners to confirm; `ushape run` trains an ablation with all its seeds."
        raise user_error("the study has no search.", hint, file=str(study.path))
    first = "loss" if "loss" in search.objectives else next(iter(search.objectives))
    base = store.base_fingerprint()
    everything = [record for part in store.parts() for record in store.records(part)]
    done = [
        record
        for record in judged(everything, study.document(), base)
        if record.part == "search"
        and record.status in WITH_RESULT
        and record.feasible
        and first in record.metrics
        and record.fingerprint
    ]
    if not done:
        raise user_error("no trial of the search has a result within the budgets.", "Run the study first.")
    architectures = store.architectures()
    best: dict[str, TrialRecord] = {}
    sign = -1.0 if search.objectives.get(first) == "maximize" else 1.0
    for record in sorted(done, key=lambda one: (sign * one.metrics[first], one.trial)):
        assert record.fingerprint is not None
        if record.fingerprint != base:
            best.setdefault(record.fingerprint, record)
    chosen = list(best.values())[:top]
    found = [Winner("base", None, base, to_document(study.base), ())]
    for record in chosen:
        mark = str(record.fingerprint)
        found.append(Winner(f"trial {record.trial}", record.trial, mark, architectures[mark], record.edits))
    return found


def fresh_seeds(study: Study, store: Store, count: int) -> tuple[int, ...]:
    """The first `count` seeds from 0 that no trial of the search used: the same in every run of it."""
    used = {record.seed for record in store.records("search")}
    found: list[int] = []
    seed = 0
    while len(found) < count:
        if seed not in used:
            found.append(seed)
        seed += 1
    return tuple(found)


class ConfirmQuestion:
    """A `Question`: each winner and the base with each fresh seed, seed by seed."""

    def __init__(self, ledger: Ledger, chosen: list[Winner], seeds: tuple[int, ...], *, retry_failed: bool) -> None:
        self._ledger = ledger
        done = {
            (record.variant, record.seed): record.fingerprint
            for record in ledger.records("confirmation")
            if record.status in SETTLED and not (retry_failed and record.status not in WITH_RESULT)
        }
        planned = [(one, seed) for seed in seeds for one in chosen]
        self._graphs: dict[str, ArchGraph] = {one.name: from_document(one.document) for one in chosen}
        self._optuna_study = ledger.open("confirmation", ["loss"])
        self._left = deque((one, seed) for one, seed in planned if done.get((one.name, seed)) != one.fingerprint)
        ledger.observer.planned("confirmation", len(planned) - len(self._left), len(planned))

    def next(self) -> Task | None:
        """The next training; known ones are replayed on the way."""
        while self._left:
            taken = self._take(*self._left.popleft())
            if isinstance(taken, Task):
                return taken
        return None

    def _take(self, one: Winner, seed: int) -> Task | TrialRecord | None:
        with bridge.quiet():
            trial = self._optuna_study.ask()
        begun = self._ledger.record("confirmation", trial, seed, one.fingerprint, one.edits)
        detail = {} if one.trial is None else {"confirms": f"search/{one.trial}"}
        begun = begun.model_copy(update={"variant": one.name, "detail": detail})
        return self._ledger.take(trial, begun, self._graphs[one.name])

    def ahead(self) -> None:
        """Its trainings are known from the start."""

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it."""
        self._ledger.ended(task, outcome)
