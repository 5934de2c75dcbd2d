"""Estimates with intervals, one row each: the forest plot, effects of factors, importances. SVG in points of print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.figures.standalone import svg_file
from reports.metrics import signed, ticks
from reports.theme import LIGHT

_TYPE, _LINE, _POINTS = 7.5, 8.6, 72.0
#: Inches above which the numbers stand beside the rows.
_ROOM = 5.0


@dataclass(frozen=True)
class Row:
    """One estimate, in shown units.

    Attributes:
        label: what it is of.
        mean: the estimate; NaN: none.
        low: lower end of its interval; NaN: none.
        high: upper end.
        outer: ends of the wider interval that the verdict rests on.
        dots: every seed's value.
        text: the numbers, for a wide figure.
        verdict: in words.
        colour: of the mark and its intervals.
        mark: path of the mark around the origin.
        beyond: how a value that would squeeze the others is written; empty: it is drawn.
    """

    label: str
    mean: float
    low: float = math.nan
    high: float = math.nan
    outer: tuple[float, float] = (math.nan, math.nan)
    dots: tuple[float, ...] = ()
    text: str = ""
    verdict: str = ""
    colour: str = LIGHT["neutral"]
    mark: str = "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z"
    beyond: str = ""


@dataclass(frozen=True)
class Scale:
    """The axis: its ends, its title, the line at nothing, and the differences that are as good as none."""

    low: float
    high: float
    title: str
    zero: float | None = 0.0
    margin: float | None = None


@dataclass(frozen=True)
class _Frame:
    scale: Scale
    left: float
    right: float
    bottom: float

    def at(self, value: float) -> float:
        share = (value - self.scale.low) / (self.scale.high - self.scale.low)
        return self.left + min(1.0, max(0.0, share)) * (self.right - self.left)


def rows_svg(rows: Sequence[Row], scale: Scale, title: str, width: float) -> str:
    """An SVG file of rows on one axis.

    Args:
        rows: from top to bottom.
        scale: the axis.
        title: what it shows, for those who cannot see it.
        width: in inches; from 5 inches on the numbers stand beside the rows.
    """
    wide = width * _POINTS
    room = width >= _ROOM
    longest = max(len(row.label) for row in rows)
    left = min(0.34 * wide, 8 + longest * _TYPE * 0.54)
    numbers = max((len(row.text) for row in rows), default=0) * _TYPE * 0.53 + 8 if room else 0
    verdicts = max((len(row.verdict) for row in rows), default=0) * _TYPE * 0.5 + 8 if room else 0
    step = 2.4 * _LINE if any(row.dots for row in rows) else 1.7 * _LINE
    bottom = 4 + len(rows) * step
    frame = _Frame(scale, left, wide - numbers - verdicts - 8, bottom)
    parts = [*_axis(frame)]
    for number, row in enumerate(rows):
        parts += _row(row, frame, 4 + (number + 0.5) * step, numbers if room else None)
    return svg_file("".join(parts), wide, bottom + 30, title, width)


_TEXT = Markup('<text x="{:.1f}" y="{:.1f}" font-size="{}" fill="{}" text-anchor="{}">{}</text>')
_LINE_TAG = Markup('<line x1="{:.2f}" x2="{:.2f}" y1="{:.2f}" y2="{:.2f}" stroke="{}" stroke-width="{}"{}/>')


def _axis(frame: _Frame) -> list[Markup]:
    scale, parts = frame.scale, []
    if scale.margin is not None:
        ends = frame.at(-scale.margin), frame.at(scale.margin)
        band = Markup('<rect x="{:.2f}" y="0" width="{:.2f}" height="{:.2f}" fill="{}"/>')
        parts.append(band.format(ends[0], ends[1] - ends[0], frame.bottom, LIGHT["grid"]))
    marks = ticks(scale.low, scale.high, 4)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    for mark in marks:
        x, at_zero = frame.at(mark), mark == scale.zero
        colour = LIGHT["ink"] if at_zero else LIGHT["line"]
        parts.append(_LINE_TAG.format(x, x, 0, frame.bottom, colour, 0.7 if at_zero else 0.4, ""))
        words = signed(mark, decimals) if scale.zero is not None and scale.low < 0 else f"{mark:.{decimals}f}"
        parts.append(_TEXT.format(x, frame.bottom + 10, _TYPE - 0.5, LIGHT["muted"], "middle", words))
    parts.append(_LINE_TAG.format(frame.left, frame.right, frame.bottom, frame.bottom, LIGHT["ink"], 0.6, ""))
    middle = (frame.left + frame.right) / 2
    half = len(scale.title) * _TYPE * 0.26
    middle = min(middle, frame.right + 8 - half) if middle + half > frame.right + 8 else middle
    parts.append(_TEXT.format(middle, frame.bottom + 22, _TYPE, LIGHT["ink"], "middle", scale.title))
    return parts


def _row(row: Row, frame: _Frame, y: float, numbers: float | None) -> list[Markup]:
    limit = int((frame.left - 8) / (_TYPE * 0.52))
    label = row.label if len(row.label) <= limit else f"{row.label[: limit - 1]}…"
    parts = [_TEXT.format(frame.left - 6, y + 2.6, _TYPE, LIGHT["ink"], "end", label)]
    parts += [_off(row, frame, y)] if row.beyond else _drawn(row, frame, y)
    if numbers is not None:
        parts.append(_TEXT.format(frame.right + 8, y + 2.6, _TYPE, LIGHT["ink"], "start", row.text))
        parts.append(_TEXT.format(frame.right + 8 + numbers, y + 2.6, _TYPE, row.colour, "start", row.verdict))
    return parts


def _drawn(row: Row, frame: _Frame, y: float) -> list[Markup]:
    parts = []
    bar = y + 3 if row.dots else y
    dot = Markup('<circle cx="{:.2f}" cy="{:.2f}" r="1.4" fill="{}" fill-opacity="0.55"/>')
    parts += [dot.format(frame.at(value), y - 4.5, LIGHT["muted"]) for value in row.dots]
    for (low, high), thick, opacity in ((row.outer, 0.8, ""), ((row.low, row.high), 2.6, ' stroke-opacity="0.5"')):
        if math.isfinite(low) and math.isfinite(high):
            ends = frame.at(low), frame.at(high)
            parts.append(_LINE_TAG.format(*ends, bar, bar, row.colour, thick, Markup(opacity)))
    parts += _cuts(row, frame, bar)
    if math.isfinite(row.mean):
        mark = Markup(
            '<path transform="translate({:.2f} {:.2f}) scale(0.55)" d="{}" fill="{}" stroke="{}" stroke-width="1.8"/>'
        )
        hollow = row.mark.startswith(("M-5 0A", "M0 -6"))
        fill = LIGHT["paper"] if hollow else row.colour
        parts.append(mark.format(frame.at(row.mean), bar, row.mark, fill, row.colour))
    return parts


def _cuts(row: Row, frame: _Frame, y: float) -> list[Markup]:
    """An arrow at each end of the axis that an interval leaves, as on the page."""
    arrow = Markup(
        '<path transform="translate({:.2f} {:.2f}) scale(0.55)" d="{}" fill="none" stroke="{}" stroke-width="1.8"/>'
    )
    lows, highs = zip((row.low, row.high), row.outer, strict=True)
    cuts = (
        (frame.left, "M6 -5L0 0L6 5", any(low < frame.scale.low for low in lows)),
        (frame.right, "M-6 -5L0 0L-6 5", any(high > frame.scale.high for high in highs)),
    )
    return [arrow.format(x, y, path, row.colour) for x, path, leaves in cuts if leaves]


def _off(row: Row, frame: _Frame, y: float) -> Markup:
    right = row.mean > 0
    x, anchor = (frame.right - 2, "end") if right else (frame.left + 2, "start")
    words = f"{row.beyond} ▸" if right else f"◂ {row.beyond}"
    return _TEXT.format(x, y + 2.6, _TYPE - 0.5, row.colour, anchor, words)
