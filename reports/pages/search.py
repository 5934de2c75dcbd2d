"""The search: any metric against any other, its progress, parameters, importances and training curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reports.analysis.curves import trial_curves
from reports.analysis.importance import Importances, importances
from reports.analysis.knee import plane
from reports.analysis.pareto import first_objective, objectives_of, ratios_in_words
from reports.analysis.progress import Progress, is_random, progress
from reports.analysis.search import Point, objective_pairs, search_points
from reports.analysis.surrogate import BELIEVED, SPLITS, Surrogate, surrogate
from reports.analysis.trials import part, replayed_trial
from reports.figures.importance import importance_bar, need_bar
from reports.figures.kinds import KINDS
from reports.figures.progress import progress_figure
from reports.metrics import Metric, join_words, metric_of, metrics_of, signed, significant
from reports.pages.charts import Chart, Charts
from reports.pages.scores import scores_context
from reports.pages.search_data import choices, differ, search_data

if TYPE_CHECKING:
    from studies.frame import StudyResults

ORDER = Metric("trial", "trial, in order")
"""The order of the trials, as something to draw against."""


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the search; None if the study has none."""
    if part(results.trials, "search").empty:
        return None
    points = search_points(results)
    trained = [p for p in points if p.kind != "no result"]
    metrics = metrics_of(results.trials)
    curves = trial_curves(results, points)
    found: dict[str, Any] = {
        "counts": [(kind, sum(1 for p in points if p.kind == kind.name)) for kind in KINDS.values()],
        "objectives": join_words(metric_of(o, metrics).label for o in results.objectives),
        "budgets": join_words(
            f"{metric_of(n, metrics).label} at most {metric_of(n, metrics).text(limit)}"
            for n, limit in results.budgets.items()
        ),
        "saved": _saved(results),
        "trained": len(trained),
        "pruned": any(p.status == "pruned" for p in points),
        "screening": results.screening,
        "scores": scores_context(results),
        "pareto": _pareto(results, points, charts) if trained else None,
        "progress": _progress(results, points, charts),
        "parallel": _parallel(points, results) if trained else None,
        "slices": _slices(results, points, charts) if trained else None,
        "importances": _importances(results) if trained else None,
        "curves": _curves(len(curves), charts),
    }
    found["data"] = search_data(results, points, {point.trial: curve for point, curve in curves})
    return found


def _saved(results: StudyResults) -> str:
    """Count the trainings that replays saved, and the time the repeated trials had taken."""
    rows = part(results.trials, "search")
    replays = rows[rows["status"] == "replayed"]
    if replays.empty:
        return ""
    walls = {
        (str(p), int(t)): float(w)
        for p, t, w in zip(results.trials["part"], results.trials["trial"], results.trials["wall"], strict=True)
        if isinstance(w, (int, float))
    }
    sources = [replayed_trial(row) for row in replays.to_dict("records")]
    seconds = sum(wall for s in sources if s and math.isfinite(wall := walls.get(s, math.nan)))
    number = len(replays)
    time = f", about {_duration(seconds)} of training" if seconds > 0 else ""
    return f"{number} of {len(rows)} proposals {'repeats' if number == 1 else 'repeat'} a known architecture and took over its result: {number} {'training' if number == 1 else 'trainings'} saved{time}."  # noqa: E501


def _duration(seconds: float) -> str:
    for size, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{significant(seconds / size, 2)}\N{NARROW NO-BREAK SPACE}{unit}"
    return f"{significant(seconds, 2)}\N{NARROW NO-BREAK SPACE}s"


def _pareto(results: StudyResults, points: Sequence[Point], charts: Charts) -> dict[str, Any] | None:
    shown = choices(results, points)
    if not shown:
        return None
    first = _first(results, shown)
    pairs = [cost for cost, _ in objective_pairs(results) if cost in {m.name for m in shown}]
    across = next((m for m in shown if pairs and m.name == pairs[0]), ORDER)
    third = pairs[1] if len(pairs) > 1 else ""
    counted = ", ".join(
        f"{number} {kind.label}" for kind in KINDS.values() if (number := sum(1 for p in points if p.kind == kind.name))
    )
    label = (
        f"Scatter plot of two metrics, first {first.label} against {across.label}, for {len(points)} trials: {counted}."
    )
    title = f"{first.label}, trial by trial" if across is ORDER else f"{first.label} against {across.label}"
    return {
        "metrics": shown,
        "order": ORDER,
        "x": across.name,
        "y": first.name,
        "colour": third,
        "title": title,
        "ratios": ratios_in_words(results),
        "knee": plane(len(results.objectives)) if any(p.knee for p in points) else "",
        "plot": charts.chosen("pareto", 440, label),
    }


