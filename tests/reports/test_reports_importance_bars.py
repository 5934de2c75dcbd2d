"""Bars of a parameter's share and of what a forest needs: their ends, the tick of chance, and when they are hollow."""

from __future__ import annotations

import math
from typing import Any

import pytest

from reports.analysis.importance import Importance
from reports.analysis.surrogate import Need
from reports.figures.importance import importance_bar, need_bar
from tests.reports.drawn_svg import number, tags


def share(**changes: Any) -> Importance:
    known = {"parameter": "ch", "n": 40, "share": 0.5, "low": 0.25, "high": 0.75, "chance": 0.125, "trend": -0.5}
    return Importance(**{**known, **changes})


def test_a_share_is_a_bar_with_its_interval_and_the_tick_of_chance() -> None:
    svg = importance_bar(share())
    (bar,), (interval,), (chance,) = (tags(svg, tag, css) for tag, css in
                                      (("rect", "solid"), ("line", "interval"), ("line", "chance")))  # fmt: skip
    assert number(bar, "width") == 50.0
    assert (number(interval, "x1"), number(interval, "x2")) == (25.0, 75.0)
    assert number(chance, "x1") == number(chance, "x2") == 12.5
    label = tags(svg, "svg")[0].attrib["aria-label"]
    assert label == "share 0.50 (0.25 to 0.75), chance reaches 0.12, Spearman −0.50, n=40"
    assert tags(svg, "title")[0].text == label
    assert "Spearman" not in importance_bar(share(trend=math.nan))


@pytest.mark.parametrize(("reached", "css"), [(0.49, "solid"), (0.5, "hollow"), (0.6, "hollow")])
def test_a_share_that_chance_reaches_is_hollow(reached: float, css: str) -> None:
    assert len(tags(importance_bar(share(chance=reached)), "rect", css)) == 1


def test_a_parameter_that_never_varied_has_no_bar() -> None:
    assert importance_bar(share(share=math.nan)) == '<span class="muted">never varied</span>'


@pytest.mark.parametrize(
    ("low", "believed", "css"),
    [(0.1, True, "solid"), (0.0, True, "hollow"), (-0.1, True, "hollow"), (0.1, False, "hollow")],
)
def test_a_need_is_solid_where_the_forest_is_believed_and_it_is_clear_of_nothing(
    low: float, believed: bool, css: str
) -> None:
    svg = need_bar(Need("ch", 0.4, low, 1.7), believed=believed)
    (bar,), (interval,) = tags(svg, "rect", css), tags(svg, "line", "interval")
    assert number(bar, "width") == 40.0
    assert (number(interval, "x1"), number(interval, "x2")) == (max(0.0, low * 100), 100.0)
    assert tags(svg, "line", "chance") == []
    assert f"0.40 of the held-out variance ({low:.2f} to 1.70)" in svg
