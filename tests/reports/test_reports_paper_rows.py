"""Rows of estimates on paper: places, labels and numbers, recomputed from the axis."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from reports.paper.rows import Row, Scale, rows_svg
from reports.theme import LIGHT
from tests.reports.drawn_svg import number, tags, texts

SCALE = Scale(-1.0, 3.0, "difference")
WIDE, NARROW = 7.0, 3.3


def row(mean: float = 1.0, low: float = 0.0, high: float = 2.0, **changes: Any) -> Row:
    return Row(**{"label": "a", "mean": mean, "low": low, "high": high, "mark": "M0 0Z", **changes})


def ends(svg: str) -> tuple[float, float]:
    """Left and right end of the axis: of the line below the rows."""
    (line,) = [one for one in tags(svg, "line") if one.attrib["stroke-width"] == "0.6"]
    return number(line, "x1"), number(line, "x2")


def place(svg: str, value: float, scale: Scale = SCALE) -> Any:
    left, right = ends(svg)
    return pytest.approx(left + (value - scale.low) / (scale.high - scale.low) * (right - left), abs=0.06)


def bars(svg: str) -> list[tuple[float, float, str]]:
    """(from, to, thickness) of each interval."""
    lines = [one for one in tags(svg, "line") if one.attrib["stroke"] not in (LIGHT["line"], LIGHT["ink"])]
    return [(number(one, "x1"), number(one, "x2"), one.attrib["stroke-width"]) for one in lines]


def shift(element: ET.Element) -> tuple[float, float]:
    x, y = element.attrib["transform"].partition("(")[2].partition(")")[0].split()
    return float(x), float(y)


def test_mean_intervals_and_dots_stand_where_the_axis_says() -> None:
    svg = rows_svg([row(outer=(-0.5, 2.5), dots=(0.5, 1.5))], SCALE, "t", WIDE)
    (mark,) = tags(svg, "path")
    assert shift(mark)[0] == place(svg, 1.0)
    assert bars(svg) == [(place(svg, -0.5), place(svg, 2.5), "0.8"), (place(svg, 0.0), place(svg, 2.0), "2.6")]
    assert [number(dot, "cx") for dot in tags(svg, "circle")] == [place(svg, 0.5), place(svg, 1.5)]
    assert all(number(dot, "cy") < shift(mark)[1] for dot in tags(svg, "circle")), "dots stand above the mean"


@pytest.mark.parametrize(
    ("changes", "number_of"),
    [({"mean": math.nan, "low": math.nan, "high": math.nan}, (0, 0)), ({"low": math.nan}, (1, 0)),
     ({"outer": (0.0, math.nan)}, (1, 1)), ({}, (1, 1))],
)  # fmt: skip
def test_what_is_not_known_is_not_drawn(changes: dict[str, Any], number_of: tuple[int, int]) -> None:
    svg = rows_svg([row(**changes)], SCALE, "t", WIDE)
    assert (len(tags(svg, "path")), len(bars(svg))) == number_of


def test_the_ticks_are_round_signed_and_where_they_say() -> None:
    svg = rows_svg([row()], SCALE, "t", WIDE)
    labels = [one for one in tags(svg, "text") if one.attrib["fill"] == LIGHT["muted"]]
    assert [one.text for one in labels] == ["−1", "0", "+1", "+2", "+3"]
    assert [number(one, "x") for one in labels] == [place(svg, value) for value in (-1, 0, 1, 2, 3)]
    (zero,) = [one for one in tags(svg, "line") if one.attrib["stroke-width"] == "0.7"]
    assert number(zero, "x1") == place(svg, 0.0)
    shares = rows_svg([row()], Scale(0.0, 0.5, "share"), "t", WIDE)
    assert [t for t in texts(shares) if t.startswith("0.")] == ["0.0", "0.2", "0.4"]


def test_a_margin_is_a_band_around_nothing() -> None:
    svg = rows_svg([row()], Scale(-1.0, 3.0, "x", margin=0.5), "t", WIDE)
    _, band = tags(svg, "rect")
    assert (number(band, "x"), number(band, "x") + number(band, "width")) == (place(svg, -0.5), place(svg, 0.5))
    assert len(tags(rows_svg([row()], SCALE, "t", WIDE), "rect")) == 1


@pytest.mark.parametrize(("width", "beside"), [(5.0, True), (4.99, False)])
def test_numbers_and_verdicts_stand_beside_the_rows_from_five_inches_on(width: float, beside: bool) -> None:
    svg = rows_svg([row(text="+1.0 [0.0, 2.0]", verdict="worse")], SCALE, "t", width)
    assert [t in texts(svg) for t in ("+1.0 [0.0, 2.0]", "worse")] == [beside, beside]


def test_numbers_verdicts_and_axis_do_not_run_into_one_another() -> None:
    rows = [row(text="+1.00 [0.00, 2.00] ms", verdict="inconclusive"), row(label="b", text="x", verdict="worse")]
    svg = rows_svg(rows, SCALE, "t", WIDE)
    at = {one.text: number(one, "x") for one in tags(svg, "text")}
    assert ends(svg)[1] < at["x"] == at["+1.00 [0.00, 2.00] ms"]
    # At 7.5 points a digit is about 4 points wide.
    assert at["x"] + 21 * 3.9 < at["worse"] == at["inconclusive"]
    assert at["inconclusive"] + 12 * 3.6 < WIDE * 72


def test_rows_stand_below_one_another_and_further_apart_with_dots() -> None:
    def heights(**changes: Any) -> list[float]:
        svg = rows_svg([row(label=name, **changes) for name in "abc"], SCALE, "t", WIDE)
        return [number(one, "y") for one in tags(svg, "text") if one.text in ("a", "b", "c")]

    plain, dotted = heights(), heights(dots=(1.0,))
    assert plain == sorted(plain)
    assert plain[2] - plain[1] == pytest.approx(plain[1] - plain[0], abs=0.11)
    assert dotted[1] - dotted[0] > plain[1] - plain[0] > 7.5


def test_a_long_label_is_cut_with_an_ellipsis_and_a_short_one_is_whole() -> None:
    long = "a variant with a name that no column of a paper has room for"
    svg = rows_svg([row(label=long), row(label="short")], SCALE, "t", NARROW)
    cut, short = texts(svg)[-2:]
    assert short == "short"
    assert cut.endswith("…")
    assert long.startswith(cut[:-1])
    assert len(cut) > 12
    assert texts(rows_svg([row(label=long[:20])], SCALE, "t", WIDE))[-3] == long[:20]


@pytest.mark.parametrize(
    ("mean", "words", "anchor"), [(9.0, "+9.0 ▸", "end"), (-9.0, "◂ −9.0", "start")]
)  # fmt: skip
def test_what_is_beyond_the_axis_is_written_at_its_side(mean: float, words: str, anchor: str) -> None:
    svg = rows_svg([row(mean, dots=(mean,), beyond=words.strip("▸◂ "))], SCALE, "t", WIDE)
    (told,) = [one for one in tags(svg, "text") if one.text == words]
    assert told.attrib["text-anchor"] == anchor
    side = ends(svg)[1] if mean > 0 else ends(svg)[0]
    assert abs(number(told, "x") - side) < 3
    assert tags(svg, "circle") == tags(svg, "path") == []


@pytest.mark.parametrize(
    ("mark", "hollow"),
    [("M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z", True), ("M0 -6L6 0L0 6L-6 0Z", True), ("M5 -6L-6 0L5 6Z", False)],
)
def test_marks_of_what_is_open_are_hollow(mark: str, hollow: bool) -> None:
    (path,) = tags(rows_svg([row(mark=mark, colour="#123456")], SCALE, "t", WIDE), "path")
    assert path.attrib["fill"] == (LIGHT["paper"] if hollow else "#123456")
    assert path.attrib["stroke"] == "#123456"


def test_a_long_title_ends_at_the_edge_of_the_figure() -> None:
    title = "difference in the peak memory of a training step to the base (MiB), lower is better"
    svg = rows_svg([row()], Scale(-1.0, 3.0, title), "t", WIDE)
    (told,) = [one for one in tags(svg, "text") if one.text == title]
    assert number(told, "x") + len(title) * 7.5 * 0.26 <= ends(svg)[1] + 8.1
    short = rows_svg([row()], SCALE, "t", WIDE)
    (plain,) = [one for one in tags(short, "text") if one.text == "difference"]
    assert number(plain, "x") == pytest.approx(sum(ends(short)) / 2, abs=0.1)


def test_texts_with_markup_are_texts() -> None:
    svg = rows_svg([row(label="<b>&", text="<i>", verdict="<u>")], Scale(-1.0, 3.0, "<s>"), "<title>", WIDE)
    assert {"<b>&", "<i>", "<u>", "<s>"} <= set(texts(svg))
    assert ET.fromstring(svg).findtext("{http://www.w3.org/2000/svg}title") == "<title>"
