"""The search's question: propose, refuse, replay or train until the budget is used up."""

from __future__ import annotations

from collections import Counter
from typing import Any

from archspec.graph import ArchGraph
from search import optuna_bridge as bridge
from search.decode import base_point, decode
from search.feasible import Assessment, assess
from search.space import point, size
from studies.document import Search
from studies.ledger import Ledger, Task
from studies.records import SETTLED, TRAINED, TrialRecord
from studies.study import Study
from studies.trial import Outcome

#: Proposals in a row that lead to no training before a search gives up: the space is exhausted, or the budgets are.
MAX_IDLE = 200
#: Proposals at a time that wait for the same architecture's training to end; beyond it the sampler is not asked.
MAX_WAITING = 8


class SearchQuestion:
    """A `Question`: what the sampler proposes, as far as it has to be trained.

    Args:
        study: what to run.
        search: its search section.
        ledger: where it is written down.
    """

    def __init__(self, study: Study, search: Search, ledger: Ledger) -> None:
        self._study, self._search, self._ledger = study, search, ledger
        records = ledger.store.records("search")
        self._primitives = study.primitives()
        defaults = bridge.default_options(search.sampler.name, len(self._primitives), search.trials)
        # A resumed search must not propose again what the first run drew from the same seed.
        seed = search.sampler.seed + len(records)
        sampler = bridge.make_sampler(search.sampler.name, {**defaults, **search.sampler.options}, seed)
        self._optuna_study = ledger.open("search", search.objectives, sampler)
        self._enqueue(records)
        self._trained = sum(record.status in TRAINED for record in records)
        self._under_way = 0
        self._idle = _idle(records)
        self._points = size(search.space, study.levels)
        ledger.observer.planned("search", self._trained, search.trials)

    def next(self) -> Task | None:
        """The next point to be trained; None if the budget is used up or under way, or nothing new is found."""
        while self._trained + self._under_way < self._search.trials:
            if self._finds_nothing_new():
                if not self._under_way:
                    self._ledger.observer.said(_why_it_ends(self._trained, self._idle))
                return None
            if self._ledger.num_waiting >= MAX_WAITING:
                return None
            taken = self._propose()
            if isinstance(taken, Task):
                self._under_way += 1
                return taken
            if taken is not None:
                self._idle.append(taken)
        return None

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it; it counts towards the budget."""
        self._under_way -= 1
        self._trained += 1
        self._idle = self._ledger.ended(task, outcome)[1:]

    def _finds_nothing_new(self) -> bool:
        distinct = {str(record.detail.get("chosen")) for record in self._idle}
        return len(self._idle) >= MAX_IDLE or len(distinct) >= self._points

    def _enqueue(self, records: list[TrialRecord]) -> None:
        """What is to be proposed before the sampler is asked: interrupted points again, at the start the base."""
        last = {str(record.detail.get("chosen")): record for record in records}
        for record in last.values():
            if record.status == "interrupted":
                bridge.enqueue(self._optuna_study, record.detail["chosen"], self._primitives)
        if self._search.include_base and not records:
            chosen = base_point(self._study.spec, self._search.space, self._study.levels)
            if chosen is None or not bridge.enqueue(self._optuna_study, chosen, self._primitives):
                text = "The base is not a point of the search space, so the search starts without it."
                self._ledger.observer.said(text)

    def _propose(self) -> Task | TrialRecord | None:
        study, search = self._study, self._search
        trial, chosen = bridge.ask(self._optuna_study, self._primitives)
        values = point(search.space, chosen, study.levels)
        edits = decode(study.spec, search.space, values)
        assessed = assess(study.spec, edits, search.budgets)
        seed = search.seed if search.seed is not None else study.protocol.seed_list()[0]
        words = tuple(edit.describe() for edit in edits)
        begun = self._ledger.record("search", trial, seed, assessed.fingerprint, words).model_copy(
            update={
                "params": _plain(values),
                "metrics": assessed.metrics,
                "detail": {"chosen": chosen, "rules_broken": len(assessed.problems)},
            }
        )
        graph = _sound(assessed)
        if graph is None:
            refused = begun.model_copy(update={"status": "refused", "reason": assessed.refusal})
            return self._ledger.close(trial, refused)
        return self._ledger.take(trial, begun, graph)


def _sound(assessed: Assessment) -> ArchGraph | None:
    return assessed.graph if assessed.refusal is None else None


def _idle(records: list[TrialRecord]) -> list[TrialRecord]:
    """The proposals since the last training, so that a search that gave up does not start over when run again."""
    counted = [record for record in records if record.status in SETTLED]
    last = max((index for index, record in enumerate(counted) if record.status in TRAINED), default=-1)
    return counted[last + 1 :]


def _why_it_ends(trained: int, idle: list[TrialRecord]) -> str:
    reasons = Counter(str(record.reason) for record in idle if record.status == "refused")
    replayed = sum(record.status == "replayed" for record in idle)
    said = [f"{number} refused ({reason})" for reason, number in reasons.most_common(2)]
    if len(reasons) > 2:
        said.append(f"{sum(reasons.values()) - sum(n for _, n in reasons.most_common(2))} refused for other reasons")
    if replayed:
        said.append(f"{replayed} known already")
    return f"The search ends after {trained} trainings, because it finds nothing new: of its last {len(idle)} " + (
        f"proposals {', '.join(said)}."
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
