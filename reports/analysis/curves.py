"""Training curves and the loss by noise level, smoothed and averaged. Never used for ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from reports.analysis.ablation import BASE
from reports.analysis.search import Point
from reports.analysis.trials import as_records, part, replayed_trial, usable

if TYPE_CHECKING:
    from studies.frame import StudyResults

MAX_POINTS = 160
"""Points of a curve that is drawn; more do not show on a screen."""


@dataclass(frozen=True)
class Curve:
    """One line: a variant's mean over its seeds, or one trial."""

    name: str
    steps: tuple[float, ...]
    losses: tuple[float, ...]
    emphasis: bool = False
    ended_early: bool = False


ALL_POINTS = 240_000
"""Points of all curves of a search together; many trials have coarser curves."""


def smoothed(
    points: Sequence[tuple[float, float]], windows: int = 30, most: int = MAX_POINTS
) -> list[tuple[float, float]]:
    """Average a noisy curve over running windows of a thirtieth of its length, and thin it to `most` points.

    The mean is over finite values only; a window without any is left out.
    """
    if not points:
        return []
    width = max(1, len(points) // windows)
    every = max(1, math.ceil(len(points) / most))
    steps, values = np.asarray(points, dtype=float).T
    last, near, inside = _windows(len(points), width, every)
    seen = values[near]
    known = inside & np.isfinite(seen)
    counts = known.sum(axis=1)
    totals = np.where(known, seen, 0.0).sum(axis=1)
    some = counts > 0
    return list(zip(steps[last[some]].tolist(), (totals[some] / counts[some]).tolist(), strict=True))


@lru_cache(maxsize=64)
def _windows(
    number: int, width: int, every: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """The points that are kept, those in the window of each, and which of these there are."""
    last = np.arange(number - 1, -1, -every)[::-1]  # counted from the end, which is always kept
    near = last[:, None] - np.arange(width)
    return last, np.maximum(near, 0), near >= 0


def variant_curves(results: StudyResults) -> list[Curve]:
    """Return one training curve per variant: the mean over its finished seeds where all of them have a value."""
    rows = usable(part(results.trials, "ablation"))
    found = []
    for variant, own in rows.groupby("variant", sort=False):
        keys = [replayed_trial(row) or ("ablation", int(row["trial"])) for row in as_records(own)]
        curves = [dict(curve) for key in keys if (curve := results.curves.get(key))]
        steps = sorted(set.intersection(*(set(c) for c in curves))) if curves else []
        means = smoothed([(s, float(np.mean([c[s] for c in curves]))) for s in steps])
        if means:
            found.append(_curve(str(variant), means, emphasis=variant == BASE))
    return found


def trial_curves(results: StudyResults, points: Sequence[Point]) -> list[tuple[Point, Curve]]:
    """Return the training curve of every search trial that has one."""
    found = []
    most = max(16, min(MAX_POINTS, ALL_POINTS // max(1, len(points))))
    for point in points:
        curve = smoothed(results.curves.get(point.replay_of or ("search", point.trial), []), most=most)
        if curve:
            lost = point.kind == "no result"
            found.append((point, _curve(f"trial {point.trial}", curve, emphasis=point.best, ended_early=lost)))
    return found


def loss_by_level(results: StudyResults) -> list[Curve]:
    """Return each variant's held-out loss by timestep, in per cent of the base's: where a difference sits.

    Means over the seeds that variant and base share.
    """
    rows = usable(part(results.trials, "ablation"))
    by_variant: dict[str, dict[int, dict[float, float]]] = {}
    for variant, seed, trial in zip(rows["variant"], rows["seed"], rows["trial"], strict=True):
        bins = results.loss_bins.get(("ablation", int(trial)))
        if bins:
            by_variant.setdefault(str(variant), {})[int(seed)] = {(low + high) / 2: mse for low, high, mse in bins}
    base = by_variant.get(BASE, {})
    found = []
    for variant, ours in by_variant.items():
        seeds = sorted(ours.keys() & base.keys())
        if variant == BASE or not seeds:
            continue
        levels = sorted(set.intersection(*(set(ours[s]) & set(base[s]) for s in seeds)))
        shares = [(t, _percent([ours[s][t] for s in seeds], [base[s][t] for s in seeds])) for t in levels]
        found.append(_curve(variant, shares))
    return found


def _percent(ours: Sequence[float], base: Sequence[float]) -> float:
    total = sum(base)
    return (sum(ours) / total - 1) * 100 if total else math.nan


def _curve(
    name: str, points: Sequence[tuple[float, float]], *, emphasis: bool = False, ended_early: bool = False
) -> Curve:
    steps, losses = zip(*points, strict=True)
    return Curve(name, tuple(steps), tuple(losses), emphasis, ended_early)
