"""The tables of designs whose variants are judged together: effects of factors, steps of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reports.analysis.ablation_notes import Tested, factorial_effects, path_steps
from reports.analysis.factorial import words_of
from reports.analysis.rules import rules_of
from reports.metrics import Metric, p_text

if TYPE_CHECKING:
    from studies.frame import StudyResults


def design_tables(results: StudyResults, metric: Metric) -> dict[str, Any]:
    """Gather both; each is None or empty where the study has no such design."""
    tested = factorial_effects(results.trials, metric.name, rules_of(results))
    factorial = None
    if tested:
        factorial = {
            "rows": [_term(one, metric) for one in tested],
            "metric": metric.title,
            "df": f"{tested[0].term.df:.0f}",
            "aliased": any(one.term.aliases for one in tested),
        }
    steps = [
        {
            "added": step.added,
            "mean": step.mean,
            "text": metric.text(step.mean),
            "others": ", ".join(f"{name} {metric.text(mean)}" for name, mean in step.others.items()) or "-",
        }
        for step in path_steps(results.trials, metric.name)
    ]
    return {"factorial": factorial, "path": steps}


def _term(one: Tested, metric: Metric) -> dict[str, Any]:
    term = one.term
    direction = "better" if term.estimate < 0 else "worse"
    return {
        "key": term.name,
        "name": words_of(term).replace(" x ", " × "),
        "estimate": term.estimate,
        "low": term.low,
        "high": term.high,
        "text": metric.difference(term.estimate, term.low, term.high),
        "p": p_text(one.p_holm),
        "p_value": one.p_holm,
        "verdict": direction if one.found else "inconclusive",
    }
