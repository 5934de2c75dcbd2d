"""The knee of a search's front: the point after which a little more of one objective costs much of another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.analysis.pareto import by_ratio, compared_column, compared_values, non_dominated
from reports.analysis.sentences import Sentence
from reports.analysis.trials import part, usable
from reports.metrics import Metric, metric_of, metrics_of, percent_text

if TYPE_CHECKING:
    from studies.frame import StudyResults

_FEWEST = 3
"""Two points of a front are its ends; a knee lies between them."""

_LINE = 2
"""Objectives in which a plane is a line; with fewer there is no front."""

_FLAT = 1e-9
"""Distances up to this, of objectives between 0 and 1, are rounding."""


@dataclass(frozen=True)
class Knee:
    """Where a front bends most, or why it has no such place."""

    position: int | None
    """Position among the points that were given; None without a knee."""
    distance: float = 0.0
    """How far it lies beyond the line, in objectives that are scaled to run from 0 to 1 over the front."""
    lack: str = ""
    """Why there is none."""


def knee(values: npt.ArrayLike, feasible: npt.ArrayLike | None = None) -> Knee:
    """Find the point of the front furthest beyond the plane through its extremes, on the side of better values.

    The knee of Das 1999, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection",
    among the points that there are. Each objective is scaled to run from 0 to 1 over the front; its extremes are its
    best points in one objective each, and with two objectives the plane is the line through the two ends. Of points
    equally far the one better in the first objective is the knee, and of equal points the first.

    Args:
        values: objectives to minimise, shape (points, objectives), two or more.
        feasible: shape (points,); others do not belong to the front. None: all feasible.
    """
    points = np.asarray(values, dtype=float)
    front = np.flatnonzero(non_dominated(points, feasible))
    distinct = len(np.unique(points[front], axis=0))
    if distinct < _FEWEST:
        number = ("no point", "one point", "two points")[distinct]
        return Knee(None, lack=f"the front has {number}, and a knee lies between two others")
    low, high = points[front].min(axis=0), points[front].max(axis=0)
    if not (high > low).all():
        return Knee(None, lack="an objective is the same all along the front")
    scaled = (points[front] - low) / (high - low)
    normal = _normal(scaled)
    if normal is None:
        return Knee(None, lack="the best points by objective span no plane to measure from")
    beyond = (1.0 - scaled @ normal) / np.linalg.norm(normal)
    furthest = float(beyond.max())
    if furthest <= _FLAT:
        return Knee(None, lack=f"no point of the front lies beyond {plane(points.shape[1])}")
    tied = np.flatnonzero(beyond >= furthest - _FLAT)
    return Knee(int(front[tied[np.argmin(scaled[tied, 0])]]), furthest)


def plane(objectives: int) -> str:
    """Name what the knee is furthest beyond, for so many objectives."""
    return "the line through its two ends" if objectives == _LINE else "the plane through its best points by objective"


def _normal(scaled: npt.NDArray[np.float64]) -> npt.NDArray[np.float64] | None:
    """The plane n·x = 1 through the best point of each objective; None unless better values lie below it."""
    extremes = [np.unique(scaled[column == 0.0], axis=0) for column in scaled.T]
    if any(len(best) != 1 for best in extremes):
        return None
    corners = np.concatenate(extremes)
    if abs(np.linalg.det(corners)) <= _FLAT:
        return None
    normal = np.linalg.solve(corners, np.ones(len(corners)))
    return normal if (normal > 0).all() else None


def search_knee(results: StudyResults) -> tuple[pd.Series | None, str]:
    """Return the search's trial at the knee of its front within the budgets, or why there is none.

    The reason is empty for a search with a single objective, which has no front.
    """
    rows = usable(part(results.trials, "search")).sort_values("trial")
    if len(results.objectives) < _LINE or rows.empty:
        return None, ""
    values = compared_values(rows, results.objectives, results.maximised)
    found = knee(values, rows["feasible"].to_numpy(dtype=bool))
    return (None, found.lack) if found.position is None else (rows.iloc[found.position], "")


def knee_sentences(results: StudyResults, best: pd.Series) -> list[Sentence]:
    """Say which trial is the knee and how it differs from the best, or that there is none; nothing without a front."""
    row, lack = search_knee(results)
    if row is None:
        return [Sentence("knee", f"No knee: {lack}.")] if lack else []
    metrics = metrics_of(results.trials)
    rows = part(results.trials, "search")
    told = [_told(metric_of(name, metrics), row, best, compared_column(rows, name)) for name in results.objectives]
    ratios = [f", {metric_of(name, metrics).label} by its ratio to the reference network" for name in by_ratio(results)]
    where = f"the point furthest beyond {plane(len(results.objectives))}{''.join(ratios)}"
    return [
        Sentence("knee", "Knee of the front:", f"trial {row['trial']} ({'; '.join(told)} against the best), {where}.")
    ]


def _told(metric: Metric, row: pd.Series, best: pd.Series, by: str) -> str:
    known = best[by] != 0 and not math.isnan(best[by])
    change = f", {percent_text((row[by] / best[by] - 1) * 100)}" if known else ""
    return f"{metric.label} {metric.text(row[metric.name])}{change}"


__all__ = ["Knee", "knee", "knee_sentences", "plane", "search_knee"]
