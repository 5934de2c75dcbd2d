"""Parallel coordinates as inline SVG: every trial a line that can be hovered and focused, no WebGL."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from reports.analysis.search import Axis, Line, Parallel, value_text
from reports.figures.kinds import KINDS

HEIGHT, TOP, BOTTOM, SIDE = 360, 64, 26, 5.5
_SPAN = HEIGHT - TOP - BOTTOM
_ORDER = ("no result", "infeasible", "dominated", "front")

_LINE = Markup('<g class="line k-{}{}" data-trial="{}"><title>{}</title>{}</g>')
_POLY = Markup('<polyline class="hit" points="{0}"/><polyline points="{0}"/>')


def parallel_svg(data: Parallel, title: str) -> Markup:
    """Draw the axes and lines; lines are stretched with the page, labels are not."""
    lines = sorted(data.lines, key=lambda line: (_ORDER.index(line.point.kind), line.point.best))
    drawn = Markup("").join(_line(line, len(data.axes)) for line in lines)
    ends = Markup("").join(_lost_end(line, len(data.axes)) for line in lines)
    axes = Markup("").join(_axis(axis, i, len(data.axes)) for i, axis in enumerate(data.axes))
    return Markup(
        '<svg class="parallel" width="100%" height="{h}" role="img" aria-label="{t}">'
        '<svg x="0" y="0" width="100%" height="{h}" viewBox="0 0 1000 {h}" preserveAspectRatio="none">{lines}</svg>'
        "{axes}{ends}</svg>"
    ).format(h=HEIGHT, t=title, lines=drawn, axes=axes, ends=ends)


def _x(index: int, number: int) -> float:
    """Position of an axis in per cent of the width."""
    return SIDE + (100 - 2 * SIDE) * (index / (number - 1) if number > 1 else 0.5)


def _y(position: float) -> float:
    return TOP + _SPAN * (1 - position)


def _line(line: Line, number: int) -> Markup:
    point, kind = line.point, KINDS[line.point.kind]
    runs = Markup("").join(_POLY.format(" ".join(run)) for run in _runs(line.positions, number))
    words = [f"trial {point.trial}, {kind.label}", *(f"{n} {value_text(v)}" for n, v in point.parameters.items())]
    tip = "\n".join([*words, point.reason] if point.reason else words)
    return _LINE.format(kind.css, " best" if point.best else "", point.trial, tip, runs)


def _runs(positions: Sequence[float | None], number: int) -> list[list[str]]:
    """Stretches without a gap; a lonely value becomes a short dash."""
    runs: list[list[str]] = [[]]
    for index, position in enumerate(positions):
        if position is None:
            runs.append([])
        else:
            runs[-1].append(f"{_x(index, number) * 10:.1f},{_y(position):.1f}")
    return [run if len(run) > 1 else [run[0], _nudged(run[0])] for run in runs if run]


def _nudged(point: str) -> str:
    x, _, y = point.partition(",")
    return f"{float(x) + 6:.1f},{y}"


def _lost_end(line: Line, number: int) -> Markup:
    """A cross where a trial without a result leaves the picture."""
    known = [i for i, position in enumerate(line.positions) if position is not None]
    if line.point.kind != "no result" or not known:
        return Markup("")
    position = line.positions[known[-1]]
    assert position is not None
    cross = '<svg x="{:.2f}%" y="{:.1f}" overflow="visible"><path class="k-lost cross" d="M-4 -4L4 4M-4 4L4 -4"/></svg>'
    return Markup(cross).format(_x(known[-1], number), _y(position))


def _axis(axis: Axis, index: int, number: int) -> Markup:
    x = _x(index, number)
    # Neighbouring titles stand on two heights, so that long names do not touch.
    title_y = 18 if index % 2 == 0 or number <= 5 else 38
    anchor = "start" if index == 0 else "end" if index == number - 1 else "middle"
    at = 0.4 if index == 0 else 99.6 if index == number - 1 else x
    labels = Markup("").join(_value(x, p, text, left=index == 0) for p, text in _spread(axis.labels))
    return Markup(
        '<g class="axis{}"><line x1="{x:.2f}%" x2="{x:.2f}%" y1="{}" y2="{}"/>'
        '<text class="title" x="{:.2f}%" y="{}" text-anchor="{}">{}</text>{}</g>'
    ).format(
        " objective" if axis.objective else "",
        TOP - 4,
        HEIGHT - BOTTOM + 4,
        at,
        title_y,
        anchor,
        axis.title,
        labels,
        x=x,
    )


def _value(x: float, position: float, text: str, *, left: bool) -> Markup:
    """A value beside its axis: left of the first one, where no line passes, if there is room."""
    if left and len(text) <= 7:
        place = Markup('<text class="value" x="{:.2f}%" y="{:.1f}" dx="-7" dy="4" text-anchor="end">{}</text>')
    else:
        place = Markup('<text class="value" x="{:.2f}%" y="{:.1f}" dx="6" dy="-4">{}</text>')
    return place.format(x, _y(position), text)


def _spread(labels: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Leave out labels that would touch the one below."""
    kept: list[tuple[float, str]] = []
    for position, text in sorted(labels):
        if not kept or (position - kept[-1][0]) * _SPAN >= 14:
            kept.append((position, text))
    return kept
