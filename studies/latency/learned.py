"""What trials measured, turned into a prediction of latency for architectures that were not trained.

An architecture's work is what it does operation by operation (`builder.profile.durations`); a regression goes from
there to what the harness measured (`regression`). It holds for one device, one torch version, one number of threads
and one way to measure, those of the trials that it learned from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import torch

from archspec import fingerprint, from_document
from archspec.graphs.graph import ArchGraph
from builder.profile.durations import Durations, Work
from builder.profile.step import inference_trace, training_trace
from search.objectives import Metric
from studies.latency.regression import FEWEST, HeldOut, Regression, fit
from studies.measure import device as devices
from studies.records.record import TrialRecord
from studies.sections.protocol import Measure, Protocol
from studies.training.diffusion import process
from studies.trial.predicted import options_for, threads_as

#: The latencies of a record, and which call each is of.
CALLS: dict[Metric, Literal["inference", "training"]] = {
    "latency": "inference", "latency_ratio": "inference",
    "train_latency": "training", "train_latency_ratio": "training",
}  # fmt: skip
#: Architectures that are learned from, the newest: each is traced once in a run, at some tenths of a second.
MOST = 100
#: What must agree of the circumstances of trials and of this process.
_SAME = ("device", "device_type", "cores", "threads", "torch")

Measured = Mapping[str, tuple[dict[str, Any], dict[Metric, float]]]


@dataclass(frozen=True)
class Foretold:
    """A predicted latency.

    Attributes:
        value: in seconds, or as a ratio to the reference network.
        held_out: the error of such predictions; None where it is not known.
        why_not: why it is not known; empty where it is.
        architectures: how many it was learned from.
    """

    value: float
    held_out: HeldOut | None
    why_not: str
    architectures: int


def measured_latencies(records: Iterable[TrialRecord], documents: Mapping[str, dict[str, Any]]) -> Measured:
    """Fingerprint -> architecture in full, and the median over its finished trials of each latency.

    Args:
        records: of trials, in order; replayed ones count with what they replay.
        documents: the architectures in full; trials of others are left out.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for record in records:
        mark = record.fingerprint
        if record.status == "finished" and mark and documents.get(mark) and "latency" in record.metrics:
            found.setdefault(mark, []).append(record.metrics)
    return {
        mark: (
            documents[mark],
            {name: median(v) for name in CALLS if (v := [row[name] for row in rows if row.get(name, 0.0) > 0])},
        )
        for mark, rows in found.items()
    }


def foreign(records: Iterable[TrialRecord], measure: Measure) -> str | None:
    """Why trials say nothing of latencies here: where they ran differs from this process; None if it agrees."""
    here = circumstances(measure)
    for record in records:
        for key in _SAME:
            there = record.environment.get(key, here[key])
            if record.status == "finished" and there != here[key]:
                return f"the trials were measured with {key.replace('_', ' ')} {there}, and here it is {here[key]}"
    return None


def circumstances(measure: Measure) -> dict[str, Any]:
    """What a latency depends on here, beside the architecture, under the names of a record's environment."""
    here: dict[str, Any] = dict(devices.describe(devices.choose(measure.device)))
    if measure.threads is not None:
        here["threads"] = measure.threads
    return here | {"torch": str(torch.__version__)}


class LatencyPredictor:
    """Predicts what a study would measure.

    Args:
        protocol: how trials are trained: arithmetic, averages, clipping.
        measure: the device, its threads, and images per call.
        durations: the table of operations; default the user's, for the device.
    """

    def __init__(self, protocol: Protocol, measure: Measure, durations: Durations | None = None) -> None:
        self._device = devices.choose(measure.device)
        self._protocol, self._measure = protocol, measure
        self._options = options_for(protocol, measure, self._device.type)
        self._durations = durations
        self._works: dict[tuple[str, str], Work] = {}
        self._learned: Measured = {}
        self._fits: dict[Metric, Regression | None] = {}

    @property
    def architectures(self) -> int:
        """How many architectures are learned from."""
        return len(self._learned)

    def learn(self, measured: Measured) -> None:
        """Go by these architectures from now on; of more than `MOST` by the last."""
        kept = dict(list(measured.items())[-MOST:])
        if kept.keys() != self._learned.keys():
            self._learned, self._fits = kept, {}

    def predict(self, graph: ArchGraph, metric: Metric) -> Foretold | None:
        """A latency of an architecture; None where nothing was learned of it."""
        model = self._fitted(metric)
        if model is None:
            return None
        work = self.work(graph, metric)
        error = model.error_of(work)
        return Foretold(
            model.predict(work), error, "" if error else _unknown(model, self.architectures), len(self._learned)
        )

    def held_out(self, metric: Metric) -> HeldOut | None:
        """The error of predictions of a latency, where enough architectures are known."""
        model = self._fitted(metric)
        return model.held_out if model is not None else None

    def work(self, graph: ArchGraph, metric: Metric) -> Work:
        """What the call that a latency is of does for an architecture; operations new to the table are timed."""
        return self._work(fingerprint(graph), graph, metric)

    def _fitted(self, metric: Metric) -> Regression | None:
        if metric not in self._fits:
            known = [(mark, *one) for mark, one in self._learned.items() if metric in one[1]]
            works = [self._work(mark, document, metric) for mark, document, _ in known]
            self._fits[metric] = fit(works, [metrics[metric] for *_, metrics in known]) if known else None
        return self._fits[metric]

    def _work(self, mark: str, architecture: ArchGraph | dict[str, Any], metric: Metric) -> Work:
        key = (mark, CALLS[metric])
        if key not in self._works:
            graph = from_document(architecture) if isinstance(architecture, dict) else architecture
            with threads_as(self._measure.threads):
                self._works[key] = self._traced(graph, metric)
        return self._works[key]

    def _traced(self, graph: ArchGraph, metric: Metric) -> Work:
        if CALLS[metric] == "inference":
            trace = inference_trace(graph, self._options)
        else:
            trace = training_trace(graph, self._options, process(self._protocol.objective, torch.device("meta")))
        if self._durations is None:
            self._durations = Durations(self._device.type)
        missing = self._durations.missing(trace)
        if missing:
            # Beside a training both would go wrong: the table, and whatever that training's worker measures.
            with closing(devices.turn_on(self._device)) as turn, turn.measuring():
                self._durations.measure(missing)
        return self._durations.work(trace)


def _unknown(model: Regression, architectures: int) -> str:
    if model.held_out is None:
        return f"only {architectures} architectures were measured, and an error bound needs {FEWEST}"
    return "it does much less or much more than any architecture that was measured"