def _first(results: StudyResults, shown: Sequence[Metric]) -> Metric:
    return next((m for m in shown if m.name == first_objective(results)), shown[0])


def _progress(results: StudyResults, points: Sequence[Point], charts: Charts) -> dict[str, Any] | None:
    found = progress(results, points)
    if found is None:
        return None
    label = f"Dominated volume over {found.trainings[-1]} trainings; it last grew with training {_last_growth(found)}."
    return {
        "plot": charts.add("progress", progress_figure(found), label),
        "random": found.random,
        "is_random": is_random(results),
        "last": _last_growth(found),
        "trainings": found.trainings[-1],
        "ratios": ratios_in_words(results),
    }


def _last_growth(found: Progress) -> int:
    return next(n for n, v in zip(found.trainings, found.volumes, strict=True) if v >= 1.0 - 1e-12)


def _varying(points: Sequence[Point]) -> list[str]:
    names = dict.fromkeys(name for p in points for name in p.parameters)
    return [n for n in names if differ(str(p.parameters[n]) for p in points if n in p.parameters)]


def _parallel(points: Sequence[Point], results: StudyResults) -> dict[str, Any] | None:
    objectives = [m for m in choices(results, points) if m.name in objectives_of(results)]
    axes = [*_varying(points), *(m.title for m in objectives)]
    if len(axes) < 2:
        return None
    return {"axes": len(axes), "label": f"Parallel coordinates of {len(points)} trials over {join_words(axes)}."}


def _slices(results: StudyResults, points: Sequence[Point], charts: Charts) -> dict[str, Any] | None:
    shown, names = choices(results, points), _varying(points)
    if not shown or not names:
        return None
    label = f"Scatter plot of one metric over one parameter for {len(points)} trials."
    return {
        "parameters": names,
        "metrics": shown,
        "y": _first(results, shown).name,
        "plot": charts.chosen("slices", 440, label),
    }


def _importances(results: StudyResults) -> dict[str, Any]:
    search = part(results.trials, "search")
    metrics = metrics_of(results.trials)
    names = objectives_of(results)
    found = [importances(search, name) for name in names]
    return {
        "tables": [_table(metric_of(c.objective, metrics), c, surrogate(search, c.objective)) for c in found if c.rows],
        "caution": "; ".join(dict.fromkeys(c.caution for c in found)),
        "splits": SPLITS,
    }


def _table(metric: Metric, shares: Importances, forest: Surrogate) -> dict[str, Any]:
    needs = {need.parameter: need for need in forest.needs}
    rows = [
        {
            "share": row,
            "share_bar": importance_bar(row),
            "need": needs.get(row.parameter),
            "need_bar": need_bar(needs[row.parameter], believed=forest.believed) if row.parameter in needs else "",
            "trend": "" if math.isnan(row.trend) else signed(row.trend, 2),
        }
        for row in shares.rows
    ]
    return {"metric": metric, "n": shares.n, "rows": rows, "forest": forest, "fit": _fit(metric, forest)}


def _fit(metric: Metric, forest: Surrogate) -> str:
    if math.isnan(forest.fit):
        return "No forest was grown: no parameter varies."
    low, high = signed_plain(forest.fit_low), signed_plain(forest.fit_high)
    numbers = f"held-out R² {signed_plain(forest.fit)} ({low} to {high}, n={forest.n})"
    if forest.believed:
        return f"The forest predicts {metric.label} with {numbers}."
    return (
        f"The forest predicts {metric.label} too poorly to be believed: {numbers}, below {BELIEVED}. "
        "Its importances are drawn hollow and should not be used."
    )


def signed_plain(value: float) -> str:
    """Write a number with two decimals and a true minus sign."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _curves(number: int, charts: Charts) -> Chart | None:
    if not number:
        return None
    return charts.chosen("search-curves", 360, f"Training loss over optimizer steps of {number} trials.")
