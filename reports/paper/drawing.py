"""What a figure for a paper is before it is a file: SVG of our own, or a plotly figure in the size of print."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from reports.figures.standalone import PAPER_FONT, PIXELS
from reports.theme import LIGHT

#: Widths of a column and of a page of two columns, in inches.
SINGLE, DOUBLE = 3.3, 7.0
#: Size of type, in pixels of 1/96 inch: 7.5 points.
TYPE = 10


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        name: of its file, without ending.
        svg: width in inches -> an SVG file; None where a browser has to draw it.
        figure: plotly's figure; None where `svg` draws it.
        width: in inches, unless the reader wants another.
        height: over its width; of plotly's figures.
    """

    name: str
    svg: Callable[[float], str] | None = None
    figure: go.Figure | None = None
    width: float = SINGLE
    height: float = 0.72


def in_print(figure: go.Figure, width: float, height: float) -> dict[str, Any]:
    """A plotly figure as data, in the size and with the type of print.

    Args:
        figure: as on the dashboard.
        width: in inches.
        height: over the width.
    """
    printed = go.Figure(figure)
    printed.update_layout(
        width=round(width * PIXELS), height=round(width * PIXELS * height), paper_bgcolor="#ffffff",
        plot_bgcolor="#ffffff", font={"family": PAPER_FONT, "size": TYPE, "color": LIGHT["ink"]},
        margin={"l": 44, "r": 24, "t": 8, "b": 34}, legend={"font": {"size": TYPE - 1}, "y": 1.0, "itemwidth": 30},
    )  # fmt: skip
    for axis in (*printed.select_xaxes(), *printed.select_yaxes()):
        axis.update(title={"font": {"size": TYPE}, "standoff": 5}, tickfont={"size": TYPE - 1}, ticklen=3)
        axis.update(linecolor=LIGHT["muted"], showline=True)
    for note in printed.layout.annotations:
        # What the page says of its buttons means nothing on paper.
        note.update(text=str(note.text).replace(" (double-click)", ""), font={"size": TYPE - 1})
    for trace in printed.data:
        _smaller(trace)
    data: dict[str, Any] = printed.to_plotly_json()
    return data


def _smaller(trace: Any) -> None:
    if trace.marker.size is not None:
        size = trace.marker.size
        trace.marker.size = [s * 0.65 for s in size] if isinstance(size, list | tuple) else size * 0.65
    if trace.line.width is not None:
        trace.line.width = 0.65 * trace.line.width
    if "text" in str(trace.mode or ""):
        trace.update(textfont={"size": TYPE - 2})
