"""The search: costs against quality, parallel coordinates, importances and training curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.analysis.curves import trial_curves
from reports.analysis.importance import MIN_TRIALS, Importances, importances
from reports.analysis.search import Point, objective_pairs, parallel, search_points
from reports.analysis.trials import part
from reports.figures.curves import trial_figure
from reports.figures.importance import importance_bar
from reports.figures.kinds import KINDS
from reports.figures.parallel import parallel_svg
from reports.figures.scatter import history_figure, pareto_figure
from reports.metrics import join_words, metric_of, metrics_of
from reports.pages.charts import Chart, Charts
from reports.pages.scores import scores_context

if TYPE_CHECKING:
    from studies.frame import StudyResults


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the search; None if the study has none."""
    if part(results.trials, "search").empty:
        return None
    points = search_points(results)
    trained = [p for p in points if p.kind != "no result"]
    metrics = metrics_of(results.trials)
    return {
        "counts": [(kind, sum(1 for p in points if p.kind == kind.name)) for kind in KINDS.values()],
        "objectives": join_words(metric_of(o, metrics).label for o in results.objectives),
        "budgets": join_words(
            f"{metric_of(n, metrics).label} at most {metric_of(n, metrics).text(limit)}"
            for n, limit in results.budgets.items()
        ),
        "charts": _charts(results, points, charts) if trained else [],
        "parallel": _parallel(results),
        "importances": _importances(results) if trained else None,
        "curves": _curves(results, points, charts),
        "trained": len(trained),
        "screening": results.screening,
        "scores": scores_context(results),
    }


def _charts(results: StudyResults, points: Sequence[Point], charts: Charts) -> list[tuple[str, Chart]]:
    metrics = metrics_of(results.trials)
    pairs = objective_pairs(results)
    drawn: list[tuple[str, Chart]] = []
    for cost, first in pairs:
        x, y = metric_of(cost, metrics), metric_of(first, metrics)
        figure = pareto_figure(points, x, y, results.budgets, connect=len(pairs) == 1)
        drawn.append(
            (f"{y.label} against {x.label}", charts.add(f"pareto-{cost}", figure, _label(points, x.label, y.label)))
        )
    if not pairs:
        metric = metric_of(results.objectives[0] if results.objectives else "loss", metrics)
        more = metric.name in results.maximised
        figure = history_figure(points, metric, results.budgets, more_is_better=more)
        label = f"{metric.label} of each trial in order, and the best so far."
        drawn.append((f"{metric.label}, trial by trial", charts.add("history", figure, label)))
    return drawn


def _label(points: Sequence[Point], x: str, y: str) -> str:
    counted = ", ".join(
        f"{number} {kind.label}" for kind in KINDS.values() if (number := sum(1 for p in points if p.kind == kind.name))
    )
    return f"Scatter plot of {y} against {x} for {len(points)} trials: {counted}."


def _parallel(results: StudyResults) -> dict[str, Any] | None:
    data = parallel(results)
    if len(data.axes) < 2 or not any(sum(p is not None for p in line.positions) > 1 for line in data.lines):
        return None
    title = f"Parallel coordinates of {len(data.lines)} trials over {join_words(a.title for a in data.axes)}."
    return {"svg": parallel_svg(data, title), "left_out": data.left_out, "axes": len(data.axes)}


def _importances(results: StudyResults) -> dict[str, Any]:
    search = part(results.trials, "search")
    metrics = metrics_of(results.trials)
    found = [importances(search, name) for name in results.objectives or ("loss",)]
    by_parameter: dict[str, list[Any]] = {}
    for column in found:
        for row in column.rows:
            by_parameter.setdefault(row.parameter, [])
    rows = [
        {
            "parameter": name,
            "cells": [
                (c.objective, row, importance_bar(row)) for c in found for row in c.rows if row.parameter == name
            ],
        }
        for name in by_parameter
    ]
    return {
        "objectives": [metric_of(c.objective, metrics).label for c in found],
        "enough": bool(rows),
        "caution": _caution(found),
        "rows": rows,
        "needed": MIN_TRIALS,
    }


def _caution(found: Sequence[Importances]) -> str:
    return "; ".join(dict.fromkeys(c.caution for c in found))


def _curves(results: StudyResults, points: Sequence[Point], charts: Charts) -> Chart | None:
    curves = trial_curves(results, points)
    if not curves:
        return None
    label = f"Training loss over optimizer steps of {len(curves)} trials."
    return charts.add("search-curves", trial_figure(curves), label)
