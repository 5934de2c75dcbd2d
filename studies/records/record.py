"""What is kept of a trial: one versioned record that names everything a reader needs to trust or repeat it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

Part = Literal["tuning", "ablation", "search", "confirmation"]
Status = Literal[
    "finished", "replayed", "pruned", "refused", "oom", "diverged", "failed", "interrupted", "running"
]  # fmt: skip

PARTS: tuple[Part, ...] = get_args(Part)
#: Statuses after which a trial is not run again.
SETTLED: frozenset[Status] = frozenset({"finished", "replayed", "pruned", "refused", "oom", "diverged", "failed"})
#: Statuses that stand for a training that was begun and came to an end: what a budget of trials counts.
TRAINED: frozenset[Status] = frozenset({"finished", "pruned", "oom", "diverged", "failed"})
#: Statuses that have results.
WITH_RESULT: frozenset[Status] = frozenset({"finished", "replayed"})

RECORD_VERSION = 1


class TrialRecord(BaseModel):
    """One trial of a study.

    Attributes:
        record_version: of this layout.
        part: which question of the study it belongs to.
        trial: its number within the part.
        variant: the ablation's variant, ``base`` for the base; None in a search.
        design: key below ``ablation:`` that asked for the variant.
        reference: the variant that it is compared to.
        factors: factor -> level, where the design has factors.
        tuned: training parameters that took the place of the protocol's, such as lr.
        seed: training seed.
        params: the search point, dimension -> value.
        edits: the edits that make its architecture out of the base, in words.
        status: what became of it.
        reason: why it is not finished, for people.
        replay_of: ``part/number`` of the trial whose result it took over, ``study:part/number`` of another study's.
        fingerprint: of its architecture, whose full text lies in the study's folder; None if it breaks a rule.
        protocol_hash: of everything that its variants share, seeds apart.
        metrics: see `search.objectives.METRICS`; seconds, bytes, counts.
        detail: spreads, losses per timestep bin, hash of the evaluation set, trace of an error.
        violations: budget -> ``used / budget - 1``; positive where it is broken.
        environment: code version, library versions, device.
        data: what it was trained on, with a hash.
        started: ISO 8601 with zone.
        wall: seconds from start to end.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    record_version: int = RECORD_VERSION
    part: Part
    trial: int
    variant: str | None = None
    design: str | None = None
    reference: str | None = None
    factors: dict[str, str] = Field(default_factory=dict)
    tuned: dict[str, float] = Field(default_factory=dict)
    seed: int
    params: dict[str, Any] = Field(default_factory=dict)
    edits: tuple[str, ...] = ()
    status: Status
    reason: str | None = None
    replay_of: str | None = None
    fingerprint: str | None = None
    protocol_hash: str
    metrics: dict[str, float] = Field(default_factory=dict)
    detail: dict[str, Any] = Field(default_factory=dict)
    violations: dict[str, float] = Field(default_factory=dict)
    environment: dict[str, Any] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    started: str
    wall: float = 0.0

    def compared(self, name: str) -> float | None:
        """What trials are compared by: of a latency its ratio to the reference network, of others the metric itself."""
        spread = self.detail.get(name)
        ratio: float | None = spread.get("ratio") if isinstance(spread, dict) else None
        return self.metrics.get(name) if ratio is None else ratio

    @property
    def feasible(self) -> bool:
        """Whether no budget is broken."""
        return all(excess <= 0 for excess in self.violations.values())


@dataclass(frozen=True, slots=True)
class Glance:
    """What progress is told from; see `TrialRecord`. Ten thousand of them cost little."""

    part: Part
    trial: int
    variant: str | None
    seed: int
    status: Status
    reason: str | None
    fingerprint: str | None
    edits: tuple[str, ...]
    metrics: dict[str, float]
    tuned: dict[str, float]
    started: str
    feasible: bool


#: What of a stored record `glance` looks at.
GLANCED = (
    "part", "trial", "variant", "seed", "status", "reason", "fingerprint", "edits", "metrics", "tuned", "started",
    "violations",
)  # fmt: skip


def glance(data: dict[str, Any]) -> Glance:
    """A look at a record as it is stored, or at those of its keys that are in `GLANCED`."""
    return Glance(
        part=data["part"], trial=data["trial"], variant=data.get("variant"), seed=data["seed"], status=data["status"],
        reason=data.get("reason"), fingerprint=data.get("fingerprint"), edits=tuple(data.get("edits", ())),
        metrics=data.get("metrics", {}), tuned=data.get("tuned", {}), started=data["started"],
        feasible=all(excess <= 0 for excess in data.get("violations", {}).values()),
    )  # fmt: skip


AnyRecord = TypeVar("AnyRecord", TrialRecord, Glance)


def current(records: Iterable[AnyRecord]) -> list[AnyRecord]:
    """The records that count: of a variant's cell the last one, of a variant only its present architecture.

    A cell has several records if it was interrupted or retried, or if the variant's edits have changed since.
    """
    kept = list(records)
    of_variants = [record for record in kept if record.part != "search"]
    architecture = {(record.part, record.variant): record.fingerprint for record in of_variants}
    last = {_cell(record): record.trial for record in of_variants}
    return [
        record
        for record in kept
        if record.part == "search"
        or (record.fingerprint == architecture[record.part, record.variant] and record.trial == last[_cell(record)])
    ]


def _cell(record: TrialRecord | Glance) -> tuple[object, ...]:
    # A variant is tuned at several rates with one seed, but judged at one.
    rate = record.tuned.get("lr") if record.part == "tuning" else None
    return record.part, record.variant, record.seed, rate
