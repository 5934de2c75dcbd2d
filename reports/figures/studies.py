"""Trials of several studies on shared axes: symbol and colour tell the studies apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import plotly.graph_objects as go

from reports.analysis.trials import usable
from reports.metrics import Metric
from reports.theme import SERIES, chart_layout

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
            name=escape(study.name),
            marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "color": colour, "size": 9, "opacity": 0.8},
            hovertext=[
                f"<b>{escape(study.name)}</b>, {_what(variant, trial)}"
                f"<br>{y.label} {y.text(quality)}<br>{x.label} {x.text(cost)}"
                for variant, trial, quality, cost in zip(
                    rows["variant"], rows["trial"], rows[y.name], rows[x.name], strict=True
                )
            ],
            hoverinfo="text",
        )
    figure.update_layout(xaxis_title_text=x.title, yaxis_title_text=y.title)
    spread = [value for study in studies for value in usable(study.trials)[x.name].dropna()]
    if spread and min(spread) > 0 and max(spread) / min(spread) > 30 and math.isfinite(max(spread)):
        figure.update_layout(xaxis_type="log")
    return figure


def _what(variant: object, trial: object) -> str:
    return escape(variant) if isinstance(variant, str) else f"trial {trial}"
