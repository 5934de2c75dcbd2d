"""Costs against quality, trial by trial: what is drawn where, budgets and the knee."""

from __future__ import annotations

import math
from typing import Any

import plotly.graph_objects as go
import pytest

from reports.analysis.search import Point
from reports.figures.kinds import KINDS, KNEE
from reports.figures.scatter import history_figure, pareto_figure
from reports.metrics import METRICS
from reports.theme import LIGHT

LOSS, LATENCY = METRICS["loss"], METRICS["latency"]


def point(trial: int, kind: str, loss: float = math.nan, latency: float = math.nan, **changes: Any) -> Point:
    known: dict[str, Any] = {
        "status": "finished", "reason": "", "values": {"loss": loss, "latency": latency}, "parameters": {},
        "base": False, "best": False, "knee": False,
    }  # fmt: skip
    return Point(trial=trial, kind=kind, **{**known, **changes})


FRONT = [
    point(0, "front", 0.3, 0.001, base=True),
    point(4, "front", 0.1, 0.003, best=True),
    point(2, "front", 0.2, 0.002),
]
OTHERS = [point(1, "dominated", 0.4, 0.002), point(3, "infeasible", 0.05, 0.004)]
LOST = [point(5, "no result", status="oom", reason="CUDA out of memory"), point(6, "no result", status="failed")]
ALL = [*FRONT, *OTHERS, *LOST]


def pareto(points: list[Point], budgets: dict[str, float] | None = None, *, connect: bool = True) -> go.Figure:
    return pareto_figure(points, LATENCY, LOSS, budgets or {}, connect=connect)


def named(figure: go.Figure, name: str) -> Any:
    (found,) = [trace for trace in figure.data if trace.name == name]
    return found


def notes(figure: go.Figure) -> list[str]:
    return [note.text for note in figure.layout.annotations]


@pytest.mark.parametrize(
    ("kind", "trials", "x", "y"),
    [
        ("front", [0, 4, 2], [1.0, 3.0, 2.0], [0.3, 0.1, 0.2]),
        ("dominated", [1], [2.0], [0.4]),
        ("infeasible", [3], [4.0], [0.05]),
    ],
)
def test_each_kind_is_a_trace_of_its_own_in_shown_units(
    kind: str, trials: list[int], x: list[float], y: list[float]
) -> None:
    trace = named(pareto(ALL), KINDS[kind].label)
    given = sorted(zip(trace.customdata, trace.x, trace.y, strict=True))
    assert given == [(t, pytest.approx(a), b) for t, a, b in sorted(zip(trials, x, y, strict=True))]
    assert trace.marker.symbol == KINDS[kind].symbol
    assert trace.marker.color == KINDS[kind].colour


def test_the_axes_say_metric_and_unit() -> None:
    layout = pareto(ALL).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("latency (ms)", "held-out loss")


def test_the_front_is_a_staircase_from_cheap_to_dear() -> None:
    (line,) = [trace for trace in pareto(ALL).data if trace.mode == "lines"]
    assert list(line.x) == pytest.approx([1.0, 2.0, 3.0])
    assert list(line.y) == [0.3, 0.2, 0.1]
    assert line.line.shape == "hv"
    assert not line.showlegend


@pytest.mark.parametrize(("points", "connect"), [(ALL, False), ([FRONT[0], *OTHERS], True)])
def test_with_a_third_objective_or_one_point_there_is_no_staircase(points: list[Point], connect: bool) -> None:
    assert [trace for trace in pareto(points, connect=connect).data if trace.mode == "lines"] == []


def test_the_best_is_larger_and_the_front_is_numbered() -> None:
    trace = named(pareto(ALL), KINDS["front"].label)
    told = dict(zip(trace.customdata, zip(trace.marker.size, trace.text, strict=True), strict=True))
    assert told == {0: (10, "0 base"), 4: (13, "4"), 2: (10, "2")}
    assert set(named(pareto(ALL), KINDS["dominated"].label).text) == {""}


def test_the_knee_has_a_square_around_it_and_its_number_once() -> None:
    knee = point(2, "front", 0.2, 0.002, knee=True)
    figure = pareto([FRONT[0], knee, FRONT[1]])
    square, marks = named(figure, KNEE.label), named(figure, KINDS["front"].label)
    assert (list(square.x), list(square.y), list(square.text)) == ([pytest.approx(2.0)], [0.2], ["2"])
    assert square.marker.size > max(marks.marker.size)
    assert square.marker.symbol == "square-open"
    assert dict(zip(marks.customdata, marks.text, strict=True))[2] == ""
    assert KNEE.label not in [trace.name for trace in pareto(ALL).data]


def test_trials_without_a_result_stand_in_a_strip_beside_the_plane() -> None:
    figure = pareto(ALL)
    strip = named(figure, "no result")
    assert list(strip.customdata) == [5, 6]
    assert (strip.xaxis, strip.yaxis) == ("x2", "y2")
    assert figure.layout.xaxis.domain[1] < figure.layout.xaxis2.domain[0]
    assert figure.layout.xaxis2.domain[1] == 1
    assert len(set(strip.y)) == 2
    assert all(0 < y < 1 for y in strip.y)
    assert "no result" in notes(figure)


