"""The search's question: propose, refuse, replay or train until the budget is used up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from archspec import user_error
from archspec.graphs.graph import ArchGraph
from search import optuna_bridge as bridge
from search.decode import decode
from search.feasible import Assessment, assess
from search.objectives import Metric
from search.screening import Predictor
from search.space import Scalar, is_point, point, size
from search.start import base_point
from studies.driver.ledger import Ledger, Task, key_of
from studies.driver.prefilter import Filter, Scorer
from studies.driver.proposing import Proposals
from studies.driver.rungs import Rungs
from studies.records.judged import is_open_again
from studies.records.reader import ENDED
from studies.records.record import SETTLED, TRAINED, TrialRecord
from studies.study.budgets import needs_the_base
from studies.study.document import Search
from studies.study.reuse import reusable
from studies.study.starting import first_points
from studies.study.study import Study
from studies.trial.job import Outcome

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
        predict: metrics that can be predicted before a training, such as peak memory.
        scorer: computes the zero-cost scores of a pre-filter; default a process of its own.
    """

    def __init__(
        self,
        study: Study,
        search: Search,
        ledger: Ledger,
        predict: Predictor | None = None,
        scorer: Scorer | None = None,
    ) -> None:
        self._study, self._search, self._ledger, self._predict = study, search, ledger, predict
        records = ledger.records("search")
        taken_over = reusable(study, search)
        ledger.learn(taken_over)
        if search.reuse:
            ledger.observer.said(f"{len(taken_over)} finished trials of other studies agree in protocol and device.")
        self._proposals = Proposals(study, search, ledger, self.judge, records)
        self._optuna_study = self._proposals.optuna_study
        ledger.observer.said(self._proposals.sampler.why)
        self._filter = Filter.of(study, ledger, self.judge, scorer)
        self._rungs = self._pruning(records)
        self._enqueue(records)
        self._trained = sum(record.status in TRAINED for record in records)
        self._under_way = 0
        self._idle = _idle(records)
        self._points = size(search.space, study.levels)
        self._optuna_study.set_user_attr(ENDED, "")
        ledger.observer.planned("search", self._trained, search.trials)

    def next(self) -> Task | None:
        """The next point to be trained, or a training to go on with; None if there is nothing to do now."""
        while True:
            promoted = self._rungs.promoted() if self._rungs is not None else None
            if promoted is not None:
                self._under_way += 1
                return promoted
            task = self._new_task()
            if task is not None or self._under_way or not self._give_up():
                return task

    def _new_task(self) -> Task | None:
        """The next new point to be trained; None if the budget is used up or under way, or nothing new is found."""
        while self._begun() < self._search.trials:
            if self._waits_for_the_base():
                return None
            if self._finds_nothing_new():
                if not self._under_way and not self._rungs:
                    why = _why_it_ends(self._trained, self._idle, self._proposals.refused)
                    self._optuna_study.set_user_attr(ENDED, why)
                    self._ledger.observer.said(why)
                return None
            if self._ledger.num_waiting >= MAX_WAITING:
                return None
            taken = self._propose()
            if isinstance(taken, Task):
                self._under_way += 1
                return taken if self._rungs is None else self._rungs.first(taken)
            if taken is not None:
                self._idle.append(taken)
        return None

    def _begun(self) -> int:
        """Trainings that are over, under way, or wait at a rung."""
        return self._trained + self._under_way + (len(self._rungs) if self._rungs is not None else 0)

    def ahead(self) -> None:
        """Draw candidates while trainings run, so that no worker waits for it."""
        if self._begun() < self._search.trials and not self._limits_that_wait_for_the_base():
            self._proposals.ahead()

    def ended(self, task: Task, outcome: Outcome) -> None:
        """Record it; it counts towards the budget, unless it may go on."""
        self._under_way -= 1
        if self._rungs is None or outcome.status != "finished" or self._rungs.is_last(task):
            self._settle(task, self._ledger.ended(task, outcome))
            return
        record = self._ledger.paused(task, outcome)
        # Until it has gone on, the model learns from how it is at the rung.
        self._proposals.learn(record.model_copy(update={"status": "pruned"}))
        paused, goes_on = self._rungs.reach(task, record)
        if not goes_on:
            reason = self._rungs.reason(self._rungs.rung_of(task))
            self._settle(paused, self._ledger.pruned(paused, reason))

    def _settle(self, task: Task, recorded: list[TrialRecord]) -> None:
        self._trained += 1
        self._idle = recorded[1:]
        for record in recorded:
            self._proposals.learn(record)
        if self._rungs is not None:
            self._rungs.forget(task)

    def _give_up(self) -> bool:
        """Close what waits at a rung when nothing else is left to do; says whether there was any."""
        left = self._rungs.give_up() if self._rungs is not None else []
        for task, reason in left:
            self._settle(task, self._ledger.pruned(task, reason))
        return bool(left)

    def _pruning(self, records: list[TrialRecord]) -> Rungs | None:
        pruning = self._search.pruning
        if pruning is None:
            return None
        if pruning.pruner is not None:
            self._optuna_study.pruner = bridge.make_pruner(pruning.pruner, pruning.options)
        states = (self._ledger.store.folder / "checkpoints").absolute()
        return Rungs(self._search, pruning, self._study.protocol.train.steps, states, records)

    def judge(self, chosen: dict[str, Scalar]) -> Assessment:
        """What can be known of a point beforehand."""
        search, study = self._search, self._study
        edits = decode(study.spec, search.space, point(search.space, chosen, study.levels))
        return assess(study.spec, edits, self._ledger.limits, self._predict)

    def _finds_nothing_new(self) -> bool:
        distinct = {str(record.detail.get("chosen")) for record in self._idle}
        nothing = len(self._idle) >= MAX_IDLE or len(distinct) >= self._points
        return nothing or (not bridge.waiting(self._optuna_study) and not self._proposals.any_left())

    def _waits_for_the_base(self) -> bool:
        """Whether a budget is relative to a base that has no result yet; the base is the first to be trained."""
        missing = self._limits_that_wait_for_the_base()
        if not missing or bridge.waiting(self._optuna_study):
            return False
        if not self._under_way:
            message = f"the budget of {missing[0]} is relative to the base, which has no result."
            raise user_error(message, "Write a number, or see why the base failed.", file=str(self._study.path))
        return True

    def _limits_that_wait_for_the_base(self) -> list[Metric]:
        return [name for name in needs_the_base(self._study) if name not in self._ledger.limits]

    def _enqueue(self, records: list[TrialRecord]) -> None:
        """What is proposed before the sampler is asked: interrupted points again; at the start base and picked ones."""
        study, search = self._study, self._search
        last = {str(record.detail.get("chosen")): record for record in records}
        for record in last.values():
            chosen = record.detail.get("chosen")
            if record.status == "interrupted" and chosen and is_point(search.space, chosen, study.levels):
                bridge.enqueue(self._optuna_study, chosen)
        if records:
            return
        if search.include_base and base_point(study.spec, search.space, study.levels) is None:
            self._ledger.observer.said("The base is not a point of the search space, so the search starts without it.")
        for first in first_points(study, search):
            bridge.enqueue(self._optuna_study, first)

    def _propose(self) -> Task | TrialRecord | None:
        study, search = self._study, self._search
        trial, chosen = self._proposals.ask()
        assessed = self.judge(chosen)
        seed = study.search_seed
        words = tuple(edit.describe() for edit in assessed.edits)
        begun = self._ledger.record("search", trial, seed, assessed.fingerprint, words).model_copy(
            update={
                "params": _plain(point(search.space, chosen, study.levels)),
                "metrics": assessed.metrics,
                "detail": {
                    "chosen": chosen,
                    "rules_broken": len(assessed.problems),
                    "sampler": self._proposals.sampler.name,
                    **({"predicted": assessed.predicted} if assessed.predicted else {}),
                },
            }
        )
        graph = _sound(assessed)
        if graph is None:
            excess = dict(assessed.violations)
            refused = begun.model_copy(update={"status": "refused", "reason": assessed.refusal, "violations": excess})
            return self._closed(self._ledger.close(trial, refused))
        # What is known already costs nothing.
        if self._filter is not None and self._ledger.known.find(key_of(begun)) is None:
            begun = self._filter.judged(begun, chosen, graph)
            if begun.status == "refused":
                return self._closed(self._ledger.close(trial, begun))
        taken = self._ledger.take(trial, begun, graph)
        if isinstance(taken, TrialRecord):
            return self._closed(taken)
        self._proposals.learn(begun)
        if taken is None:
            return None
        return replace(taken, job=taken.job.model_copy(update={"scores": search.all_scores}))

    def close(self) -> None:
        """End the process that scores points, if there is one."""
        if self._filter is not None:
            self._filter.close()

    def _closed(self, record: TrialRecord) -> TrialRecord:
        self._proposals.learn(record)
        return record


