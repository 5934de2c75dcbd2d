"""What can be known of a point before anything is trained: rules, price, budgets, and whether it was seen before."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec import Edit, Problem, Spec, check_spec, fingerprint, total_price
from archspec.graphs.graph import ArchGraph
from search.objectives import Limits, predicted_name, shortened, violations
from search.screening import PREDICTABLE, Predictor, screen


@dataclass(frozen=True)
class Assessment:
    """A point, judged beforehand.

    Attributes:
        edits: what turns the base into it.
        graph: its architecture; None if it breaks a rule.
        fingerprint: its name; None if it breaks a rule.
        metrics: the metrics that are known beforehand, and ``predicted_memory`` and the like.
        problems: the rules it breaks.
        violations: for the budgets known beforehand ``used / budget - 1``.
        screened: why a prediction rules it out; None if none does.
    """

    edits: tuple[Edit, ...]
    graph: ArchGraph | None
    fingerprint: str | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    violations: dict[str, float] = field(default_factory=dict)
    screened: str | None = None

    @property
    def refusal(self) -> str | None:
        """Why it must not be trained; None if it may be."""
        if self.graph is None:
            return "; ".join(f"{problem.code} {problem.message}" for problem in self.problems)
        if self.screened is not None:
            return self.screened
        broken = [name for name, excess in self.violations.items() if excess > 0]
        return "; ".join(_over(self.metrics[name], name, self.violations[name]) for name in broken) or None

    @property
    def predicted(self) -> dict[str, float]:
        """The predicted metrics under the names of what was predicted."""
        given = [(name, predicted_name(name)) for name in PREDICTABLE]
        return {name: self.metrics[told] for name, told in given if told in self.metrics}


def assess(spec: Spec, edits: tuple[Edit, ...], budgets: Limits, predict: Predictor | None = None) -> Assessment:
    """Judge the base with `edits`, without training: rules, then parameters and MACs, then what can be predicted.

    A point is not predicted where its price breaks a budget already. What a prediction cannot say for sure is left to
    the measurement: see `search.screening`.
    """
    checked = check_spec(spec.with_edits(edits))
    if checked.graph is None:
        return Assessment(edits, None, problems=checked.errors)
    graph, price = checked.graph, total_price(checked.graph)
    known = {"parameters": float(price.parameters), "macs": float(price.macs)}
    broken = violations(known, budgets)
    over = any(excess > 0 for excess in broken.values())
    screening = screen(graph, budgets, None if over else predict)
    metrics = {**known, **screening.metrics}
    if screening.refusal is not None:
        broken = violations(metrics, budgets)
    return Assessment(edits, graph, fingerprint(graph), metrics, (), broken, screening.refusal)


def _over(used: float, name: str, excess: float) -> str:
    return f"{name} is {shortened(used)}, {excess:+.0%} over its budget of {shortened(used / (1 + excess))}"
