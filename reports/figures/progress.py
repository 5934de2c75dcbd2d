"""Plotly figure of how the volume that a search dominates grew."""

from __future__ import annotations

import plotly.graph_objects as go

from reports.analysis.progress import Progress
from reports.theme import LIGHT, chart_layout


def progress_figure(found: Progress) -> go.Figure:
    """Draw the volume over trainings, and where there is one the band of random search."""
    figure = go.Figure(layout=chart_layout(height=320))
    if found.band:
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
    figure.add_scatter(
        x=list(found.trainings),
        y=list(found.volumes),
        mode="lines+markers",
        line={"color": LIGHT["front"], "width": 2, "shape": "hv"},
        marker={"size": 6},
        name="this search",
        hovertext=[
            f"{n} trainings: {volume:.3f} (trial {trial})"
            for n, volume, trial in zip(found.trainings, found.volumes, found.trials, strict=True)
        ],
        hoverinfo="text",
        customdata=list(found.trials),
        showlegend=True,
    )
    figure.update_layout(
        xaxis_title_text="trainings", yaxis_title_text="dominated volume (share of the final)", yaxis_rangemode="tozero"
    )
    return figure
