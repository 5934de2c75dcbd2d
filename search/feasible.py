"""What can be known of a point before anything is trained: rules, price, budgets, and whether it was seen before."""

from __future__ import annotations

from dataclasses import dataclass, field

from archspec import Edit, Problem, Spec, check_spec, fingerprint, total_price
from archspec.graph import ArchGraph
from search.objectives import Metric, shortened, violations
from search.screening import Predictor, screen


@dataclass(frozen=True)
class Assessment:
    """A point, judged beforehand.

    Attributes:
        edits: what turns the base into it.
        graph: its architecture; None if it breaks a rule.
        fingerprint: its name; None if it breaks a rule.
        metrics: the metrics that are known beforehand.
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
        broken = [name for name, excess in self.violations.items() if excess > 0]
        return "; ".join(_over(self.metrics[name], name, self.violations[name]) for name in broken) or self.screened


def _over(used: float, name: str, excess: float) -> str:
    return f"{name} is {shortened(used)}, {excess:+.0%} over its budget of {shortened(used / (1 + excess))}"


def assess(
    spec: Spec, edits: tuple[Edit, ...], budgets: dict[Metric, float], predictor: Predictor | None = None
) -> Assessment:
    """Judge the base with `edits`: rules first, then the budgets on parameters and MACs, then predictions."""
    checked = check_spec(spec.with_edits(edits))
    if checked.graph is None:
        return Assessment(edits, None, problems=checked.errors)
    price = total_price(checked.graph)
    known = {"parameters": float(price.parameters), "macs": float(price.macs)}
    broken = violations(known, budgets)
    over = any(excess > 0 for excess in broken.values())
    screening = screen(checked.graph, budgets, None if over else predictor)
    mark = fingerprint(checked.graph)
    return Assessment(edits, checked.graph, mark, {**known, **screening.metrics}, (), broken, screening.refusal)
