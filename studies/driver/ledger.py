"""What is written down of a run: every trial begun, replayed or ended, in the database and for Optuna. One writer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from archspec import fingerprint, to_document
from archspec.graphs.graph import ArchGraph
from search import optuna_bridge as bridge
from search.objectives import Goals, Limits, violations
from studies.records.artifacts import keep_files
from studies.records.judged import judged, limits
from studies.records.record import TRAINED, WITH_RESULT, Part, Status, TrialRecord
from studies.records.store import Store, now
from studies.records.weights import KeptWeights
from studies.sections.protocol import Measure, Protocol
from studies.study.study import Study
from studies.trial.job import Job, Outcome
from studies.trial.observe import Observer

Key = tuple[str, int, str]


@dataclass(frozen=True)
class Task:
    """A training to be run: its trial, what is known of it before it begins, and the job for a worker."""

    trial: Trial
    begun: TrialRecord
    job: Job


@dataclass
class Known:
    """Results by what was trained: nothing is trained twice on one protocol and seed."""

    by_key: dict[Key, TrialRecord] = field(default_factory=dict)

    def add(self, records: Iterable[TrialRecord]) -> None:
        """Learn from finished trials."""
        for record in records:
            if record.status == "finished" and record.fingerprint is not None:
                self.by_key.setdefault(key_of(record), record)

    def find(self, key: Key) -> TrialRecord | None:
        """The finished trial of the same architecture, seed and protocol."""
        return self.by_key.get(key)


def key_of(record: TrialRecord) -> Key:
    """What two trials share that would train the same thing: fingerprint, seed and protocol."""
    assert record.fingerprint is not None
    return record.fingerprint, record.seed, record.protocol_hash


class Ledger:
    """Begins, replays, ends and tells trials; everything that a stopped run needs to go on is in its store."""

    def __init__(self, study: Study, store: Store, observer: Observer) -> None:
        self.study, self.store, self.observer = study, store, observer
        self.protocol_hash = study.protocol_hash()
        self.known = Known()
        self._under_way: set[Key] = set()
        self._waiting: dict[Key, list[Task]] = defaultdict(list)
        search = study.file.search
        self._weights = KeptWeights(store.folder, study.run.keep_weights, search.objectives if search else {})
        kept = [record for part in store.parts() for record in store.records(part)]
        self._document, self._base = study.document(), fingerprint(study.base)
        everything = judged(kept, self._document, self._base)
        self._records: dict[Part, dict[int, TrialRecord]] = {}
        for record in everything:
            self._remember(record)
        #: trainings of the search that came to an end without a result
        self._lost: dict[Key, TrialRecord] = {}
        for record in self.records("search"):
            self._note_lost(record)
        self._weights.begin(everything)
        #: the budgets as numbers; one relative to the base is missing until a trial of the base has ended
        self.limits: Limits = {}
        self.learn(everything)

    def learn(self, records: Iterable[TrialRecord]) -> None:
        """Know what has ended, here or in another study; the base's own result may be what budgets are relative to."""
        self.known.add(records)
        self.limits = limits(self._document, self.known.by_key.values(), self._base)

    def open(self, part: Part, objectives: Goals | Sequence[str], sampler: BaseSampler | None = None) -> optuna.Study:
        """The Optuna study of a part, with the study as it is now remembered beside it."""
        optuna_study = self.store.open(part, objectives, sampler)
        self.store.write_architecture(self._base, to_document(self.study.base))
        self.store.remember_study(optuna_study, self._document, self._base, self.study.source)
        return optuna_study

    def records(self, part: Part) -> list[TrialRecord]:
        """The record of every trial of a part as it is now; read once, since ten thousand take two seconds."""
        return list(self._records.get(part, {}).values())

    def _keep(self, trial: Trial, record: TrialRecord) -> None:
        self.store.keep(trial, record)
        self._remember(record)

    def _note_lost(self, record: TrialRecord) -> None:
        if record.part == "search" and record.status in TRAINED and record.status not in WITH_RESULT:
            self._lost.setdefault(key_of(record), record)

    def _remember(self, record: TrialRecord) -> None:
        self._records.setdefault(record.part, {})[record.trial] = record

    @property
    def num_waiting(self) -> int:
        """Trials that wait for a training of the same architecture to end."""
        return sum(map(len, self._waiting.values()))

    def record(self, part: Part, trial: Trial, seed: int, mark: str | None, edits: tuple[str, ...]) -> TrialRecord:
        """The record of a trial that begins now; `mark` is its architecture's fingerprint."""
        return TrialRecord(
            part=part, trial=trial.number, seed=seed, edits=edits, status="running", fingerprint=mark,
            protocol_hash=self.protocol_hash, started=now(),
        )  # fmt: skip

    def take(
        self,
        trial: Trial,
        begun: TrialRecord,
        graph: ArchGraph,
        protocol: Protocol | None = None,
        measure: Measure | None = None,
    ) -> Task | TrialRecord | None:
        """Replay what is known, wait for what is under way, else have it trained.

        Args:
            trial: Optuna's.
            begun: what is known of it; its `protocol_hash` is that of `protocol` and `measure`.
            graph: its architecture.
            protocol: how it is trained; default the study's.
            measure: how it is measured; default the study's.

        Returns:
            The task to start; or the record of a trial that was replayed, or in a search refused because the same
            training came to nothing before; or None if the same architecture is being trained with the same seed: the
            trial takes over that result when it is there.
        """
        key = key_of(begun)
        document = to_document(graph)
        self.store.write_architecture(key[0], document)
        known = self.known.find(key)
        if known is not None:
            return self.close(trial, _replayed(begun, known))
        if begun.part == "search" and key in self._lost:
            return self.close(trial, _failed_alike(begun, self._lost[key]))
        protocol, measure = protocol or self.study.protocol, measure or self.study.file.measure
        weights = self._weights.place(begun)
        job = Job(document=document, protocol=protocol, measure=measure, seed=begun.seed, weights=weights)
        task = Task(trial, begun, job)
        self._keep(trial, begun)
        if key in self._under_way:
            self._waiting[key].append(task)
            return None
        self._under_way.add(key)
        self.observer.began(begun)
        return task

    def ended(self, task: Task, outcome: Outcome) -> list[TrialRecord]:
        """Record what came of a task, and of the trials that waited for it."""
        record = _recorded(task.begun, outcome)
        self.store.write_curve(record.part, record.trial, outcome.curve)
        record = self._weights.named(keep_files(self.store.folder, record, outcome.files))
        settled = self._settled(task, record)
        self._weights.offer(settled[0])
        return settled

    def paused(self, task: Task, outcome: Outcome) -> TrialRecord:
        """Note how far a task came that may go on later; its trial stays open."""
        record = _recorded(task.begun, outcome)
        self.store.write_curve(record.part, record.trial, outcome.curve)
        record = record.model_copy(update={"status": "running", "violations": violations(record.metrics, self.limits)})
        self._keep(task.trial, record)
        return record

    def pruned(self, task: Task, reason: str) -> list[TrialRecord]:
        """Close a task that was paused and does not go on."""
        return self._settled(task, task.begun.model_copy(update={"status": "pruned", "reason": reason}))

    def _settled(self, task: Task, record: TrialRecord) -> list[TrialRecord]:
        key = key_of(task.begun)
        self._under_way.discard(key)
        self.learn([record])
        record = self.close(task.trial, record)
        self._note_lost(record)
        known = self.known.find(key)
        waited = [
            self.close(other.trial, _replayed(other.begun, known) if known else _failed_alike(other.begun, record))
            for other in self._waiting.pop(key, [])
        ]
        return [record, *waited]

    def close(self, trial: Trial, record: TrialRecord) -> TrialRecord:
        """Put a trial's last record into the database and let Optuna know; returns it as it was kept."""
        search = self.study.file.search
        if record.part == "search" and search is not None:
            record = record.model_copy(update={"violations": violations(record.metrics, self.limits)})
        self._keep(trial, record)
        self.tell(trial, record)
        self.observer.ended(record)
        return record

    def settle(self) -> int:
        """Close the trials that a stopped run left open; returns how many of them have to run again."""
        left = [item for part in self.store.parts() for item in self.store.left_open(part)]
        for trial, record in left:
            if record is not None and record.status == "running":
                interrupted = record.model_copy(
                    update={"status": "interrupted", "reason": "the run was stopped before it ended"}
                )
                self._keep(trial, interrupted)
                self.tell(trial, interrupted)
            else:
                self.tell(trial, record)
        return sum(record is not None and record.status == "running" for _, record in left)

    def tell(self, trial: Trial, record: TrialRecord | None) -> None:
        """Let Optuna know what became of a trial; everything it needs is in the record."""
        search = self.study.file.search
        if record is None or record.status == "interrupted" or (record.part == "search" and search is None):
            bridge.tell_failed(trial)
        elif record.part == "search" and search is not None:
            known_why = record.status == "refused" and not {"failed_as", "prefiltered"} & record.detail.keys()
            failed = record.status not in WITH_RESULT and not known_why
            constraints: dict[str, float] = {
                "rules": float(record.detail.get("rules_broken", 0)),
                "trained": float(failed),
                **{name: record.violations.get(name, 0.0) for name in search.budgets},
            }
            if record.status == "pruned":
                bridge.tell_pruned(trial, {**constraints, "trained": 0.0})
                return
            bridge.tell(trial, [record.compared(name) for name in search.objectives], constraints)
        elif record.status in WITH_RESULT:
            bridge.tell(trial, [record.metrics.get("loss")], {})
        else:
            bridge.tell_failed(trial)


