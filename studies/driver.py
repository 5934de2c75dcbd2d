"""The loop of a run: for each trial begin, train or replay, record, tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import Trial

from archspec import fingerprint, to_document
from archspec.graph import ArchGraph
from search import optuna_bridge as bridge
from search.decode import decode
from search.feasible import Assessment, assess
from search.objectives import absolute, violations
from search.space import point, size
from search.start import base_point
from studies.observe import Observer
from studies.plan import Cell, cells
from studies.records import SETTLED, TRAINED, WITH_RESULT, Part, Status, TrialRecord
from studies.store import Store, now
from studies.study import Study
from studies.trial import Job, Outcome
from studies.worker import Worker

#: Proposals in a row that lead to no training before a search gives up: the space is exhausted, or the budgets are.
MAX_IDLE = 200


@dataclass
class Known:
    """Results by what was trained: nothing is trained twice on one protocol and seed."""

    by_key: dict[tuple[str, int, str], TrialRecord] = field(default_factory=dict)

    def add(self, records: Iterable[TrialRecord]) -> None:
        """Learn from finished trials."""
        for record in records:
            if record.status == "finished" and record.fingerprint is not None:
                self.by_key.setdefault((record.fingerprint, record.seed, record.protocol_hash), record)

    def find(self, mark: str, seed: int, protocol_hash: str) -> TrialRecord | None:
        """The finished trial of the same architecture (`mark` is its fingerprint), seed and protocol."""
        return self.by_key.get((mark, seed, protocol_hash))


class Driver:
    """The loop: for each trial begin, train or replay, record, tell."""

    def __init__(self, study: Study, store: Store, worker: Worker, observer: Observer) -> None:
        self.study, self.store, self.worker, self.observer = study, store, worker, observer
        self.protocol_hash = study.protocol_hash()
        self.known = Known()
        for part in store.parts():
            self.known.add(store.records(part))

    def _remember(self, optuna_study: optuna.Study) -> None:
        base = fingerprint(self.study.base)
        self.store.write_architecture(base, to_document(self.study.base))
        self.store.remember_study(optuna_study, self.study.document(), base, self.study.source)

    def ablation(self, *, retry_failed: bool) -> None:
        """Every variant with every seed."""
        planned = cells(self.study)
        if not planned:
            return
        optuna_study = self.store.open("ablation", ["loss"])
        self._remember(optuna_study)
        done = {
            (record.variant, record.seed): record
            for record in self.store.records("ablation")
            if record.status in SETTLED and not (retry_failed and record.status not in WITH_RESULT)
        }
        settled = [cell for cell in planned if self._settled(cell, done)]
        self.observer.planned("ablation", len(settled), len(planned))
        for cell in planned:
            if not self._settled(cell, done):
                self._ablation_cell(optuna_study, cell)

    @staticmethod
    def _settled(cell: Cell, done: dict[tuple[str | None, int], TrialRecord]) -> bool:
        record = done.get((cell.variant.name, cell.seed))
        return record is not None and record.fingerprint == cell.variant.fingerprint

    def _ablation_cell(self, optuna_study: optuna.Study, cell: Cell) -> None:
        with bridge.quiet():
            trial = optuna_study.ask()
        variant = cell.variant
        begun = self._begun("ablation", trial, cell.seed, variant.fingerprint, variant.edits).model_copy(
            update={"variant": variant.name}
        )
        record = self._result(trial, begun, variant.graph, {})
        self.store.keep(trial, record)
        self._tell(trial, record)
        self.observer.ended(record)

    def settle(self) -> int:
        """Close the trials that a stopped run left open; returns how many of them have to run again."""
        left = [item for part in self.store.parts() for item in self.store.left_open(part)]
        for trial, record in left:
            if record is not None and record.status == "running":
                interrupted = record.model_copy(
                    update={"status": "interrupted", "reason": "the run was stopped before it ended"}
                )
                self.store.keep(trial, interrupted)
                self._tell(trial, interrupted)
            else:
                self._tell(trial, record)
        return sum(record is not None and record.status == "running" for _, record in left)

    def _tell(self, trial: Trial, record: TrialRecord | None) -> None:
        """Let Optuna know what became of a trial; everything it needs is in the record."""
        search = self.study.file.search
        if record is None or record.status == "interrupted" or (record.part == "search" and search is None):
            bridge.tell_failed(trial)
        elif record.part == "search" and search is not None:
            failed = record.status not in WITH_RESULT and record.status != "refused"
            constraints: dict[str, float] = {
                "rules": float(record.detail.get("rules_broken", 0)),
                "trained": float(failed),
                **{name: record.violations.get(name, 0.0) for name in search.budgets},
            }
            bridge.tell(trial, [record.metrics.get(name) for name in search.objectives], constraints)
        elif record.status in WITH_RESULT:
            bridge.tell(trial, [record.metrics.get("loss")], {})
        else:
            bridge.tell_failed(trial)

    def search(self) -> None:
        """Propose, refuse, replay or train until the budget is used up."""
        search = self.study.file.search
        if search is None:
            return
        records = self.store.records("search")
        primitives = self.study.primitives()
        defaults = bridge.default_options(search.sampler.name, len(primitives), search.trials)
        # A resumed search must not propose again what the first run drew from the same seed.
        seed = search.sampler.seed + len(records)
        sampler = bridge.make_sampler(search.sampler.name, {**defaults, **search.sampler.options}, seed)
        optuna_study = self.store.open("search", list(search.objectives), sampler)
        self._remember(optuna_study)
        self._enqueue(optuna_study, records)
        trained = sum(record.status in TRAINED for record in records)
        self.observer.planned("search", trained, search.trials)
        points = size(search.space, self.study.levels)
        idle = _idle(records)
        while trained < search.trials:
            if len(idle) >= MAX_IDLE or len({str(record.detail.get("chosen")) for record in idle}) >= points:
                self.observer.said(_why_it_ends(trained, idle))
                return
            record = self._search_trial(optuna_study)
            self.observer.ended(record)
            trained, idle = (trained + 1, []) if record.status in TRAINED else (trained, [*idle, record])

    def _enqueue(self, optuna_study: optuna.Study, records: list[TrialRecord]) -> None:
        """What is to be proposed before the sampler is asked: interrupted points again, at the start the base."""
        search, primitives = self.study.file.search, self.study.primitives()
        assert search is not None
        last = {str(record.detail.get("chosen")): record for record in records}
        for record in last.values():
            if record.status == "interrupted":
                bridge.enqueue(optuna_study, record.detail["chosen"], primitives)
        if search.include_base and not records:
            chosen = base_point(self.study.spec, search.space, self.study.levels)
            if chosen is None or not bridge.enqueue(optuna_study, chosen, primitives):
                self.observer.said("The base is not a point of the search space, so the search starts without it.")

    def _search_trial(self, optuna_study: optuna.Study) -> TrialRecord:
        search = self.study.file.search
        assert search is not None
        trial, chosen = bridge.ask(optuna_study, self.study.primitives())
        values = point(search.space, chosen, self.study.levels)
        edits = decode(self.study.spec, search.space, values)
        assessed = assess(self.study.spec, edits, absolute(search.budgets, {}))
        seed = search.seed if search.seed is not None else self.study.protocol.seed_list()[0]
        words = tuple(edit.describe() for edit in edits)
        begun = self._begun("search", trial, seed, assessed.fingerprint, words).model_copy(
            update={
                "params": _plain(values),
                "metrics": assessed.metrics,
                "detail": {"chosen": chosen, "rules_broken": len(assessed.problems)},
            }
        )
        record = self._judged(trial, begun, assessed)
        record = record.model_copy(update={"violations": violations(record.metrics, absolute(search.budgets, {}))})
        self.store.keep(trial, record)
        self._tell(trial, record)
        return record

    def _judged(self, trial: Trial, begun: TrialRecord, assessed: Assessment) -> TrialRecord:
        if assessed.refusal is not None or assessed.graph is None:
            return begun.model_copy(update={"status": "refused", "reason": assessed.refusal})
        return self._result(trial, begun, assessed.graph, assessed.metrics)

    def _begun(self, part: Part, trial: Trial, seed: int, mark: str | None, edits: tuple[str, ...]) -> TrialRecord:
        return TrialRecord(
            part=part, trial=trial.number, seed=seed, edits=edits, status="running", fingerprint=mark,
            protocol_hash=self.protocol_hash, started=now(),
        )  # fmt: skip

    def _result(self, trial: Trial, begun: TrialRecord, graph: ArchGraph, metrics: dict[str, float]) -> TrialRecord:
        """Replay what is known, else train."""
        assert begun.fingerprint is not None
        document = to_document(graph)
        self.store.write_architecture(begun.fingerprint, document)
        known = self.known.find(begun.fingerprint, begun.seed, self.protocol_hash)
        if known is not None:
            return _replayed(begun, known)
        self.store.begin(trial, begun)
        self.observer.began(begun)
        job = Job(document=document, protocol=self.study.protocol, measure=self.study.file.measure, seed=begun.seed)
        outcome = self.worker.run(job, lambda progress: self.observer.progressed(begun, progress))
        record = _recorded(begun, outcome, metrics)
        self.store.write_curve(record.part, record.trial, outcome.curve)
        self.known.add([record])
        return record


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


def _recorded(begun: TrialRecord, outcome: Outcome, metrics: dict[str, float]) -> TrialRecord:
    status: Status = outcome.status
    return begun.model_copy(
        update={
            "status": status,
            "reason": outcome.reason,
            "metrics": {**metrics, **outcome.metrics},
            "detail": {**begun.detail, **outcome.detail},
            "environment": outcome.environment,
            "data": outcome.data,
            "wall": outcome.wall,
        }
    )


def _replayed(begun: TrialRecord, known: TrialRecord) -> TrialRecord:
    return begun.model_copy(
        update={
            "status": "replayed",
            "replay_of": f"{known.part}/{known.trial}",
            "metrics": known.metrics,
            "detail": {**known.detail, **begun.detail},
            "environment": known.environment,
            "data": known.data,
        }
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