def _sound(assessed: Assessment) -> ArchGraph | None:
    return assessed.graph if assessed.refusal is None else None


def _idle(records: list[TrialRecord]) -> list[TrialRecord]:
    """The proposals since the last training, so that a search that gave up does not start over when run again."""
    counted = [record for record in records if record.status in SETTLED and not is_open_again(record)]
    last = max((index for index, record in enumerate(counted) if record.status in TRAINED), default=-1)
    return counted[last + 1 :]


def _why_it_ends(trained: int, idle: list[TrialRecord], refused: Counter[str]) -> str:
    if not idle:
        why = _counted(refused)
        return f"The search ends after {trained} trainings: no point that may be trained is left" + (
            f"; {why}." if why else "."
        )
    why = _counted(Counter(str(record.reason) for record in idle if record.status == "refused"))
    replayed = sum(record.status == "replayed" for record in idle)
    said = [*([why] if why else []), *([f"{replayed} known already"] if replayed else [])]
    return f"The search ends after {trained} trainings, because it finds nothing new: of its last {len(idle)} " + (
        f"proposals {', '.join(said)}."
    )


def _counted(reasons: Counter[str]) -> str:
    """The two most frequent reasons, and how many points were refused for others."""
    said = [f"{number} refused ({reason})" for reason, number in reasons.most_common(2)]
    if len(reasons) > 2:
        said.append(f"{sum(reasons.values()) - sum(n for _, n in reasons.most_common(2))} refused for other reasons")
    return ", ".join(said)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