def _recorded(begun: TrialRecord, outcome: Outcome) -> TrialRecord:
    status: Status = outcome.status
    return begun.model_copy(
        update={
            "status": status,
            "reason": outcome.reason,
            "metrics": {**begun.metrics, **outcome.metrics},
            "detail": {**begun.detail, **outcome.detail},
            "environment": outcome.environment,
            "data": outcome.data,
            "wall": begun.wall + outcome.wall,
        }
    )


def _failed_alike(begun: TrialRecord, failed: TrialRecord) -> TrialRecord:
    """A trial whose architecture was trained without a result: trained again it would fail again, and count twice."""
    where = f"{failed.part}/{failed.trial}"
    reason = f"the same architecture as {where}, which is {failed.status}: {failed.reason}"
    return begun.model_copy(
        update={
            "status": failed.status if begun.part != "search" else "refused",
            "reason": reason,
            "detail": {**begun.detail, "failed_as": where},
        }
    )


def _is_foreign(known: TrialRecord) -> bool:
    """Whether it was taken over from another study (`studies.study.reuse`)."""
    return "study" in known.detail


def _replayed(begun: TrialRecord, known: TrialRecord) -> TrialRecord:
    return begun.model_copy(
        update={
            "status": "replayed",
            "replay_of": (f"{known.detail['study']}:" if _is_foreign(known) else "") + f"{known.part}/{known.trial}",
            "metrics": known.metrics,
            "detail": {**known.detail, **begun.detail},
            "environment": known.environment,
            "data": known.data,
        }
    )
