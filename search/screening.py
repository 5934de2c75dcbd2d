"""Budgets on what is measured, held before anything is trained: by a prediction, and only where that is sure enough.

Memory is predicted so well that a sampler may take the prediction for the measurement (`PREDICTABLE`). A latency is
not: it is predicted only if the study asks for it, and its margin is its error on architectures that were held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from archspec.graphs.graph import ArchGraph
from search.objectives import Metric, predicted_name

#: Metrics whose prediction is as good as known.
PREDICTABLE: frozenset[Metric] = frozenset({"memory", "train_memory"})
#: Metrics whose prediction is learned, and may be far off.
LEARNED: frozenset[Metric] = frozenset({"latency", "train_latency", "latency_ratio", "train_latency_ratio"})


@dataclass(frozen=True)
class Predicted:
    """A metric of an architecture before it is trained.

    Attributes:
        value: in the metric's unit (bytes, seconds, or a plain ratio).
        margin: by how much the measured value may well be smaller, in the same unit; infinite where nobody knows.
        note: what must be said with it, such as that it was never validated on the device.
    """

    value: float
    margin: float
    note: str | None = None

    def exceeds(self, budget: float) -> bool:
        """Whether it is over a budget by more than its margin."""
        return self.value - self.margin > budget


class Predictor(Protocol):
    """Who predicts: given from outside, so that `search` needs no torch."""

    def __call__(self, graph: ArchGraph, metrics: frozenset[Metric]) -> Mapping[Metric, Predicted]:
        """Those of the metrics that can be predicted for an architecture."""
        ...


@dataclass(frozen=True)
class Screening:
    """What predictions say of an architecture.

    Attributes:
        metrics: ``predicted_<metric>`` -> value.
        refusal: why it must not be trained; None if it may be.
    """

    metrics: dict[str, float]
    refusal: str | None


def screen(graph: ArchGraph, budgets: Mapping[Metric, float], predictor: Predictor | None) -> Screening:
    """Hold predictions against budgets: over one by more than the prediction's margin is a reason to refuse."""
    asked = (PREDICTABLE | LEARNED) & budgets.keys()
    found = predictor(graph, asked) if predictor is not None and asked else {}
    reasons = [_over(name, one, budgets[name]) for name, one in found.items() if one.exceeds(budgets[name])]
    return Screening({predicted_name(name): one.value for name, one in found.items()}, "; ".join(reasons) or None)


def _over(name: Metric, one: Predicted, budget: float) -> str:
    excess = one.value / budget - 1.0
    said = f"{name} is predicted as {_said(name, one.value)}, {excess:+.1%} over its budget of {_said(name, budget)}"
    said += f", more than the prediction's margin of {_said(name, one.margin)}"
    return f"{said} ({one.note})" if one.note else said


def _said(name: Metric, value: float) -> str:
    if name in PREDICTABLE:
        return f"{value / 2**20:.4g} MiB"
    return f"{value:.3g}" if name.endswith("_ratio") else f"{value * 1e3:.3g} ms"
