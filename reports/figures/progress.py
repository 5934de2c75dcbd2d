"""Plotly figures of how the volume that searches dominate grew."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from reports.analysis.progress import Progress
from reports.figures.escaped import escaped
from reports.theme import LIGHT, SERIES, chart_layout


def progress_figure(found: Progress) -> go.Figure:
    """Draw the volume over trainings, and where there is one the band of random search."""
    figure = _empty("dominated volume (share of the final)")
    _band(figure, found)
    _line(figure, found, "this search", {"color": LIGHT["front"], "width": 2, "shape": "hv"}, numbered=True)
    return figure


def together_figure(names: Sequence[str], found: Sequence[Progress]) -> go.Figure:
    """Draw several searches on one scale, and the band of the first that drew its points at random."""
    figure = _empty("dominated volume (share of all)")
    random = next((one for one in found if one.band), None)
    if random:
        _band(figure, random)
    for number, (name, one) in enumerate(zip(names, found, strict=True)):
        colour, _, dash = SERIES[number % len(SERIES)]
        _line(figure, one, escaped(name), {"color": colour, "width": 2, "dash": dash, "shape": "hv"}, numbered=False)
    return figure


def _empty(title: str) -> go.Figure:
    figure = go.Figure(layout=chart_layout(height=320))
    figure.update_layout(xaxis_title_text="trainings", yaxis_title_text=title, yaxis_rangemode="tozero")
    return figure


def _band(figure: go.Figure, found: Progress) -> None:
    if not found.band:
        return
    marks = [mark for mark, *_ in found.band]
    low, middle, high = ([row[i] for row in found.band] for i in (1, 2, 3))
    figure.add_scatter(
        x=[*marks, *marks[::-1]],
        y=[*high, *low[::-1]],
        fill="toself",
        fillcolor="rgba(125,135,147,0.22)",
        line={"width": 0},
        hoverinfo="skip",
        name="random search, 90 % of orders",
    )
    figure.add_scatter(
        x=marks, y=middle, mode="lines", line={"color": LIGHT["dominated"], "dash": "dash", "width": 1.5},
        name="random search, median", hovertemplate="%{x} trainings: %{y:.3f}<extra></extra>",
    )  # fmt: skip


def _line(figure: go.Figure, found: Progress, name: str, line: dict[str, object], *, numbered: bool) -> None:
    """`numbered`: its points stand for trials that can be chosen on the page."""
    figure.add_scatter(
        x=list(found.trainings),
        y=list(found.volumes),
        mode="lines+markers",
        line=line,
        marker={"size": 6},
        name=name,
        hovertext=[
            f"{name}, {n} trainings: {volume:.3f} (trial {trial})"
            for n, volume, trial in zip(found.trainings, found.volumes, found.trials, strict=True)
        ],
        hoverinfo="text",
        customdata=list(found.trials) if numbered else None,
        showlegend=True,
    )
