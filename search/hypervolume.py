"""Dominated hypervolume, and how much a point would add to it, for any small number of minimised objectives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def front_of(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Mark the points that no other one beats; of equal points each is marked.

    Args:
        values: objectives to minimise, shape (points, objectives), finite.
    """
    points = np.asarray(values, dtype=float)
    marked = np.zeros(len(points), dtype=np.bool_)
    for index, one in enumerate(points):
        marked[index] = not ((points <= one).all(axis=1) & (points < one).any(axis=1)).any()
    return marked


def boxes(front: Array, reference: Array) -> tuple[Array, Array]:
    """The region below the reference that no point dominates, as disjoint boxes (lower, upper).

    Slabs of the last objective, each divided in the same way by the points that reach into it.

    Args:
        front: shape (points, objectives).
        reference: shape (objectives,): worse than what counts.

    Returns:
        Lower and upper corners, shape (boxes, objectives) each; lower corners may be −inf.
    """
    inside = front[(front < reference).all(axis=1)]
    if len(reference) == 1:
        top = inside[:, 0].min() if len(inside) else reference[0]
        return np.array([[-np.inf]]), np.array([[top]])
    cuts = np.unique(inside[:, -1])
    lows, highs = np.concatenate([[-np.inf], cuts]), np.concatenate([cuts, reference[-1:]])
    lower: list[Array] = []
    upper: list[Array] = []
    for low, high in zip(lows, highs, strict=True):
        within = inside[inside[:, -1] <= low][:, :-1]
        below, above = boxes(within, reference[:-1])
        lower.append(np.column_stack([below, np.full(len(below), low)]))
        upper.append(np.column_stack([above, np.full(len(above), high)]))
    return np.concatenate(lower), np.concatenate(upper)


def improvement(points: Array, front: Array, reference: Array) -> Array:
    """How much each point alone would add to the hypervolume of a front.

    Args:
        points: shape (points, objectives).
        front: shape (front, objectives).
        reference: shape (objectives,).
    """
    lower, upper = boxes(front, reference)
    added = np.empty(len(points))
    step = max(1, 2_000_000 // max(len(lower), 1))
    for start in range(0, len(points), step):
        part = points[start : start + step, None, :]
        added[start : start + step] = np.clip(upper - np.maximum(lower, part), 0.0, None).prod(axis=2).sum(axis=1)
    return added


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Volume between the reference and the points that are better than it in every objective.

    Args:
        values: objectives to minimise, shape (points, objectives).
        reference: shape (objectives,).
    """
    worst = np.asarray(reference, dtype=float)
    points = np.asarray(values, dtype=float).reshape(-1, len(worst))
    points = points[(points < worst).all(axis=1)]
    if not len(points):
        return 0.0
    points = points[front_of(points)]
    total = 0.0
    for index, one in enumerate(points):
        total += float(improvement(one[None], points[:index], worst)[0])
    return total
