import math
from dataclasses import replace

import pandas as pd
import pytest

from reports.analysis.answer import answer
from reports.analysis.knee import knee, search_knee
from reports.analysis.search import search_points
from reports.figures.scatter import pareto_figure
from reports.metrics import metrics_of
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_page, make_study


def plain(text: object) -> str:
    return str(text).replace("\u202f", " ").replace("\xa0", " ")


def study_of(
    points: list[tuple[float, float]], *, feasible: list[bool] | None = None, **changes: object
) -> StudyResults:
    """A search with these losses and MACs (in millions), one trial each, and nothing else."""
    study = make_study(seeds=0, trials=1, objectives=("loss", "macs"), budgets={})
    rows = pd.concat([study.trials] * len(points), ignore_index=True)
    rows = rows.assign(trial=range(len(points)), feasible=feasible or [True] * len(points))
    rows = rows.assign(loss=[loss for loss, _ in points], macs=[macs * 1e6 for _, macs in points])
    return replace(study, trials=rows, **changes)


def test_the_knee_of_a_convex_front_is_furthest_beyond_the_line_through_its_ends() -> None:
    # Scaled: (0, 1), (0.1, 0.5), (0.3, 0.2), (1, 0); (1 - x - y) / √2 is 0, 0.4, 0.5 and 0 by √2.
    found = knee([[1, 30], [2, 20], [4, 14], [11, 10]])
    assert found.position == 2
    assert found.distance == pytest.approx(0.5 / math.sqrt(2))
    # Of dominated points it makes no difference how far they lie beyond.
    assert knee([[1, 30], [2, 20], [4, 14], [11, 10], [4, 15], [12, 30]]).position == 2


def test_the_knee_does_not_depend_on_units() -> None:
    points = [[1.0, 30.0], [2.0, 20.0], [4.0, 14.0], [11.0, 10.0]]
    assert knee([[x * 1e-3 + 7, y * 1e9] for x, y in points]).position == knee(points).position


@pytest.mark.parametrize(
    ("front", "lack"),
    [
        ([[0, 3], [1, 2], [2, 1], [3, 0]], "no point of the front lies beyond the line through its two ends"),
        ([[0.1, 0.3], [0.2, 0.2], [0.3, 0.1]], "no point of the front lies beyond the line through its two ends"),
        ([[0, 10], [6, 9], [9, 6], [10, 0]], "no point of the front lies beyond the line through its two ends"),
        ([[0, 1], [1, 0]], "the front has two points, and a knee lies between two others"),
        ([[0, 1], [1, 0], [0, 1], [2, 2]], "the front has two points, and a knee lies between two others"),
        ([[0, 0], [1, 1], [2, 2]], "the front has one point, and a knee lies between two others"),
        ([[math.nan, 0]], "the front has no point, and a knee lies between two others"),
    ],
)
def test_a_front_that_does_not_bend_has_no_knee(front: list[list[float]], lack: str) -> None:
    found = knee(front)
    assert (found.position, found.lack) == (None, lack)


def test_of_points_equally_far_the_better_in_the_first_objective_and_the_first_of_equal_ones() -> None:
    # (0.25, 0.5) and (0.5, 0.25) are both 0.25 / √2 beyond.
    assert knee([[4, 0], [2, 1], [1, 2], [0, 4]]).position == 2
    assert knee([[4, 0], [1, 2], [2, 1], [1, 2], [0, 4]]).position == 1


def test_points_over_a_budget_neither_are_the_knee_nor_an_end() -> None:
    points = [[0, 10], [1, 1], [4, 3], [2, 6], [10, 0]]
    assert knee(points).position == 1
    # Without (1, 1): (0.2, 0.6) and (0.4, 0.3) scaled, 0.2 and 0.3 beyond.
    assert knee(points, [True, False, True, True, True]).position == 2
    # Without (0, 10) too the ends are (2, 6) and (10, 0), and (4, 3) is (0.25, 0.5) between them.
    found = knee(points, [False, False, True, True, True])
    assert (found.position, found.distance) == (2, pytest.approx(0.25 / math.sqrt(2)))


