"""What stands in the tables: numbers for other programs, and words for readers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from reports.analysis.ablation import Effect, compare, compared_metrics
from reports.analysis.pareto import objectives_of, ratios_in_words
from reports.analysis.rules import rules_of
from reports.analysis.samples import JUDGED_BY
from reports.analysis.scores import rankings
from reports.analysis.search import search_points, value_text
from reports.metrics import (
    MISSING,
    NARROW,
    Metric,
    interval_text,
    metric_of,
    metrics_of,
    p_text,
    percent_text,
    signed_significant,
)
from reports.pages.scores import tau_text

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: of its files.
        caption: one sentence that says what the rows are and what the intervals mean.
        numbers: recorded units (s, bytes, counts), one column for each number.
        words: as a reader wants it: units, intervals, honest digits.
    """

    name: str
    caption: str
    numbers: pd.DataFrame
    words: pd.DataFrame


def tables(results: StudyResults) -> list[Table]:
    """Every table that the study has something for."""
    found = (_ablation(results), _front(results), _scores(results))
    return [table for table in found if table is not None]


def _ablation(results: StudyResults) -> Table | None:
    names = compared_metrics(results.trials)
    effects = {name: compare(results.trials, name, rules_of(results)) for name in names}
    if not any(effects.values()):
        return None
    metrics = metrics_of(results.trials)
    numbers = pd.DataFrame([_numbers(effect) for found in effects.values() for effect in found])
    words = pd.DataFrame({"variant": [effect.variant for effect in effects[names[0]]]})
    for name, found in effects.items():
        metric = metric_of(name, metrics)
        words[f"Δ {_head(metric, found)}"] = [_difference(effect, metric) for effect in found]
        if name == JUDGED_BY:
            words["in per cent"] = [percent_text(effect.percent) for effect in found]
            words["p (Holm)"] = [p_text(effect.p_holm) for effect in found]
            words["seeds"] = [effect.n for effect in found]
            words["verdict"] = [effect.verdict_text for effect in found]
    caption = (
        f"{results.name}: difference of each variant to the base, mean over training seeds paired by seed, with the "
        f"95 % t interval; p values and verdicts are of {metrics[JUDGED_BY].label}, adjusted by Holm's method "
        "over all variants. Times are compared by their ratio to a reference network."
    )
    return Table("ablation", caption, numbers, words)


def _head(metric: Metric, effects: tuple[Effect, ...]) -> str:
    if any(effect.relative for effect in effects):
        return f"{metric.label} (%)"
    return metric.title


def _numbers(effect: Effect) -> dict[str, object]:
    return {
        "variant": effect.variant,
        "metric": effect.metric,
        "unit": "percent" if effect.relative else "recorded",
        "seeds": effect.n,
        "base_mean": effect.base_mean,
        "difference": effect.mean,
        "low": effect.low,
        "high": effect.high,
        "low_holm": effect.low_adjusted,
        "high_holm": effect.high_adjusted,
        "percent": effect.percent,
        "p": effect.p,
        "p_holm": effect.p_holm,
        "verdict": str(effect.verdict),
    }


def _difference(effect: Effect, metric: Metric) -> str:
    if effect.n == 0:
        return MISSING
    shown = (lambda value: value) if effect.relative else metric.shown
    if metric.counted or effect.low == effect.high:
        return "0" if effect.mean == 0 else signed_significant(shown(effect.mean))
    return interval_text(shown(effect.mean), shown(effect.low), shown(effect.high))


def _front(results: StudyResults) -> Table | None:
    points = [point for point in search_points(results) if point.kind == "front"]
    if not points:
        return None
    metrics = metrics_of(results.trials)
    objectives = [metric_of(name, metrics) for name in objectives_of(results)]
    first = objectives[0].name
    points.sort(key=lambda point: point.values[first])
    own = {"trial", *(metric.name for metric in objectives), *(metric.title for metric in objectives)}
    heads = {name: f"param:{name}" if name in own else name for point in points for name in point.parameters}
    rows = [
        {
            "trial": point.trial,
            **{heads[name]: value for name, value in point.parameters.items()},
            **{metric.name: point.values[metric.name] for metric in objectives},
        }
        for point in points
    ]
    words = pd.DataFrame(
        [
            {
                "trial": point.trial,
                **{head: value_text(point.parameters.get(name)) or MISSING for name, head in heads.items()},
                **{metric.title: _bare(point.values[metric.name], metric) for metric in objectives},
            }
            for point in points
        ]
    )
    ratios = ratios_in_words(results)
    compared = (
        f" Compared by the ratio of {ratios} to a reference network, which the table does not show." if ratios else ""
    )
    caption = (
        f"{results.name}: the search's non-dominated architectures within the budgets. One training seed each, so "
        f"neighbours may differ by chance.{compared}"
    )
    return Table("front", caption, _whole(pd.DataFrame(rows), list(heads.values())), words)


def _whole(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Turn whole numbers back into integers: the study's frame holds floats where a trial lacks the parameter."""
    told = {name: frame[name] for name in columns if pd.api.types.is_float_dtype(frame[name])}
    return frame.astype({name: "Int64" for name, column in told.items() if (column.dropna() % 1 == 0).all()})


def _scores(results: StudyResults) -> Table | None:
    found = rankings(results)
    if not found:
        return None
    numbers = pd.DataFrame(
        [
            {"score": one.score, "objective": one.objective, "trials": one.n, "tau": one.tau.value, "low": one.tau.low,
             "high": one.tau.high, "in this study": one.verdict}
            for one in found
        ]
    )  # fmt: skip
    metrics = metrics_of(results.trials)
    words = pd.DataFrame(
        [
            {"score": one.score, "objective": metric_of(one.objective, metrics).label, "Kendall's tau": tau_text(one),
             "trials": one.n, "in this study": one.verdict}
            for one in found
        ]
    )  # fmt: skip
    caption = (
        f"{results.name}: how well zero-cost scores rank the search's trained architectures; Kendall's tau-b, positive "
        "if a higher score goes with a better value, with the 95 % interval of Fieller, Hartley and Pearson (1957)."
    )
    return Table("scores", caption, numbers, words)


def _bare(value: float, metric: Metric) -> str:
    """A value without its unit, which stands in the column's head."""
    return metric.text(value).removesuffix(metric.unit).rstrip(f"{NARROW} ") if metric.unit else metric.text(value)
