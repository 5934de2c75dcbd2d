"""Records to one tidy frame, with everything a report needs beside it. Opens without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from search.objectives import METRICS, predicted_name
from search.screening import LEARNED, PREDICTABLE
from studies.latency.account import account_of
from studies.records.artifacts import files_of
from studies.records.judged import judged, limits
from studies.records.record import SETTLED, WITH_RESULT, Part, Status, TrialRecord, current
from studies.records.store import Store
from studies.study.stated import stated_margins

Curve = list[tuple[int, float]]
LossBins = list[tuple[float, float, float]]

_SPREADS = ("latency", "train_latency")
#: What may have been predicted before it was measured, in the order of the metrics.
PREDICTED = tuple(predicted_name(metric) for metric in METRICS if metric in PREDICTABLE | LEARNED)


@dataclass(frozen=True)
class StudyResults:
    """A study's results, as reports read them.

    Attributes:
        name: the study.
        question: what it asks.
        folder: where it lies.
        source: the study file's text.
        document: the study with every default spelled out.
        trials: one row for each trial; see `trial_row`.
        curves: (part, trial) -> [(step, training loss)].
        loss_bins: (part, trial) -> [(lowest timestep, highest, held-out error in eps space)].
        architectures: fingerprint -> the architecture in full.
        base: fingerprint of the base; empty before the first trial.
        objectives: what the search minimises; empty without a search.
        budgets: metric -> largest allowed value.
        environment: the distinct circumstances under which trials ran.
        protocol_hash: of all that variants share.
        data: what was trained on, with a hash.
        warnings: what a reader should know before trusting the numbers.
        snr_bins: (part, trial) -> rows of `sections.weighting.SnrBin`, from which any weighting of the loss follows.
        samples: (part, trial) -> how its samples were drawn and judged; see `studies.training.sampling.judge.Judged`.
        files: (part, trial) -> name -> path of what is kept beside its record.
        maximised: the objectives of which more is better.
        screening: what screening by predicted latency did, in words; empty where it was not asked for.
        stated: the margins of equivalence that were stated, in order: margin, time, results there were by then.
    """

    name: str
    question: str | None
    folder: Path
    source: str
    document: dict[str, Any]
    trials: pd.DataFrame
    curves: dict[tuple[str, int], Curve]
    loss_bins: dict[tuple[str, int], LossBins]
    architectures: dict[str, dict[str, Any]]
    base: str
    objectives: tuple[str, ...]
    budgets: dict[str, float]
    environment: list[dict[str, Any]]
    protocol_hash: str
    data: dict[str, Any]
    warnings: tuple[str, ...]
    stated: tuple[dict[str, Any], ...] = ()
    snr_bins: dict[tuple[str, int], list[list[float]]] = field(default_factory=dict)
    samples: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    files: dict[tuple[str, int], dict[str, Path]] = field(default_factory=dict)
    maximised: frozenset[str] = frozenset()
    screening: str = ""


def trial_row(record: TrialRecord) -> dict[str, Any]:
    """One row of the frame: seconds, bytes, counts; search points as ``param:<name>``, scores as ``score:<name>``."""
    row: dict[str, Any] = {
        "part": record.part,
        "trial": record.trial,
        "variant": record.variant,
        "seed": record.seed,
        "status": record.status,
        "reason": record.reason,
        "replay_of": record.replay_of,
        "feasible": record.status in WITH_RESULT and record.feasible,
        "fingerprint": record.fingerprint,
        **{metric: record.metrics.get(metric, float("nan")) for metric in (*METRICS, *PREDICTED)},
    }
    for metric in _SPREADS:
        spread = record.detail.get(metric) or {}
        for key in ("p10", "p90", "ratio"):
            row[f"{metric}_{key}"] = spread.get(key, float("nan"))
    samples = record.detail.get("samples") or {}
    row |= {name: samples.get(name, float("nan")) for name in ("fd_inf", "kd_error")}
    row["evaluation"] = str((record.detail.get("evaluation") or {}).get("hash", ""))
    row["wall"] = record.wall
    row["started"] = record.started
    row["device"] = str(record.environment.get("device", ""))
    row["edits"] = "; ".join(record.edits)
    for name, value in record.params.items():
        row[f"param:{name}"] = ",".join(map(str, value)) if isinstance(value, list) else value
    row |= {f"score:{name}": value for name, value in (record.detail.get("scores") or {}).items()}
    row |= {f"tuned:{name}": value for name, value in record.tuned.items()}
    if record.part == "ablation":
        row |= {"design": record.design or "variants", "reference": record.reference or "base"}
        row |= {f"factor:{name}": level for name, level in record.factors.items()}
    return row


def load_results(folder: Path) -> StudyResults:
    """Everything in a study's folder; `UserError` if there is no study."""
    store = Store(folder)
    document = store.remembered_study() or {}
    base = store.base_fingerprint()
    everything = [record for part in store.parts() for record in store.records(part)]
    records = [
        record
        for record in judged(current(everything), document, base)
        if _is_asked(record, document.get("ablation") or {})
    ]
    search = document.get("search") or {}
    source = folder / "study.yaml"
    return StudyResults(
        name=store.name,
        question=document.get("question"),
        folder=folder,
        source=source.read_text(encoding="utf-8") if source.exists() else "",
        document=document,
        trials=frame(records),
        curves={(r.part, r.trial): curve for r in records if (curve := store.curve(r.part, r.trial))},
        loss_bins={(r.part, r.trial): bins for r in records if (bins := _bins(r))},
        architectures=store.architectures(),
        base=base,
        objectives=tuple(search.get("objectives", ())),
        budgets={str(name): limit for name, limit in limits(document, records, base).items()},
        environment=_distinct(record.environment for record in records),
        protocol_hash=records[-1].protocol_hash if records else "",
        data=next((record.data for record in records if record.data), {}),
        warnings=tuple(_warnings(records)),
        snr_bins={(r.part, r.trial): rows for r in records if (rows := r.detail.get("snr_bins"))},
        samples={(r.part, r.trial): samples for r in records if (samples := r.detail.get("samples"))},
        files={(r.part, r.trial): found for r in records if (found := files_of(folder, r))},
        stated=tuple(stated_margins(folder)),
        screening=account.text() if (account := account_of(folder)) else "",
        maximised=frozenset(name for name, way in _ways(search.get("objectives", ())).items() if way == "maximize"),
    )


