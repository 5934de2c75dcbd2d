"""What a study will take, from what earlier trainings took: seconds, and the spread of the paired differences."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from archspec import total_price
from archspec.graphs.graph import ArchGraph
from studies.driver.plan import most_cells, variants
from studies.driver.tuning import grid
from studies.records.record import SETTLED, TrialRecord, current
from studies.records.server import has_records
from studies.records.store import Store
from studies.sections.protocol import Measure
from studies.sections.protocol import Protocol as StudyProtocol
from studies.study.study import Study

MIN_PAIRS = 3
"""Fewer pairs say nothing of a spread."""


class PredictsMemory(Protocol):
    """Who can say the peak memory of a training before it runs; a number of parameters is no such thing."""

    def __call__(self, graph: ArchGraph, protocol: StudyProtocol, measure: Measure) -> int:
        """Bytes at the peak of a training step of this architecture, with this batch, on the device of `measure`."""


@dataclass(frozen=True)
class Pilot:
    """Earlier trainings that a forecast is made from.

    Attributes:
        name: of their study.
        records: those with a result that were trained (not replayed).
        train: the training section that they were made under, as plain data.
    """

    name: str
    records: tuple[TrialRecord, ...]
    train: dict[str, Any]


def read_pilot(folder: Path) -> Pilot:
    """The trainings in a study's folder; `UserError` if there is no study in it."""
    store = Store(folder)
    document = store.remembered_study() or {}
    found = current([record for part in store.parts() for record in store.records(part)])
    trained = tuple(record for record in found if record.status == "finished" and record.detail.get("seconds"))
    return Pilot(store.name, trained, (document.get("protocol") or {}).get("train") or {})


@dataclass(frozen=True)
class Seconds:
    """A forecast of time: seconds for all trainings that are left, and how it was made."""

    total: float
    trainings: int
    how: str


def trainings_left(study: Study, folder: Path) -> int:
    """Trainings that the ablation and its tuning have at most to go, as the study is now."""
    asked, points = {one.name: one.fingerprint for one in variants(study)}, grid(study)
    planned = most_cells(study) + len(points) * len(asked)
    if not has_records(folder):
        return planned
    store, path = Store(folder), study.file.ablation is not None and study.file.ablation.path is not None
    over = 0
    for record in current([record for part in ("ablation", "tuning") for record in store.records(part)]):
        # Further steps of a path are asked for in view of its results.
        is_asked = asked.get(str(record.variant)) == record.fingerprint or (path and record.design == "path")
        place = record.seed in study.seeds if record.part == "ablation" else (record.tuned["lr"], record.seed) in points
        over += is_asked and place and record.status in SETTLED
    return planned - over


def predict_seconds(study: Study, folder: Path, pilot: Pilot) -> Seconds | None:
    """Time of what is left, one training after another; None where the pilot has no training.

    The seconds of training and evaluation are taken in proportion to MACs (training also to steps and batch), the
    others as they were; both are medians over the pilot.
    """
    left = trainings_left(study, folder)
    train = study.protocol.train
    if train.steps == 0 and pilot.train.get("steps") == 0 and pilot.records:
        each = statistics.median(record.wall for record in pilot.records)
        return Seconds(each * left, left, f"as {len(pilot.records)} evaluations of {pilot.name} took")
    rate, fixed = _rates(pilot)
    if rate is None:
        return None
    load = [total_price(variant.graph).macs * train.steps * train.batch for variant in variants(study)]
    each = rate * sum(load) / max(1, len(load)) + fixed
    scaled = f"scaled by MACs, steps and batch from {len(pilot.records)} trainings of {pilot.name}"
    return Seconds(each * left, left, scaled)


def _rates(pilot: Pilot) -> tuple[float | None, float]:
    """Seconds for each MAC of an image in training, and seconds of everything else."""
    steps, batch = pilot.train.get("steps"), pilot.train.get("batch")
    rates, others = [], []
    for record in pilot.records:
        seconds, macs = record.detail["seconds"], record.metrics.get("macs")
        if steps and batch and macs and "train" in seconds:
            rates.append(seconds["train"] / (macs * steps * batch))
            others.append(record.wall - seconds["train"])
    return (statistics.median(rates), statistics.median(others)) if rates else (None, 0.0)


def paired_spreads(records: Iterable[TrialRecord]) -> dict[str, float]:
    """Variant -> standard deviation of its paired differences of the loss, where there are `MIN_PAIRS` at least."""
    losses: dict[str, dict[int, float]] = {}
    for record in records:
        if record.part == "ablation" and record.variant is not None and "loss" in record.metrics:
            losses.setdefault(record.variant, {})[record.seed] = record.metrics["loss"]
    base = losses.pop("base", {})
    pairs = {name: [own[s] - base[s] for s in own if s in base] for name, own in losses.items()}
    return {name: statistics.stdev(found) for name, found in pairs.items() if len(found) >= MIN_PAIRS}


def base_mean(records: Iterable[TrialRecord]) -> float | None:
    """The mean loss of the base; None without any."""
    found = [r.metrics["loss"] for r in records if r.part == "ablation" and r.variant == "base" and "loss" in r.metrics]
    return statistics.mean(found) if found else None
