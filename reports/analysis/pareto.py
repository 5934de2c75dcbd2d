"""The non-dominated set, on arrays."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from reports.analysis.trials import USABLE, part
from reports.metrics import METRICS, join_words, metric_of

if TYPE_CHECKING:
    from studies.frame import StudyResults


def non_dominated(values: npt.ArrayLike, feasible: npt.ArrayLike | None = None) -> npt.NDArray[np.bool_]:
    """Mark the points that no other feasible point beats.

    A point is beaten by one that is at most as large in every objective and smaller in one; equal points are both kept.

    Args:
        values: objectives to minimise, shape (points, objectives).
        feasible: shape (points,); infeasible points neither belong to the front nor beat others. None: all feasible.

    Returns:
        Shape (points,); points with a NaN are never marked.
    """
    points = np.asarray(values, dtype=float)
    if points.ndim != 2:
        raise ValueError(f"expected an array of points × objectives, got shape {points.shape}")
    candidate = ~np.isnan(points).any(axis=1)
    if feasible is not None:
        candidate &= np.asarray(feasible, dtype=bool)
    front = np.zeros(len(points), dtype=np.bool_)
    # In lexicographic order a point can be beaten only by an earlier one, and then by one of the front so far.
    kept: list[int] = []
    for index in sorted(np.flatnonzero(candidate), key=lambda i: tuple(points[i])):
        rivals = points[kept]
        beaten = bool(((rivals <= points[index]).all(axis=1) & (rivals < points[index]).any(axis=1)).any())
        if not beaten:
            kept.append(int(index))
    front[kept] = True
    return front


def pareto_kinds(trials: pd.DataFrame, objectives: tuple[str, ...], maximised: Collection[str] = ()) -> list[str]:
    """Sort trials into "front", "dominated", "infeasible" and "no result", one word per row of the frame.

    Args:
        trials: one row for each trial.
        objectives: columns that are minimised.
        maximised: those of them that are maximised instead.
    """
    values = compared_values(trials, objectives, maximised)
    done = trials["status"].isin(USABLE).to_numpy(dtype=bool) & ~np.isnan(values).any(axis=1)
    feasible = trials["feasible"].to_numpy(dtype=bool)
    front = non_dominated(values, done & feasible)
    return [
        "no result" if not d else "infeasible" if not f else "front" if p else "dominated"
        for d, f, p in zip(done, feasible, front, strict=True)
    ]


def objectives_of(results: StudyResults) -> tuple[str, ...]:
    """Name what the search is judged by; the loss where the study names nothing, as where its search was taken out."""
    return results.objectives or ("loss",)


def first_objective(results: StudyResults) -> str:
    """Name the objective that "best" is about: the loss where it is one of them."""
    names = objectives_of(results)
    return "loss" if "loss" in names else names[0]


def by_ratio(results: StudyResults) -> list[str]:
    """Name the objectives whose ratios to the reference network the search's front is made of, not what is shown."""
    rows = part(results.trials, "search")
    return [name for name in results.objectives if compared_column(rows, name) != name]


def ratios_in_words(*studies: StudyResults) -> str:
    """Label the objectives that all of the studies compare by their ratios; empty where there is none."""
    first, *others = [by_ratio(study) for study in studies]
    return join_words(metric_of(name, METRICS).label for name in first if all(name in other for other in others))


def compared_values(
    trials: pd.DataFrame, objectives: tuple[str, ...], maximised: Collection[str] = ()
) -> npt.NDArray[np.float64]:
    """Return what trials are compared by, shape (trials, objectives), all to be minimised; NaN where there is none."""
    columns = [compared_column(trials, objective) for objective in objectives]
    values = np.column_stack(
        [trials[o].to_numpy(dtype=float) if o in trials.columns else np.full(len(trials), np.nan) for o in columns]
    )
    signs = np.array([-1.0 if name in maximised else 1.0 for name in objectives])
    return np.asarray(values * signs, dtype=np.float64)


def compared_column(trials: pd.DataFrame, objective: str) -> str:
    """Name the column that trials are compared by: a latency's ratio to the reference where every usable one has it."""
    ratio = METRICS[objective].ratio if objective in METRICS else None
    if ratio is None or ratio not in trials.columns:
        return objective
    measured = trials[trials["status"].isin(USABLE)]
    return ratio if len(measured) and bool(measured[ratio].notna().all()) else objective
