"""Plotly figures of a search, for paper: costs against quality, or quality trial by trial.

The page's own, in which readers choose the metrics, are made by its script (`pages/planes.js`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go

from reports.analysis.scale import log_ticks, view
from reports.analysis.search import Point, best_so_far
from reports.figures.kinds import KINDS, KNEE, KNEE_SIZE, Kind
from reports.metrics import Metric
from reports.theme import LIGHT, chart_layout

_STRIP = 0.93
"""Share of the width for trials with a result; those without stand in the strip to the right of it."""


def pareto_figure(
    points: Sequence[Point], x: Metric, y: Metric, budgets: dict[str, float], *, connect: bool
) -> go.Figure:
    """Draw two metrics against each other.

    Args:
        points: the trials of the search.
        x: metric across; smaller is better.
        y: metric upwards; smaller is better.
        budgets: metric -> largest value allowed, in recorded units; those of x and y are drawn.
        connect: draw the front as a staircase (sensible if x and y are all there is).
    """
    figure = go.Figure(layout=chart_layout(height=440))
    placed = [p for p in points if p.kind != "no result" and _finite(p, x) and _finite(p, y)]
    front = sorted((p for p in placed if p.kind == "front"), key=lambda p: p.values[x.name])
    if connect and len(front) > 1:
        figure.add_scatter(
            x=[x.shown(p.values[x.name]) for p in front],
            y=[y.shown(p.values[y.name]) for p in front],
            mode="lines",
            line={"color": LIGHT["front"], "width": 1.5, "shape": "hv"},
            showlegend=False,
        )
    for kind in ("dominated", "infeasible", "front"):
        _markers(figure, [p for p in placed if p.kind == kind], KINDS[kind], x, y)
    _knee(figure, [p for p in front if p.knee], x, y)
    without = [p for p in points if p not in placed]
    figure.update_layout(xaxis_title_text=x.title, yaxis_title_text=y.title)
    _budget_lines(figure, placed, (x, y), budgets)
    if without:
        _strip(figure, without)
    _first_view(figure, placed, x, y, budgets)
    return figure


def history_figure(
    points: Sequence[Point], metric: Metric, budgets: dict[str, float], *, more_is_better: bool = False
) -> go.Figure:
    """Draw a search with one objective: each trial's value, and the best so far."""
    best = best_so_far(points, metric.name, more_is_better=more_is_better)
    figure = go.Figure(layout=chart_layout(height=380))
    placed = [p for p in points if p.kind != "no result" and _finite(p, metric)]
    order = Metric("trial", "trial")
    numbered = [_with_number(p) for p in placed]
    figure.add_scatter(
        x=[p.trial for p in points],
        y=[None if math.isnan(v) else metric.shown(v) for v in best],
        mode="lines",
        line={"color": LIGHT["front"], "width": 1.5, "shape": "hv"},
        name="best so far",
    )
    for kind in ("dominated", "infeasible", "front"):
        _markers(figure, [p for p in numbered if p.kind == kind], KINDS[kind], order, metric)
    figure.update_layout(xaxis_title_text="trial", yaxis_title_text=metric.title)
    _budget_lines(figure, placed, (order, metric), budgets)
    without = [p for p in points if p not in placed]
    if without:
        _strip(figure, without)
    _first_view(figure, numbered, order, metric, budgets)
    return figure


def _markers(figure: go.Figure, points: Sequence[Point], kind: Kind, x: Metric, y: Metric) -> None:
    if not points:
        return
    marker: dict[str, Any] = {
        "symbol": kind.symbol,
        "color": kind.colour,
        "size": 9,
        "line": {"width": 1.6},
        "opacity": 1,
    }
    if kind.name == "front":
        marker |= {"size": [13 if p.best else 10 for p in points], "line": {"width": 0}}
    figure.add_scatter(
        x=[x.shown(p.values[x.name]) for p in points],
        y=[y.shown(p.values[y.name]) for p in points],
        mode="markers+text",
        name=kind.label,
        marker=marker,
        text=["" if p.knee else _tag(p) for p in points],
        textposition="bottom left",
        textfont={"size": 11, "color": LIGHT["muted"]},
        cliponaxis=False,
        customdata=[p.trial for p in points],
    )


def _knee(figure: go.Figure, points: Sequence[Point], x: Metric, y: Metric) -> None:
    """A square around the knee; of the name in the legend there is one."""
    if not points:
        return
    figure.add_scatter(
        x=[x.shown(p.values[x.name]) for p in points],
        y=[y.shown(p.values[y.name]) for p in points],
        mode="markers+text",
        text=[_tag(p) for p in points],
        textposition="bottom left",
        textfont={"size": 11, "color": LIGHT["muted"]},
        name=KNEE.label,
        marker={"symbol": KNEE.symbol, "color": KNEE.colour, "size": KNEE_SIZE, "line": {"width": 1.6}},
        cliponaxis=False,
    )


