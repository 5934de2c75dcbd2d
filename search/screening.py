"""Budgets on what is measured, held before anything is trained: by a prediction, and only where that is sure enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from archspec.graph import ArchGraph
from search.objectives import Metric, predicted_name

#: Metrics that a predictor may be asked for.
PREDICTABLE: frozenset[Metric] = frozenset({"memory", "train_memory"})


@dataclass(frozen=True)
class Predicted:
    """A metric of an architecture before it is trained.

    Attributes:
        value: in the metric's unit (bytes).
        margin: by how much the measured value may well be smaller, in the same unit.
        note: what must be said with it, such as that it was never validated on the device.
    """

    value: float
    margin: float
    note: str | None = None


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
    asked = PREDICTABLE & budgets.keys()
    found = predictor(graph, asked) if predictor is not None and asked else {}
    reasons = [_over(name, one, budgets[name]) for name, one in found.items() if one.value - one.margin > budgets[name]]
    return Screening({predicted_name(name): one.value for name, one in found.items()}, "; ".join(reasons) or None)


def _over(name: Metric, one: Predicted, budget: float) -> str:
    excess = one.value / budget - 1.0
    said = f"{name} is predicted as {_mebibytes(one.value)}, {excess:+.1%} over its budget of {_mebibytes(budget)}"
    said += f", more than the prediction's margin of {_mebibytes(one.margin)}"
    return f"{said} ({one.note})" if one.note else said


def _mebibytes(nbytes: float) -> str:
    return f"{nbytes / 2**20:.4g} MiB"
