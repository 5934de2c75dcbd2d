"""Trials of several studies on shared axes: symbol and colour tell the studies apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports.analysis.scale import view
from reports.analysis.trials import usable
from reports.figures.escaped import escaped
from reports.metrics import Metric
from reports.theme import LIGHT, SERIES, chart_layout

if TYPE_CHECKING:
    from studies.frame import StudyResults

_SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star", "pentagon", "hexagram")


def studies_figure(studies: Sequence[StudyResults], x: Metric, y: Metric) -> go.Figure:
    """Draw every trial with both metrics; smaller is better on both axes."""
    figure = go.Figure(layout=chart_layout(height=440))
    for number, study in enumerate(studies):
        rows = usable(study.trials).dropna(subset=[x.name, y.name])
        colour = SERIES[number % len(SERIES)][0]
        figure.add_scatter(
            x=[x.shown(value) for value in rows[x.name]],
            y=[y.shown(value) for value in rows[y.name]],
            mode="markers",
            name=escaped(study.name),
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "color": colour, "size": 9, "opacity": 0.8},
            hovertext=[
                f"<b>{escaped(study.name)}</b>, {_what(variant, trial)}"
                f"<br>{y.label} {y.text(quality)}<br>{x.label} {x.text(cost)}"
                for variant, trial, quality, cost in zip(
                    rows["variant"], rows["trial"], rows[y.name], rows[x.name], strict=True
                )
            ],
            hoverinfo="text",
        )
    figure.update_layout(xaxis_title_text=x.title, yaxis_title_text=y.title)
    _leave_out_far_ones(figure)
    spread = [value for study in studies for value in usable(study.trials)[x.name].dropna()]
    if spread and min(spread) > 0 and max(spread) / min(spread) > 30 and math.isfinite(max(spread)):
        figure.update_layout(xaxis_type="log")
    return figure


def _leave_out_far_ones(figure: go.Figure) -> None:
    """Show the better three quarters and what is near them, each study's best too, and say how many are not seen."""
    values = [float(value) for trace in figure.data for value in trace.y]
    if not values:
        return
    best = [min(map(float, trace.y)) for trace in figure.data if len(trace.y)]
    limit = max([sorted(values)[math.ceil(0.75 * len(values)) - 1], *best])
    seen = view(values, [value <= limit for value in values])
    if seen.outside and not seen.log:
        number = len(seen.outside)
        figure.update_layout(yaxis_range=[seen.low, seen.high])
        figure.add_annotation(
            text=f"{number} {'trial' if number == 1 else 'trials'} outside this view (double-click)",
            showarrow=False, x=1, xref="x domain", xanchor="right", y=1, yref="y domain", yanchor="top",
            font={"size": 11.5, "color": LIGHT["muted"]},
        )  # fmt: skip


def _what(variant: object, trial: object) -> str:
    return escaped(variant) if isinstance(variant, str) else f"trial {trial}"
