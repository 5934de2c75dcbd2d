import math

import numpy as np
import pandas as pd
import pytest

from reports.analysis.pareto import non_dominated, pareto_kinds


def brute_force(points: np.ndarray, feasible: np.ndarray) -> list[bool]:
    def beaten(i: int) -> bool:
        return any(
            feasible[j] and (points[j] <= points[i]).all() and (points[j] < points[i]).any() for j in range(len(points))
        )

    return [bool(feasible[i]) and not np.isnan(points[i]).any() and not beaten(i) for i in range(len(points))]


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_the_front_is_that_of_the_definition(objectives: int) -> None:
    random = np.random.default_rng(objectives)
    for _ in range(30):
        # Whole numbers, so that ties and equal points occur.
        points = random.integers(0, 6, (25, objectives)).astype(float)
        points[random.random(points.shape) < 0.05] = np.nan
        feasible = random.random(25) < 0.7
        assert non_dominated(points, feasible).tolist() == brute_force(points, feasible)


def test_equal_points_are_both_kept_and_infeasible_ones_beat_nobody() -> None:
    points = [[1, 1], [1, 1], [0, 0], [2, 0.5]]
    assert non_dominated(points, [True, True, False, True]).tolist() == [True, True, False, True]


def test_an_empty_set_has_an_empty_front() -> None:
    assert non_dominated(np.empty((0, 2))).tolist() == []


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected an array of points × objectives, got shape \(3,\)"):
        non_dominated([1, 2, 3])


def test_kinds_of_trials() -> None:
    trials = pd.DataFrame(
        {
            "status": ["finished", "finished", "finished", "refused", "replayed", "finished"],
            "feasible": [True, True, False, False, True, True],
            "loss": [1.0, 2.0, 0.5, math.nan, 1.0, math.nan],
            "latency": [1.0, 2.0, 0.5, math.nan, 1.0, 1.0],
        }
    )
    kinds = pareto_kinds(trials, ("loss", "latency"))
    assert kinds == ["front", "dominated", "infeasible", "no result", "front", "no result"]
    assert pareto_kinds(trials, ("loss", "memory")) == ["no result"] * 6
