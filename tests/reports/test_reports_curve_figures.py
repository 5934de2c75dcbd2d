"""Figures of training curves, of losses by noise level, of progress and of several studies: their data and looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reports.analysis.curves import Curve
from reports.analysis.progress import Progress
from reports.analysis.search import Point
from reports.figures.curves import level_figure, trial_figure, variant_figure
from reports.figures.kinds import KINDS
from reports.figures.progress import progress_figure, together_figure
from reports.figures.studies import studies_figure
from reports.metrics import METRICS
from reports.theme import LIGHT, SERIES
from studies.frame import StudyResults
from tests.reports.synthetic_study import make_study
from tests.reports.test_reports_scatter import point

BASE = Curve("base", (1, 2, 3), (0.9, 0.5, 0.4), emphasis=True)


def variants(number: int) -> list[Curve]:
    return [BASE, *(Curve(f"v{n}", (1, 2), (0.8, 0.4)) for n in range(number))]


def test_every_variants_curve_is_drawn_as_it_is() -> None:
    figure = variant_figure(variants(2))
    assert [trace.name for trace in figure.data] == ["base", "v0", "v1"]
    assert (list(figure.data[0].x), list(figure.data[0].y)) == ([1, 2, 3], [0.9, 0.5, 0.4])
    assert {trace.mode for trace in figure.data} == {"lines"}
    assert figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.title.text == "optimizer step"
    assert dict(zip(figure.layout.yaxis.ticktext, figure.layout.yaxis.tickvals, strict=True))["0.05"] == 0.05


def test_the_base_is_black_wherever_it_stands_and_takes_nobodys_colour() -> None:
    for curves in (variants(3), variants(3)[::-1]):
        lines = {trace.name: trace.line for trace in variant_figure(curves).data}
        assert (lines["base"].color, lines["base"].dash) == (LIGHT["ink"], "solid")
        assert lines["base"].width > lines["v0"].width
        others = [(line.color, line.dash) for name, line in lines.items() if name != "base"]
        assert others == [(colour, dash) for colour, _, dash in SERIES[:3]]


def test_more_variants_than_colours_begin_again() -> None:
    lines = [trace.line for trace in variant_figure(variants(len(SERIES) + 1)).data]
    assert lines[1].color == lines[-1].color
    assert len({(line.color, line.dash) for line in lines[1:-1]}) == len(SERIES)


def levels(**losses: tuple[float, ...]) -> Any:
    return level_figure([Curve(name, tuple(range(len(values))), values) for name, values in losses.items()])


def test_differences_by_level_have_marks_and_a_line_at_nothing() -> None:
    figure = levels(a=(1.0, -2.0), b=(0.5, 0.25))
    assert list(figure.data[0].y) == [1.0, -2.0]
    assert {trace.mode for trace in figure.data} == {"lines+markers"}
    (line,) = figure.layout.shapes
    assert (line.x0, line.x1, line.y0, line.y1) == (0, 1, 0, 0)
    assert figure.layout.yaxis.range is None
    assert figure.layout.annotations == ()
    assert "+.1f" in figure.data[0].hovertemplate


def test_one_huge_difference_leaves_the_view_and_is_named() -> None:
    figure = levels(a=(1.0, -2.0), b=(1.5, 0.25), **{"<far>": (90.0, 3.0)})
    # From -2 to 1.5 with an eighth more on both sides.
    assert list(figure.layout.yaxis.range) == pytest.approx([-2 - 0.42, 1.5 + 0.42])
    (note,) = figure.layout.annotations
    assert note.text == "off the scale (double-click): &#60;far&#62;"
    assert list(figure.data[2].y) == [90.0, 3.0], "a double click shows it"


def test_the_view_without_the_huge_one_still_holds_nothing() -> None:
    figure = levels(a=(2.0, 1.0), b=(1.5, 1.25), far=(90.0, 80.0))
    low, high = figure.layout.yaxis.range
    assert low < 0
    assert 2.0 < high < 80.0


def searched(kind: str, trial: int, **changes: Any) -> tuple[Point, Curve]:
    ended_early = kind == "no result"
    return point(trial, kind, **changes), Curve(f"trial {trial}", (1, 2, 3), (0.9, 0.6, 0.5), ended_early=ended_early)


def test_the_front_is_drawn_last_and_the_best_on_top_of_it() -> None:
    given = [
        searched("front", 0, best=True), searched("dominated", 1), searched("no result", 2), searched("front", 3),
        searched("infeasible", 4),
    ]  # fmt: skip
    traces = trial_figure(given).data
    assert [trace.customdata[0] for trace in traces] == [2, 4, 1, 3, 0]
    assert [trace.name for trace in traces] == [
        KINDS[kind].label for kind in ("no result", "infeasible", "dominated", "front", "front")
    ]
    assert traces[4].line.width > traces[3].line.width > traces[2].line.width
    assert {trace.line.dash for trace in traces[:2]} == {"dot", "dash"}
    assert [trace.opacity for trace in traces] == [1, 1, 0.45, 1, 1]
    assert [trace.line.color for trace in traces[:2]] == [LIGHT["lost"], LIGHT["infeasible"]]


def test_a_kind_stands_in_the_legend_once() -> None:
    shown = [trace.showlegend for trace in trial_figure([searched("front", n) for n in range(3)]).data]
    assert shown == [True, False, False]


def test_a_curve_that_broke_off_ends_in_a_cross() -> None:
    (lost,) = trial_figure([searched("no result", 2)]).data
    assert lost.mode == "lines+markers"
    assert lost.marker.symbol == "x-thin"
    assert list(lost.marker.opacity) == [0, 0, 1]
    (front,) = trial_figure([searched("front", 0)]).data
    assert front.mode == "lines"


# ---- progress


PLAIN = Progress((1, 3, 4), (0.25, 0.5, 1.0), (0, 7, 9), (), 0)
RANDOM = Progress((1, 2), (0.5, 1.0), (0, 1), ((1, 0.1, 0.4, 0.6), (2, 0.8, 0.9, 1.0)), 2)


def test_progress_is_a_staircase_whose_points_name_their_trials() -> None:
    (line,) = progress_figure(PLAIN).data
    assert (list(line.x), list(line.y), list(line.customdata)) == ([1, 3, 4], [0.25, 0.5, 1.0], [0, 7, 9])
    assert line.line.shape == "hv"
    assert list(line.hovertext)[1] == "this search, 3 trainings: 0.500 (trial 7)"


def test_random_search_is_a_band_from_low_to_high_around_its_median() -> None:
    band, median, line = progress_figure(RANDOM).data
    assert list(zip(band.x, band.y, strict=True)) == [(1, 0.6), (2, 1.0), (2, 0.8), (1, 0.1)]
    assert band.fill == "toself"
    assert (list(median.x), list(median.y), median.line.dash) == ([1, 2], [0.4, 0.9], "dash")
    assert line.name == "this search"


def test_searches_together_have_one_band_and_lines_that_differ() -> None:
    figure = together_figure(["<one>", "two", "three"], [PLAIN, RANDOM, RANDOM])
    assert [trace.name for trace in figure.data] == [
        "random search, 90 % of orders", "random search, median", "&#60;one&#62;", "two", "three",
    ]  # fmt: skip
    assert len({(trace.line.color, trace.line.dash) for trace in figure.data[2:]}) == 3
    assert all(trace.customdata is None for trace in figure.data), "a number stands for a trial of one study only"
    assert figure.layout.yaxis.title.text == "dominated volume (share of all)"


# ---- several studies


def study(name: str, losses: list[float], latencies: list[float]) -> StudyResults:
    found = make_study(seeds=0, trials=1)
    row = found.trials.iloc[[0]]
    rows = row.loc[row.index.repeat(len(losses))].reset_index(drop=True)
    return replace(found, name=name, trials=rows.assign(trial=range(len(losses)), loss=losses, latency=latencies))


def test_the_hover_names_study_and_trial_or_variant() -> None:
    one = study("a <b>", [0.25, 0.5], [0.001, 0.002])
    variants = replace(one, trials=one.trials.assign(variant=["<base>", None]))
    first, second = studies_figure([variants], METRICS["latency"], METRICS["loss"]).data[0].hovertext
    assert first.replace("\u202f", " ") == (
        "<b>a &#60;b&#62;</b>, &#60;base&#62;<br>held-out loss 0.2500<br>latency 1.00 ms"
    )
    assert second.startswith("<b>a &#60;b&#62;</b>, trial 1<br>")


@pytest.mark.parametrize(("largest", "kind"), [(0.030, None), (0.031, "log")])
def test_costs_over_more_than_thirty_fold_stand_on_a_logarithmic_axis(largest: float, kind: str | None) -> None:
    figure = studies_figure([study("a", [0.25, 0.5], [0.001, largest])], METRICS["latency"], METRICS["loss"])
    assert figure.layout.xaxis.type == kind


@pytest.mark.parametrize(
    ("far", "said"),
    [
        ([], []),
        ([9.0], ["1 trial outside this view (double-click)"]),
        ([9.0, 8.0], ["2 trials outside this view (double-click)"]),
    ],
)
def test_the_better_three_quarters_set_the_view_and_the_others_are_counted(far: list[float], said: list[str]) -> None:
    losses = [0.5, 0.51, 0.52, 0.53, 0.54, 0.55, *far]
    figure = studies_figure([study("a", losses, [0.001] * len(losses))], METRICS["latency"], METRICS["loss"])
    assert [note.text for note in figure.layout.annotations] == said
    high = figure.layout.yaxis.range[1] if said else None
    assert high is None or 0.55 < high < 8.0


def test_studies_without_a_trial_are_drawn_empty() -> None:
    figure = studies_figure([study("a", [], []), study("b", [], [])], METRICS["latency"], METRICS["loss"])
    assert [len(trace.x) for trace in figure.data] == [0, 0]
    assert figure.layout.annotations == ()
