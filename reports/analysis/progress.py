"""How the search went: the volume that its trials dominate, training by training, and what random order would give.

The volume is measured in the objectives' own ranges: each is scaled so that 0 is the best and 1 the worst value of any
trial within the budgets, and the reference lies at 1.1 in each. Only trials within the budgets count. With one or two
objectives the volume is exact; with more it is the share of 16,384 evenly spread points (Sobol') that are dominated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.stats import qmc

from reports.analysis.pareto import compared_column, objectives_of
from reports.analysis.search import Point
from reports.analysis.trials import part
from search.hypervolume import improvement

if TYPE_CHECKING:
    from studies.frame import StudyResults

REFERENCE = 1.1
ORDERS = 100
"""Random orders behind a band."""

MOST_RANDOM = 200
"""Random trials that a band is made of; more cost time and change little."""

TRAINED = ("finished", "pruned", "oom", "diverged", "failed")
"""Statuses of trials that were trained at all, if not always to the end."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Progress:
    """The dominated volume after each training, as a share of what the search and all beside it dominate."""

    trainings: tuple[int, ...]
    """Trainings after which the volume grew, and all of them; a replay adds to the volume and costs none."""
    volumes: tuple[float, ...]
    trials: tuple[int, ...]
    """The trial that made it grow; of the last entry the last trial."""
    band: tuple[tuple[int, float, float, float], ...]
    """(trainings, 5 %, median, 95 %) of random search; empty where no trials are known to be random."""
    random: int
    """Random trials behind the band."""


def progress(results: StudyResults, points: Sequence[Point]) -> Progress | None:
    """Follow the search; None if fewer than two trials keep the budgets.

    Args:
        results: the study.
        points: its search's trials in the order of their numbers; what was not trained costs nothing and is skipped.
    """
    return progress_together([results], [points])[0]


def progress_together(
    studies: Sequence[StudyResults], points: Sequence[Sequence[Point]]
) -> tuple[Progress | None, ...]:
    """Follow several searches on one scale: shares of what all of them together dominate.

    Args:
        studies: with the same objectives.
        points: each one's trials, as in `progress`.

    Returns:
        One for each study; None where fewer than two trials keep the budgets.
    """
    if not studies:
        return ()
    told = [[p for p in some if p.status in (*TRAINED, "replayed")] for some in points]
    columns = _compared(studies)
    values = _scaled([_values(study, some, columns) for study, some in zip(studies, told, strict=True)])
    whole = _growth(np.vstack(values), np.arange(sum(map(len, values))))
    total = whole[-1][1] if whole else 0.0
    if not total > 0:
        return (None,) * len(studies)
    return tuple(_progress(*one, total) for one in zip(studies, told, values, strict=True))


def _progress(results: StudyResults, told: Sequence[Point], values: Floats, total: float) -> Progress | None:
    counted = np.array([p.status in TRAINED for p in told], dtype=bool)
    if int(np.isfinite(values).all(axis=1).sum()) < 2:
        return None
    steps = [(n, v / total, told[row].trial) for n, v, row in _growth(values, np.cumsum(counted))]
    if steps[-1][0] < int(counted.sum()):
        steps.append((int(counted.sum()), steps[-1][1], told[-1].trial))
    band, random = _band(results, values[counted], total)
    trainings, volumes, trials = zip(*steps, strict=True)
    return Progress(trainings, volumes, trials, band, random)


def is_random(results: StudyResults) -> bool:
    """Say whether all points were drawn at random, by the study's own statement."""
    sampler = (results.document.get("search") or {}).get("sampler") or {}
    return (sampler if isinstance(sampler, str) else sampler.get("name")) == "RandomSampler"


def _compared(studies: Sequence[StudyResults]) -> dict[str, str]:
    """Objective -> what it is compared by, as the front is: a ratio to the reference where all studies have it."""
    names = objectives_of(studies[0])
    columns = {name: {compared_column(part(study.trials, "search"), name) for study in studies} for name in names}
    return {name: found.pop() if len(found) == 1 else name for name, found in columns.items()}


def _values(results: StudyResults, points: Sequence[Point], columns: Mapping[str, str]) -> Floats:
    """Objectives to minimise; a row of NaN for a trial that keeps no budget or has no result."""
    names = objectives_of(results)
    good = [p.kind in ("front", "dominated") for p in points]
    rows = [
        [
            p.values.get(columns[n], math.nan) * (-1.0 if n in results.maximised else 1.0) if kept else math.nan
            for n in names
        ]
        for p, kept in zip(points, good, strict=True)
    ]
    return np.asarray(rows, dtype=float).reshape(len(points), len(names))


def _scaled(several: Sequence[Floats]) -> list[Floats]:
    """Scale all of them together, 0 to 1."""
    everything = np.vstack(several)
    known = everything[np.isfinite(everything).all(axis=1)]
    if not len(known):
        return list(several)
    low, span = known.min(axis=0), np.ptp(known, axis=0)
    return [(values - low) / np.where(span > 0, span, 1.0) for values in several]


def _growth(values: Floats, trainings: npt.NDArray[np.int64]) -> list[tuple[int, float, int]]:
    """(trainings so far, volume, row) whenever the volume grows."""
    front, volume = np.empty((0, values.shape[1])), 0.0
    added = _exact if values.shape[1] <= 2 else _sampled(values.shape[1])
    found: list[tuple[int, float, int]] = []
    for row, one in enumerate(values):
        if np.isnan(one).any() or bool((front <= one).all(axis=1).any()):
            continue
        volume += added(one, front)
        front = np.vstack([front[~(one <= front).all(axis=1)], one])
        found.append((int(trainings[row]), volume, row))
    return found


def _exact(one: Floats, front: Floats) -> float:
    return float(improvement(one[None], front, np.full(len(one), REFERENCE))[0])


def _sampled(objectives: int) -> Callable[[Floats, Floats], float]:
    """Volume that a point adds to those before it, as the share of spread points that it is the first to dominate."""
    left = qmc.Sobol(objectives, scramble=False).random_base2(14) * REFERENCE
    whole = REFERENCE**objectives / len(left)

    def added(one: Floats, front: Floats) -> float:
        nonlocal left
        del front
        beaten = (left >= one).all(axis=1)
        left = left[~beaten]
        return float(beaten.sum()) * whole

    return added


def _band(
    results: StudyResults, values: Floats, total: float
) -> tuple[tuple[tuple[int, float, float, float], ...], int]:
    """Random search from trials that were drawn at random: the same ones in other orders, none of them twice."""
    if not is_random(results) or len(values) < 10:
        return (), 0
    random = np.random.default_rng(0)
    rows = values[:MOST_RANDOM]
    marks = sorted({round(m) for m in np.geomspace(1, len(rows), 30)})
    volumes = np.zeros((ORDERS, len(marks)))
    for order in range(ORDERS):
        grown = _growth(random.permutation(rows), np.arange(1, len(rows) + 1))
        for column, mark in enumerate(marks):
            volumes[order, column] = max((v for n, v, _ in grown if n <= mark), default=0.0) / total
    low, middle, high = np.quantile(volumes, [0.05, 0.5, 0.95], axis=0)
    return tuple(
        (mark, float(a), float(b), float(c)) for mark, a, b, c in zip(marks, low, middle, high, strict=True)
    ), len(rows)