def _tag(point: Point) -> str:
    words = [str(point.trial)] if point.kind == "front" else []
    return " ".join([*words, *(["base"] if point.base else [])])


def _strip(figure: go.Figure, points: Sequence[Point]) -> None:
    """Trials without a result have no place in the plane; they are counted beside it."""
    kind = KINDS["no result"]
    figure.add_scatter(
        x=[0] * len(points),
        y=[1 - (i + 0.5) / max(8, len(points)) for i in range(len(points))],
        xaxis="x2",
        yaxis="y2",
        mode="markers",
        name=kind.label,
        marker={"symbol": kind.symbol, "size": 8, "line": {"width": 2, "color": kind.colour}},
        customdata=[p.trial for p in points],
    )
    figure.update_layout(
        xaxis_domain=[0, _STRIP],
        xaxis2={
            "domain": [_STRIP + 0.01, 1],
            "range": [-1, 1],
            "visible": False,
            "fixedrange": True,
            "anchor": "y2",
        },
        yaxis2={"range": [0, 1], "visible": False, "fixedrange": True, "anchor": "x2"},
    )
    figure.add_annotation(
        x=0, xref="x2", y=1, yref="paper", yanchor="bottom", text="no result", showarrow=False,
        font={"color": LIGHT["muted"], "size": 11.5},
    )  # fmt: skip


def _budget_lines(
    figure: go.Figure, placed: Sequence[Point], pair: tuple[Metric, Metric], budgets: dict[str, float]
) -> None:
    colour = LIGHT["infeasible"]
    line = {"color": colour, "width": 1.5, "dash": "dash"}
    for metric, axis in zip(pair, ("x", "y"), strict=True):
        if metric.name not in budgets or not placed:
            continue
        limit = metric.shown(budgets[metric.name])
        text = f"budget {metric.text(budgets[metric.name])}"
        font = {"color": colour, "size": 11}
        if axis == "x":
            _beyond(figure, metric, [p.values[metric.name] for p in placed], limit)
            figure.add_shape(type="line", x0=limit, x1=limit, y0=0, y1=1, yref="y domain", line=line)
            figure.add_annotation(
                x=limit, y=1, yref="y domain", yanchor="top", xanchor="right", text=text, showarrow=False, font=font,
                textangle=-90,
            )  # fmt: skip
        else:
            figure.add_shape(type="line", y0=limit, y1=limit, x0=0, x1=1, xref="x domain", line=line)
            figure.add_annotation(
                y=limit, x=1, xref="x domain", xanchor="right", yanchor="bottom", text=text, showarrow=False, font=font
            )


def _beyond(figure: go.Figure, metric: Metric, values: Sequence[float], limit: float) -> None:
    """Shade what lies over a budget, as far as trials went there."""
    furthest = max(values, default=math.nan)
    if metric.shown(furthest) > limit:
        span = metric.shown(furthest) - metric.shown(min(values))
        figure.add_shape(
            type="rect", x0=limit, x1=metric.shown(furthest) + 0.05 * span, y0=0, y1=1, yref="y domain",
            fillcolor=LIGHT["infeasible"], opacity=0.07, line={"width": 0}, layer="below",
        )  # fmt: skip


def _first_view(figure: go.Figure, placed: Sequence[Point], x: Metric, y: Metric, budgets: dict[str, float]) -> None:
    """Show the trials that keep the budgets; what lies far away is left out, and said to be."""
    important = [p.kind in ("front", "dominated") for p in placed]
    outside: set[int] = set()
    for metric, axis in ((x, "xaxis"), (y, "yaxis")):
        values = [metric.shown(p.values[metric.name]) for p in placed]
        shown = view(values, important, [metric.shown(budgets[metric.name])] if metric.name in budgets else [])
        outside |= shown.outside
        if shown.log:
            marks = log_ticks()
            ends = [math.log10(shown.low), math.log10(shown.high)]
            figure.update_layout({axis: {"type": "log", "tickvals": marks, "ticktext": [f"{m:g}" for m in marks]}})
            figure.update_layout({axis: {"range": ends}})
        elif shown.outside:
            figure.update_layout({axis: {"range": [shown.low, shown.high]}})
    if outside:
        # What is said in the corner has its room from the budgets' labels.
        figure.update_annotations(selector={"textangle": -90}, yshift=-18)
        figure.update_annotations(selector={"xref": "x domain", "yanchor": "bottom"}, x=0, xanchor="left")
        number = f"{len(outside)} trial{'s' if len(outside) > 1 else ''}"
        figure.add_annotation(
            x=1, xref="x domain", xanchor="right", y=1, yref="y domain", yanchor="top", showarrow=False,
            text=f"{number} outside this view", font={"color": LIGHT["infeasible"], "size": 11.5},
        )  # fmt: skip


def _finite(point: Point, metric: Metric) -> bool:
    return math.isfinite(point.values.get(metric.name, math.nan))


def _with_number(point: Point) -> Point:
    values = {**point.values, "trial": float(point.trial)}
    return replace(point, values=values)
