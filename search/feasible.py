"""What can be known of a point before anything is trained: rules, price, budgets, and whether it was seen before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from archspec import Edit, Problem, Spec, check_spec, fingerprint, total_price
from archspec.graph import ArchGraph
from search.objectives import Limits, shortened, violations

#: A prediction must be over a budget by more than this share to refuse a point: more than predictors err by.
PREDICTION_ERROR = 0.01


class Predictor(Protocol):
    """Metrics of an architecture that can be predicted before it is trained, such as its peak memory."""

    def __call__(self, graph: ArchGraph) -> Mapping[str, float]:
        """Metric (as in `search.objectives.METRICS`) -> prediction, in its unit; empty if there is none."""


@dataclass(frozen=True)
class Assessment:
    """A point, judged beforehand.

    Attributes:
        edits: what turns the base into it.
        graph: its architecture; None if it breaks a rule.
        fingerprint: its name; None if it breaks a rule.
        metrics: the metrics that are known beforehand.
        predicted: the metrics that are predicted beforehand, and measured later.
        problems: the rules it breaks.
        violations: for the budgets known beforehand ``used / budget - 1``.
    """

    edits: tuple[Edit, ...]
    graph: ArchGraph | None
    fingerprint: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    predicted: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    violations: dict[str, float] = field(default_factory=dict)

    @property
    def refusal(self) -> str | None:
        """Why it must not be trained; None if it may be."""
        if self.graph is None:
            return "; ".join(f"{problem.code} {problem.message}" for problem in self.problems)
        broken = [name for name, excess in self.violations.items() if excess > 0]
        return "; ".join(self._over(name) for name in broken) or None

    def _over(self, name: str) -> str:
        used, excess = {**self.predicted, **self.metrics}[name], self.violations[name]
        how = "is" if name in self.metrics else "is predicted to be"
        return f"{name} {how} {shortened(used)}, {excess:+.0%} over its budget of {shortened(used / (1 + excess))}"


def assess(spec: Spec, edits: tuple[Edit, ...], budgets: Limits, predict: Predictor | None = None) -> Assessment:
    """Judge the base with `edits`, without training: rules, then parameters and MACs, then what can be predicted.

    A point is not predicted where its price breaks a budget already. What a prediction cannot say for sure is left to
    the measurement: its violation enters only where it is over by more than `PREDICTION_ERROR`.
    """
    checked = check_spec(spec.with_edits(edits))
    if checked.graph is None:
        return Assessment(edits, None, problems=checked.errors)
    graph, price = checked.graph, total_price(checked.graph)
    known = {"parameters": float(price.parameters), "macs": float(price.macs)}
    found = violations(known, budgets)
    predicted: dict[str, float] = {}
    if predict is not None and all(excess <= 0 for excess in found.values()):
        predicted = {name: float(value) for name, value in predict(graph).items() if name not in known}
        sure = {name: excess for name, excess in violations(predicted, budgets).items() if excess > PREDICTION_ERROR}
        found = {**found, **sure}
    return Assessment(edits, graph, fingerprint(graph), known, predicted, violations=found)
