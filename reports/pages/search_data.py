"""The search's trials as columns of numbers, from which the page's script makes the plots that a reader chooses."""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from reports.analysis.curves import Curve
from reports.analysis.pareto import objectives_of
from reports.analysis.scale import log_ticks, view
from reports.analysis.search import Point, levels_of, value_text
from reports.analysis.trials import status_of
from reports.figures.kinds import KINDS, KNEE, KNEE_SIZE
from reports.metrics import Metric, metric_of, metrics_of
from reports.pages.charts import safe_json
from reports.theme import LIGHT, chart_layout

if TYPE_CHECKING:
    from studies.frame import StudyResults

SCALES = {
    "light": ["#d99a00", "#b3542e", "#7a2a5b", "#2b1a4f"],
    "dark": ["#fff0b3", "#f0b050", "#d06a70", "#8050c0"],
}
"""From small to large; lightness alone tells them apart, on either ground."""

CURVE_KINDS: tuple[dict[str, Any], ...] = (
    {"name": "lost", "label": "no result", "colour": LIGHT["lost"], "dash": "dot", "width": 1.2, "symbol": "x-thin"},
    {"name": "pruned", "label": "pruned", "colour": LIGHT["ink"], "dash": "dashdot", "width": 1, "symbol": "square"},
    {"name": "infeasible", "label": "over a budget", "colour": LIGHT["infeasible"], "dash": "dash", "width": 1},
    {
        "name": "dominated",
        "label": "dominated",
        "colour": LIGHT["dominated"],
        "dash": "solid",
        "width": 1,
        "opacity": 0.5,
    },
    {"name": "front", "label": "on the front", "colour": LIGHT["front"], "dash": "solid", "width": 1.8},
)
"""How the training curves of each kind of trial look; a symbol ends those that were broken off."""


MANY = 1_000
"""More trials than this are drawn as marks on a canvas, where a plotting library's traces would take seconds."""


def packed(value: object) -> Markup:
    """Write JSON compressed; the browser unpacks it by itself. Far smaller for columns of numbers."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return packed_text(text)


def packed_text(text: str) -> Markup:
    """Write a text compressed, as a JSON string that is safe inside a script element."""
    return safe_json(base64.b64encode(zlib.compress(text.encode(), 6)).decode("ascii"))


def choices(results: StudyResults, points: Sequence[Point]) -> list[Metric]:
    """Return the metrics that a plot can show: the objectives first, then the others that vary."""
    metrics = metrics_of(results.trials)
    names = dict.fromkeys([*objectives_of(results), *metrics])
    return [
        metric_of(n, metrics)
        for n in names
        if differ(v for p in points if math.isfinite(v := p.values.get(n, math.nan)))
    ]


def differ(values: Iterable[object]) -> bool:
    """Say whether there are two different ones; looks no further than the second."""
    left = iter(values)
    first = next(left, None)
    return any(value != first for value in left)


def search_data(results: StudyResults, points: Sequence[Point], curves: dict[int, Curve]) -> Markup:
    """Pack everything that the page's plots of the search are made of.

    Args:
        results: the study.
        points: its search's trials.
        curves: trial -> training curve.
    """
    kinds = list(KINDS)
    statuses = list(dict.fromkeys(p.status for p in points))
    return packed(
        {
            "trials": [p.trial for p in points],
            "kind": [kinds.index(p.kind) for p in points],
            "kinds": [
                {"name": k.name, "label": k.label, "symbol": k.symbol, "colour": k.colour} for k in KINDS.values()
            ],
            "status": [statuses.index(p.status) for p in points],
            "statuses": [status_of(s).label for s in statuses],
            "reasons": {str(i): p.reason for i, p in enumerate(points) if p.reason},
            "many": len(points) > MANY,
            "base": next((i for i, p in enumerate(points) if p.base), -1),
            "knee": _knee(points),
            "metrics": [_metric(results, points, m) for m in choices(results, points)],
            "parameters": _parameters(points),
            "curves": _curves(points, curves) if curves else None,
            "curveKind": [_curve_kind(p) for p in points],
            "curveKinds": CURVE_KINDS,
            "layout": json.loads(json.dumps(chart_layout())),
            "colours": {name: LIGHT[name] for name in ("ink", "muted", "front", "infeasible")},
            "scales": SCALES,
            "logTicks": log_ticks(),
        }
    )


def _knee(points: Sequence[Point]) -> dict[str, Any] | None:
    place = next((i for i, p in enumerate(points) if p.knee), None)
    if place is None:
        return None
    return {"index": place, "label": KNEE.label, "symbol": KNEE.symbol, "colour": KNEE.colour, "size": KNEE_SIZE}


def _value(point: Point, name: str) -> float:
    return point.values.get(name, math.nan)


def _metric(results: StudyResults, points: Sequence[Point], metric: Metric) -> dict[str, Any]:
    values = [_value(p, metric.name) for p in points]
    placed = [(p, metric.shown(v)) for p, v in zip(points, values, strict=True) if _placed(p, v)]
    objectives = objectives_of(results)
    limit = results.budgets.get(metric.name)
    marks = [] if limit is None else [metric.shown(limit)]
    seen = view([v for _, v in placed], [p.kind in ("front", "dominated") for p, _ in placed], marks)
    cut = seen.log or seen.outside
    found: dict[str, Any] = {
        "name": metric.name,
        "label": metric.label,
        "title": metric.title,
        "unit": metric.unit,
        "values": [metric.shown(v) if math.isfinite(v) else None for v in values],
        "objective": metric.name in objectives,
        "maximise": metric.name in results.maximised,
        "shown": metric.name in (*objectives, *results.budgets),
        "view": {"log": seen.log, "range": [seen.low, seen.high] if cut else None},
    }
    return found if limit is None else {**found, "budget": metric.shown(limit), "budgetText": metric.text(limit)}


def _placed(point: Point, value: float) -> bool:
    return point.kind != "no result" and math.isfinite(value)


def _parameters(points: Sequence[Point]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for p in points for name in p.parameters)
    found = []
    for name in names:
        values = [p.parameters.get(name) for p in points]
        known = [v for v in values if v is not None]
        if len({str(v) for v in known}) < 2:
            continue
        levels = levels_of(known)
        place = {level: i for i, level in enumerate(levels or ())}
        column = [None if v is None else place[value_text(v)] if levels else float(str(v)) for v in values]
        found.append({"name": name, "levels": levels, "values": column})
    return sorted(found, key=lambda one: list(names).index(str(one["name"])))


def _curve_kind(point: Point) -> int:
    name = "pruned" if point.status == "pruned" else "lost" if point.kind == "no result" else point.kind
    return next(i for i, kind in enumerate(CURVE_KINDS) if kind["name"] == name)


def _curves(points: Sequence[Point], curves: dict[int, Curve]) -> list[list[list[float]] | None]:
    """(steps, losses) for each point; None without one. What is drawn needs four digits."""
    return [
        [[*found.steps], [float(f"{loss:.4g}") for loss in found.losses]] if (found := curves.get(p.trial)) else None
        for p in points
    ]
