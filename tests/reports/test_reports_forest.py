"""The forest plot on the page: where its axis ends, and that everything stands where the numbers say."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from reports.analysis.ablation import Effect, Verdict
from reports.figures.forest import CLASSES, SHAPES, ForestAxis, effect_text, forest_axis, forest_row, forest_scale
from reports.metrics import METRICS, Metric
from tests.reports.drawn_svg import number, tags, texts

LOSS, LATENCY = METRICS["loss"], METRICS["latency"]
AXIS = ForestAxis(-0.02, 0.06, (-0.02, 0.0, 0.02, 0.04, 0.06), 2, "")


def effect(differences: tuple[float, ...] = (0.01, 0.03), **changes: Any) -> Effect:
    """A variant with these differences, its interval half as wide again on both sides."""
    mean = sum(differences) / len(differences) if differences else math.nan
    known: dict[str, Any] = {
        "variant": "a", "metric": "loss", "relative": False, "seeds": tuple(range(3, 3 + len(differences))),
        "differences": differences, "dropped": (), "base_mean": 1.0, "mean": mean, "low": mean - 0.015,
        "high": mean + 0.015, "low_adjusted": mean - 0.02, "high_adjusted": mean + 0.02, "p": 0.01, "p_holm": 0.02,
        "comparisons": 2, "percent": 2.0, "percent_low": 1.0, "percent_high": 3.0, "smallest_detectable": 0.01,
        "verdict": Verdict.WORSE,
    }  # fmt: skip
    return Effect(**{**known, **changes})


def axis_of(*effects: Effect, metric: Metric = LOSS) -> ForestAxis:
    found = forest_axis(effects, metric)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("changes", "low", "high"),
    [
        # Nothing, the seeds and the wider interval, and a twentieth of all that on both sides.
        ({"low_adjusted": -0.005, "high_adjusted": 0.04}, -0.005, 0.04),
        # An interval of two seeds takes at most three quarters of what the seeds span, on each side.
        ({"low_adjusted": -5.0, "high_adjusted": 6.0}, -0.0225, 0.0525),
        # An interval within the seeds changes nothing.
        ({"low_adjusted": 0.012, "high_adjusted": 0.028}, 0.0, 0.03),
        ({"low_adjusted": math.nan, "high_adjusted": math.nan}, 0.0, 0.03),
        # The margin is shown on both sides, within the same three quarters.
        ({"low_adjusted": 0.0, "high_adjusted": 0.0, "margin": 0.02}, -0.02, 0.03),
        ({"low_adjusted": 0.0, "high_adjusted": 0.0, "margin": 0.5}, -0.0225, 0.0525),
    ],
)
def test_the_axis_shows_nothing_the_seeds_the_intervals_and_the_margin(
    changes: dict[str, float], low: float, high: float
) -> None:
    axis = axis_of(effect(**changes))
    pad = 0.05 * (high - low)
    assert (axis.low, axis.high) == pytest.approx((low - pad, high + pad))


def test_the_rows_share_one_axis() -> None:
    none = {"low_adjusted": math.nan, "high_adjusted": math.nan}
    axis = axis_of(effect((-0.04, -0.01), **none), effect((0.02, 0.06), **none))
    assert (axis.low, axis.high) == pytest.approx((-0.045, 0.065))


def test_an_axis_of_nothing_but_zeros_still_has_a_width() -> None:
    axis = axis_of(effect((0.0, 0.0), low_adjusted=0.0, high_adjusted=0.0))
    assert (axis.low, axis.high) == pytest.approx((-1.1, 1.1))
    assert axis.at(0.0) == pytest.approx(50.0)


def test_without_a_paired_seed_there_is_no_axis() -> None:
    assert forest_axis([], LOSS) is None
    assert forest_axis([effect(())], LOSS) is None


def test_a_variant_without_seeds_does_not_set_the_axis() -> None:
    assert axis_of(effect(()), effect()) == axis_of(effect())


def test_times_are_shown_in_milliseconds_and_ratios_in_per_cent() -> None:
    none = {"low_adjusted": math.nan, "high_adjusted": math.nan}
    seconds = axis_of(effect((0.001, 0.003), **none), metric=LATENCY)
    assert (seconds.high, seconds.unit) == (pytest.approx(3.15), "ms")
    shares = axis_of(effect((10.0, 30.0), relative=True, **none), metric=LATENCY)
    assert (shares.high, shares.unit) == (pytest.approx(31.5), "%")
    assert axis_of(effect()).unit == ""


@pytest.mark.parametrize(
    ("differences", "words"),
    [
        ((0.01, 0.03), ["0.00", "+0.01", "+0.02", "+0.03"]),
        ((-2.0, 4.0), ["−2", "0", "+2", "+4"]),
        ((-0.00012, 0.0), ["−0.00010", "−0.00005", "0.00000"]),
    ],
)
def test_the_ticks_are_round_and_written_to_the_same_digit(differences: tuple[float, ...], words: list[str]) -> None:
    axis = axis_of(effect(differences, low_adjusted=math.nan, high_adjusted=math.nan))
    scale = forest_scale(axis)
    assert texts(scale) == words
    values = [float(word.replace("−", "-")) for word in words]
    wanted = [(value - axis.low) / (axis.high - axis.low) * 100 for value in values]
    assert [number(one, "x") for one in tags(scale, "text")] == pytest.approx(wanted, abs=0.006)
    assert [number(one, "x1") for one in tags(scale, "line")] == pytest.approx(wanted, abs=0.006)
    assert all(one.attrib["x1"] == one.attrib["x2"] for one in tags(scale, "line"))


def test_every_seed_is_a_dot_at_its_difference_and_says_which() -> None:
    row = forest_row(effect((-0.01, 0.0, 0.05)), AXIS, LOSS)
    dots = tags(row, "circle", "seed")
    assert [number(dot, "cx") for dot in dots] == [12.5, 25.0, 87.5]
    assert [dot.findtext("title") for dot in dots] == ["seed 3: −0.0100", "seed 4: 0", "seed 5: +0.0500"]


def test_both_intervals_and_the_mean_stand_on_one_line() -> None:
    (thin,) = tags(row := forest_row(effect((0.01, 0.03)), AXIS, LOSS), "line", "thin")
    (thick,) = tags(row, "line", "thick")
    assert (number(thin, "x1"), number(thin, "x2")) == (25.0, 75.0)
    assert (number(thick, "x1"), number(thick, "x2")) == (31.25, 68.75)
    (mean,) = [one for one in tags(row, "svg") if one.find("path") is not None]
    assert number(mean, "x") == 50.0
    assert {one.attrib["y1"] for one in (thin, thick)} == {one.attrib["y2"] for one in (thin, thick)} == {"37"}
    assert mean.attrib["y"] == "37"
    assert all(number(dot, "cy") < 37 - 6 for dot in tags(row, "circle")), "dots are clear of the mean's mark"


def test_with_a_margin_the_thick_line_is_the_interval_of_the_test_for_equivalence() -> None:
    row = forest_row(effect(margin=0.01, low_equivalence=0.0, high_equivalence=0.04), AXIS, LOSS)
    (thick,), (band,) = tags(row, "line", "thick"), tags(row, "rect", "band")
    assert (number(thick, "x1"), number(thick, "x2")) == (25.0, 75.0)
    assert (number(band, "x"), number(band, "width")) == (12.5, 25.0)
    assert tags(forest_row(effect(), AXIS, LOSS), "rect", "band") == []


@pytest.mark.parametrize(
    ("low", "high", "cuts"),
    [(-0.02, 0.06, []), (-0.03, 0.05, [0.0]), (-0.01, 0.07, [100.0]), (-9.0, 9.0, [0.0, 100.0])],
)
def test_an_interval_that_leaves_the_strip_ends_in_an_arrow_at_its_side(
    low: float, high: float, cuts: list[float]
) -> None:
    row = forest_row(effect(low_adjusted=low, high_adjusted=high), AXIS, LOSS)
    (thin,) = tags(row, "line", "thin")
    assert 0.0 <= number(thin, "x1") < number(thin, "x2") <= 100.0
    arrows = [one for one in tags(row, "svg") if [path.attrib["class"] for path in one.findall("path")] == ["cut"]]
    assert [number(one, "x") for one in arrows] == cuts
    points = {0.0: "M6 -5L0 0L6 5", 100.0: "M-6 -5L0 0L-6 5"}
    assert [path.attrib["d"] for one in arrows for path in one] == [points[at] for at in cuts]


def test_times_stand_where_their_milliseconds_are() -> None:
    def scaled(factor: float) -> Effect:
        ends = {"low": 0.01, "high": 0.03, "low_adjusted": 0.005, "high_adjusted": 0.055, "margin": 0.01}
        more = {"low_equivalence": -0.01, "high_equivalence": 0.04}
        return effect((0.01 * factor, 0.03 * factor), **{name: x * factor for name, x in (ends | more).items()})

    def places(row: str) -> list[float]:
        found = [(*tags(row, "line"), ("x1", "x2")), (*tags(row, "circle"), ("cx",)), (*tags(row, "rect"), ("x",))]
        return [number(one, name) for *elements, names in found for one in elements for name in names]

    seconds = forest_row(scaled(1e-3), AXIS, LATENCY)
    assert places(seconds) == pytest.approx(places(forest_row(scaled(1.0), AXIS, LOSS)))
    assert tags(seconds, "circle")[0].findtext("title") == "seed 3: +0.0100 ms"


def test_one_seed_is_a_dot_and_a_mark_without_an_interval() -> None:
    row = forest_row(effect((0.02,), verdict=Verdict.TOO_FEW), AXIS, LOSS)
    assert len(tags(row, "circle")) == 1
    assert [one.attrib["d"] for one in tags(row, "path")] == [SHAPES[Verdict.TOO_FEW]]
    assert {one.attrib["class"] for one in tags(row, "line")} == {"zero", "grid"}


def test_a_variant_without_seeds_is_an_empty_strip_that_says_so() -> None:
    row = forest_row(effect((), verdict=Verdict.NO_DATA), AXIS, LOSS)
    assert tags(row, "circle") == tags(row, "path") == []
    assert tags(row, "svg")[0].attrib["aria-label"] == "a: —; no paired seeds"


@pytest.mark.parametrize("verdict", SHAPES)
def test_a_verdict_has_a_shape_and_a_class_of_its_own(verdict: Verdict) -> None:
    row = forest_row(effect(verdict=verdict), AXIS, LOSS)
    assert [one.attrib["d"] for one in tags(row, "path", "mean")] == [SHAPES[verdict]]
    assert tags(row, "svg")[0].attrib["class"] == f"forest v-{CLASSES[verdict]}"


def test_different_verdicts_are_told_apart_without_colour() -> None:
    alike = {Verdict.INCONCLUSIVE, Verdict.IN_DESIGN}
    shapes = [shape for verdict, shape in SHAPES.items() if verdict not in alike]
    assert len({*shapes, SHAPES[Verdict.IN_DESIGN]}) == len(SHAPES) - 1
    assert set(CLASSES) == set(Verdict) == {*SHAPES, Verdict.NO_DATA}


def test_the_line_at_nothing_is_told_from_the_grid() -> None:
    row = forest_row(effect(), AXIS, LOSS)
    assert [number(one, "x1") for one in tags(row, "line", "zero")] == [25.0]
    assert [number(one, "x1") for one in tags(row, "line", "grid")] == [0.0, 50.0, 75.0, 100.0]


@pytest.mark.parametrize(
    ("differences", "words", "anchor", "at", "shape"),
    [
        ((0.5, 0.7), "+0.500 to +0.700", "end", "98%", SHAPES[Verdict.WORSE]),
        ((-0.7, -0.5), "−0.700 to −0.500", "start", "2%", SHAPES[Verdict.BETTER]),
        ((0.5,), "+0.500", "end", "98%", SHAPES[Verdict.WORSE]),
    ],
)
def test_what_is_off_the_scale_is_written_at_its_side(
    differences: tuple[float, ...], words: str, anchor: str, at: str, shape: str
) -> None:
    row = forest_row(effect(differences), replace(AXIS, beyond=frozenset({"a"})), LOSS)
    assert texts(row) == ["off the scale:", words]
    assert {(one.attrib["text-anchor"], one.attrib["x"]) for one in tags(row, "text")} == {(anchor, at)}
    assert [one.attrib["d"] for one in tags(row, "path")] == [shape]
    upper, lower = (number(one, "y") for one in tags(row, "text"))
    assert lower - upper >= 12, "the two lines of text do not touch"
    assert 0 < upper < lower < number(tags(row, "svg")[0], "height")


def test_a_row_says_its_numbers_in_their_unit_and_its_verdict() -> None:
    one = effect((0.001, 0.003), low=0.0011, high=0.0029)
    assert effect_text(one, LATENCY) == "+2.00 [+1.10, +2.90] ms"
    assert effect_text(effect((10.0, 30.0), relative=True, low=11.0, high=29.0), LATENCY) == "+20.0 [+11.0, +29.0] %"
    assert effect_text(effect((0.01, 0.03), low=math.nan), LOSS) == "+0.0200 [no interval]"
    assert effect_text(effect(()), LATENCY) == "—"
    label = tags(forest_row(one, axis_of(one, metric=LATENCY), LATENCY), "svg")[0].attrib["aria-label"]
    assert label == "a: +2.00 [+1.10, +2.90] ms; worse"


def test_a_name_with_markup_is_a_name() -> None:
    row = forest_row(effect(variant="<b>\"a\" & 'b'"), AXIS, LOSS)
    assert tags(row, "svg")[0].attrib["aria-label"].startswith("<b>\"a\" & 'b': +0.02")
    assert tags(row, "b") == []
