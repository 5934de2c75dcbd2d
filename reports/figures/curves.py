"""Plotly figures of training curves and of the loss by noise level."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from reports.analysis.curves import Curve
from reports.analysis.scale import RATIO, log_ticks, scale_limit
from reports.analysis.search import Point
from reports.figures.escaped import escaped
from reports.figures.kinds import KINDS
from reports.metrics import join_words
from reports.theme import LIGHT, SERIES, chart_layout


def variant_figure(curves: Sequence[Curve]) -> go.Figure:
    """Draw one training curve per variant, the base in black."""
    figure = go.Figure(layout=chart_layout(height=360))
    _series(figure, curves, "loss %{y:.4f}")
    _loss_axes(figure)
    return figure


def trial_figure(curves: Sequence[tuple[Point, Curve]]) -> go.Figure:
    """Draw a search's training curves, for paper: the front in colour, others grey, broken off ones with a cross."""
    figure = go.Figure(layout=chart_layout(height=360))
    shown: set[str] = set()
    order = ["no result", "infeasible", "dominated", "front"]
    for point, curve in sorted(curves, key=lambda pair: (order.index(pair[0].kind), pair[0].best)):
        kind = KINDS[point.kind]
        dash = {"front": "solid", "dominated": "solid", "infeasible": "dash", "no result": "dot"}[point.kind]
        markers = {"symbol": kind.symbol, "size": 9, "line": {"width": 2, "color": kind.colour}}
        figure.add_scatter(
            x=list(curve.steps),
            y=list(curve.losses),
            mode="lines+markers" if curve.ended_early else "lines",
            marker={**markers, "opacity": [0] * (len(curve.steps) - 1) + [1]} if curve.ended_early else None,
            line={"color": kind.colour, "width": 3 if point.best else 1.6 if kind.name == "front" else 1, "dash": dash},
            opacity=0.45 if kind.name == "dominated" else 1,
            name=kind.label,
            legendgroup=kind.name,
            showlegend=kind.name not in shown,
            customdata=[point.trial] * len(curve.steps),
        )
        shown.add(kind.name)
    _loss_axes(figure)
    return figure


def level_figure(curves: Sequence[Curve]) -> go.Figure:
    """Draw each variant's held-out loss by timestep against the base's."""
    figure = go.Figure(layout=chart_layout(height=360))
    _series(figure, curves, "%{y:+.1f} %", markers=True)
    _keep_scale(figure, curves)
    figure.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=0, y1=0, line={"color": LIGHT["ink"], "width": 1})
    figure.update_layout(
        xaxis_title_text="timestep (0: clean, last: noise)",
        yaxis_title_text="held-out loss against the base (%)",
    )
    return figure


def _keep_scale(figure: go.Figure, curves: Sequence[Curve]) -> None:
    """Let one huge difference leave the first view, and say so; a double click shows all."""
    reach = {c.name: max(abs(v) for v in c.losses) for c in curves}
    limit = scale_limit(list(reach.values()))
    if limit is None:
        return
    beyond = [escaped(name) for name, far in reach.items() if far >= RATIO * limit]
    inside = [v for c in curves if reach[c.name] <= limit for v in c.losses]
    low, high = min([0.0, *inside]), max([0.0, *inside])
    pad = 0.12 * (high - low)
    figure.update_layout(yaxis_range=[low - pad, high + pad])
    figure.add_annotation(
        x=1, xref="x domain", xanchor="right", y=1, yref="y domain", yanchor="top", showarrow=False,
        text=f"off the scale (double-click): {join_words(beyond)}", font={"color": LIGHT["muted"], "size": 11.5},
    )  # fmt: skip


def _loss_axes(figure: go.Figure) -> None:
    marks = log_ticks()
    figure.update_layout(
        xaxis_title_text="optimizer step",
        yaxis_title_text="training loss (running mean)",
        yaxis_type="log",
        yaxis_tickvals=marks,
        yaxis_ticktext=[f"{mark:g}" for mark in marks],
    )


def _series(figure: go.Figure, curves: Sequence[Curve], value: str, *, markers: bool = False) -> None:
    """Lines that are told apart by dash as well as colour."""
    position = 0
    for curve in curves:
        if curve.emphasis:
            colour, dash, width = LIGHT["ink"], "solid", 2.5
        else:
            colour, _, dash = SERIES[position % len(SERIES)]
            width, position = 1.8, position + 1
        figure.add_scatter(
            x=list(curve.steps),
            y=list(curve.losses),
            mode="lines+markers" if markers else "lines",
            marker={"size": 5},
            line={"color": colour, "dash": dash, "width": width},
            name=escaped(curve.name),
            hovertemplate=f"{escaped(curve.name)}<br>%{{x}}: {value}<extra></extra>",
        )