def test_a_result_that_lacks_one_of_the_two_metrics_is_no_point_of_the_plane() -> None:
    figure = pareto([*FRONT, point(7, "dominated", 0.5)])
    assert list(named(figure, "no result").customdata) == [7]
    assert KINDS["dominated"].label not in [trace.name for trace in figure.data]


def test_without_losses_there_is_no_strip_and_the_plane_has_all_the_width() -> None:
    figure = pareto([*FRONT, *OTHERS])
    assert figure.layout.xaxis.domain is None
    assert "no result" not in notes(figure)


def test_budgets_are_dashed_lines_with_their_limits() -> None:
    figure = pareto(ALL, {"latency": 0.0035, "loss": 0.35})
    lines = [shape for shape in figure.layout.shapes if shape.type == "line"]
    assert [(s.x0, s.x1, s.y0, s.y1) for s in lines] == [
        (pytest.approx(3.5), pytest.approx(3.5), 0, 1), (0, 1, 0.35, 0.35),
    ]  # fmt: skip
    assert {(s.line.dash, s.line.color) for s in lines} == {("dash", LIGHT["infeasible"])}
    assert [n.replace("\u202f", " ") for n in notes(figure)][:2] == ["budget 3.50 ms", "budget 0.3500"]


@pytest.mark.parametrize(("limit", "shaded"), [(0.0035, (3.5, 4.15)), (0.005, None)])
def test_what_lies_over_a_budget_is_shaded_as_far_as_trials_went(
    limit: float, shaded: tuple[float, float] | None
) -> None:
    found = [s for s in pareto(ALL, {"latency": limit}).layout.shapes if s.type == "rect"]
    # A twentieth of the span of 1 to 4 ms beyond the furthest.
    assert [(s.x0, s.x1) for s in found] == ([] if shaded is None else [pytest.approx(shaded)])


def test_budgets_of_other_metrics_are_not_drawn() -> None:
    assert pareto(ALL, {"memory": 1.0}).layout.shapes == ()


def test_a_trial_far_away_is_left_out_of_the_first_view_and_said_to_be() -> None:
    far = [point(8, "infeasible", 0.2, 0.5), point(9, "infeasible", 0.2, 0.6)]
    figure = pareto([*FRONT, far[0]])
    low, high = figure.layout.xaxis.range
    assert low < 1.0
    assert 3.0 < high < 500.0
    assert notes(figure) == ["1 trial outside this view"]
    assert notes(pareto([*FRONT, *far])) == ["2 trials outside this view"]
    assert pareto(FRONT).layout.xaxis.range is None


def test_the_note_in_the_corner_has_its_room_from_the_labels_of_budgets() -> None:
    figure = pareto([*FRONT, point(8, "infeasible", 0.2, 0.5)], {"latency": 0.0035, "loss": 0.35})
    upright, level, corner = figure.layout.annotations
    assert upright.textangle == -90
    assert upright.yshift < 0
    assert (level.x, level.xanchor) == (0, "left")
    assert (corner.x, corner.xanchor) == (1, "right")


def test_values_over_orders_of_magnitude_stand_on_a_logarithmic_axis_with_round_ticks() -> None:
    figure = pareto([point(0, "front", 0.3, 0.001), point(1, "front", 0.1, 0.1)])
    axis = figure.layout.xaxis
    assert axis.type == "log"
    assert axis.range[0] < math.log10(1.0) < math.log10(100.0) < axis.range[1]
    assert dict(zip(axis.ticktext, axis.tickvals, strict=True))["50"] == pytest.approx(50.0)


def test_nothing_to_draw_is_an_empty_plane() -> None:
    figure = pareto([], {"latency": 0.001})
    assert figure.data == figure.layout.shapes == ()


# ---- one objective


def test_a_history_shows_every_trial_at_its_number_and_the_best_so_far() -> None:
    order = sorted(ALL, key=lambda p: p.trial)
    figure = history_figure(order, LOSS, {"loss": 0.35})
    best = named(figure, "best so far")
    assert list(best.x) == [0, 1, 2, 3, 4, 5, 6]
    # Trial 3 is over a budget, so its 0.05 is nobody's best.
    assert list(best.y) == [0.3, 0.3, 0.2, 0.2, 0.1, 0.1, 0.1]
    front = named(figure, KINDS["front"].label)
    assert dict(zip(front.x, front.y, strict=True)) == {0.0: 0.3, 2.0: 0.2, 4.0: 0.1}
    assert list(named(figure, "no result").customdata) == [5, 6]
    assert [shape.y0 for shape in figure.layout.shapes] == [0.35]
    assert figure.layout.xaxis.title.text == "trial"


def test_before_the_first_result_a_history_has_no_best() -> None:
    figure = history_figure([LOST[0], FRONT[1]], LOSS, {})
    assert list(named(figure, "best so far").y) == [None, 0.1]


def test_where_more_is_better_the_best_so_far_rises() -> None:
    figure = history_figure([FRONT[1], FRONT[2], OTHERS[0]], LOSS, {}, more_is_better=True)
    assert list(named(figure, "best so far").y) == [0.1, 0.2, 0.4]


def test_a_history_leaves_a_far_trial_out_of_its_first_view() -> None:
    figure = history_figure([*FRONT, point(9, "infeasible", 900.0, 0.001)], LOSS, {})
    assert figure.layout.yaxis.range[1] < 900.0
    assert "1 trial outside this view" in notes(figure)