def _ways(objectives: Any) -> dict[str, str]:
    """Objective -> minimize or maximize; a plain list is minimised."""
    return dict(objectives) if isinstance(objectives, dict) else dict.fromkeys(objectives, "minimize")


def _is_asked(record: TrialRecord, ablation: dict[str, Any]) -> bool:
    """Whether the study, as it was last run, still asks for what a record is about."""
    if record.part != "ablation" or record.variant == "base":
        return True
    asked = ablation.get("planned") or ablation.get("variants") or {}
    # A path's further steps are planned in view of its results.
    return record.variant in asked or (record.design == "path" and bool(ablation.get("path")))


def frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """One row for each record, parts in order, with all columns even where there is no record."""
    rows = [trial_row(record) for record in records]
    if not rows:
        columns = trial_row(TrialRecord(part="search", trial=0, seed=0, status="failed", protocol_hash="", started=""))
        return pd.DataFrame(columns=list(columns))
    return pd.DataFrame(rows)


def _bins(record: TrialRecord) -> LossBins:
    return [(float(low), float(high), float(error)) for low, high, error in record.detail.get("loss_bins", ())]


def _distinct(environments: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    seen: list[dict[str, Any]] = []
    for environment in environments:
        if environment and environment not in seen:
            seen.append(environment)
    return seen


def _warnings(records: list[TrialRecord]) -> Iterable[str]:
    trained = [record for record in records if record.environment]
    devices = {str(record.environment.get("device")) for record in trained}
    if len(devices) > 1:
        yield f"Trials ran on {len(devices)} different devices; their latencies and memory do not compare."
    # Tuned trials differ from the others in what the protocol lets them tune, and say so.
    hashes = {record.protocol_hash for record in records if not record.tuned and record.status in SETTLED}
    if len(hashes) > 1:
        yield f"Trials were made under {len(hashes)} different protocols; their losses do not compare."
    contents = {str(record.data.get("hash")) for record in trained if record.data}
    if len(contents) > 1:
        yield f"The data changed between trials ({len(contents)} different contents); their losses do not compare."
    # What diverged or was pruned came to no evaluation.
    evaluations = {str(found["hash"]) for record in trained if (found := record.detail.get("evaluation"))}
    if len(evaluations) > 1:
        yield "Trials were evaluated on different sets of images, timesteps or noise; their losses do not compare."
    spaces = {str(samples.get("space_hash")) for record in trained if (samples := record.detail.get("samples"))}
    if len(spaces) > 1:
        yield f"Samples were judged in {len(spaces)} different feature spaces; their distances do not compare."
    unfinished = sum(record.status in ("running", "interrupted") for record in records)
    if any(record.status == "running" for record in records):
        yield f"{unfinished} trial(s) have not ended; the study is running or was stopped."


@dataclass(frozen=True)
class StudyProgress:
    """How far a study is.

    Attributes:
        counts: for each part the number of trials by status.
        lost: trials whose result is missing: an ablation needs every cell, while a search expects points that diverge
            or do not fit into memory and misses only those that failed.
        without_result: trials of all parts that were begun and came to no result, whether expected or not.
    """

    counts: dict[Part, dict[Status, int]]
    lost: int
    without_result: int = 0


def progress_of(folder: Path) -> StudyProgress:
    """How far the study in a folder is."""
    store = Store(folder)
    records = current([record for part in store.parts() for record in store.records(part)])
    counts: dict[Part, dict[Status, int]] = {part: {} for part in store.parts()}
    for record in records:
        by_status = counts[record.part]
        by_status[record.status] = by_status.get(record.status, 0) + 1
    without = [record for record in records if record.status in ("oom", "diverged", "failed")]
    lost = sum(record.part != "search" or record.status == "failed" for record in without)
    return StudyProgress(counts, lost, len(without))