def test_with_three_objectives_it_is_furthest_beyond_the_plane_through_the_best_points() -> None:
    corners = [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    # The plane is x + y + z = 2; (0.5, 0.5, 0.4) is 0.6 below it by √3, (0.2, 0.7, 0.6) 0.5.
    found = knee([*corners, [0.2, 0.7, 0.6], [0.5, 0.5, 0.4]])
    assert (found.position, found.distance) == (4, pytest.approx(0.6 / math.sqrt(3)))
    assert knee([*corners, [0.9, 0.9, 0.9]]).lack == (
        "no point of the front lies beyond the plane through its best points by objective"
    )


@pytest.mark.parametrize(
    "points",
    [
        # The first point is the best in two objectives.
        [[0, 0, 1], [0.5, 0.5, 0.5], [1, 1, 0]],
        # Two points are the best in the first objective.
        [[0, 1, 0.5], [0, 0.5, 1], [1, 0, 1], [1, 1, 0], [0.3, 0.3, 0.3]],
    ],
)
def test_without_a_plane_there_is_no_knee(points: list[list[float]]) -> None:
    assert knee(points).lack == "the best points by objective span no plane to measure from"


def test_an_objective_that_never_differs_leaves_no_knee() -> None:
    assert knee([[0, 1, 5], [0.2, 0.2, 5], [1, 0, 5]]).lack == "an objective is the same all along the front"


def test_the_answer_names_the_knee_with_what_it_costs() -> None:
    said = [plain(s) for s in answer(study_of([(0.10, 30), (0.11, 20), (0.13, 14), (0.20, 10)])).search]
    assert said[2] == (
        "Knee of the front: trial 2 (held-out loss 0.1300, +30 %; MACs 14.0 M, −53 % against the best), the point "
        "furthest beyond the line through its two ends."
    )


def test_where_more_is_better_the_knee_is_on_that_side() -> None:
    # MACs from 10 to 30, more is better: the front runs upwards, and (0.12, 26) is above the line.
    upwards = study_of([(0.10, 10), (0.12, 26), (0.15, 27), (0.20, 30)], maximised=frozenset({"macs"}))
    row, lack = search_knee(upwards)
    assert row is not None
    assert (row["trial"], lack) == (1, "")
    below = study_of([(0.10, 10), (0.18, 12), (0.20, 30)], maximised=frozenset({"macs"}))
    assert search_knee(below) == (None, "no point of the front lies beyond the line through its two ends")


def test_the_answer_says_that_there_is_no_knee_and_nothing_where_there_is_no_front() -> None:
    straight = study_of([(0.10, 30), (0.15, 20), (0.20, 10)])
    assert (
        str(answer(straight).search[2]) == "No knee: no point of the front lies beyond the line through its two ends."
    )
    points = [(0.10, 30.0), (0.11, 12.0), (0.15, 20.0), (0.20, 10.0)]
    over = study_of(points, feasible=[True, False, True, True], budgets={"macs": 1e9})
    assert "No knee: no point of the front" in " ".join(map(str, answer(over).search))
    assert not [s for s in answer(study_of(points, objectives=("loss",))).search if "nee" in str(s)]


def test_the_point_of_the_knee_is_marked_and_a_replay_of_it_is_not_taken_for_it() -> None:
    study = study_of([(0.10, 30), (0.11, 20), (0.13, 14), (0.20, 10), (0.13, 14)])
    trials = study.trials.copy()
    trials.loc[4, ["status", "replay_of"]] = ["replayed", "search/2"]
    assert [p.trial for p in search_points(replace(study, trials=trials)) if p.knee] == [2]


def test_the_answer_says_so_where_it_is_the_ratio_of_a_latency_that_is_compared() -> None:
    said = next(plain(s) for s in answer(make_study(seeds=0)).search if s.kind == "knee")
    assert said.endswith("the line through its two ends, latency by its ratio to the reference network.")


def test_a_figure_for_a_paper_has_a_square_around_the_knee_with_its_number() -> None:
    study = study_of([(0.10, 30), (0.11, 20), (0.13, 14), (0.20, 10)])
    metrics = metrics_of(study.trials)
    points = search_points(study)
    figure = pareto_figure(points, metrics["macs"], metrics["loss"], {}, connect=True)
    (square,) = [trace for trace in figure.data if trace.name == "knee"]
    assert (square.x, square.y, square.text) == ((14.0,), (0.13,), ("2 base",))
    (front,) = [trace for trace in figure.data if trace.name == "on the front"]
    assert (sorted(front.text), square.marker.symbol) == (["", "0 base", "1 base", "3 base"], "square-open")
    straight = search_points(study_of([(0.10, 30), (0.15, 20), (0.20, 10)]))
    plain_figure = pareto_figure(straight, metrics["macs"], metrics["loss"], {}, connect=True)
    assert "knee" not in [trace.name for trace in plain_figure.data]


def test_the_page_says_what_the_square_is() -> None:
    page = full_page()
    assert '<li class="say-knee">' in page
    assert "The square is the knee: the point of the front in all objectives that lies furthest beyond the line" in page
