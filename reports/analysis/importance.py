"""How much each parameter of a search says about an objective, by itself.

The share is the adjusted correlation ratio ε² of the objective's ranks over the parameter's values (Kelley 1935): 0
where the values' groups differ no more than by chance, 1 where the value alone tells the rank. Ranks, because
one huge point must not decide. Beside it stands what chance alone reaches, from shuffles, and an interval: where the
share falls in random halves of the trials, which scatter about as much as the whole does around the truth (delete-half
jackknife). Interactions are not seen; `analysis.surrogate` sees them and may disagree, and at a few dozen trials both
are unreliable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from reports.analysis.trials import parameter_columns, usable

MIN_TRIALS = 10
"""Fewer architectures than this say nothing of importances."""

RELIABLE_TRIALS = 50
"""Below this the importances are shown with a warning."""

MAX_LEVELS = 6
"""A numeric parameter with more values than this is cut into quarters."""

SHUFFLES = 400
HALVES = 200
"""Random halves behind an interval."""

FULL_EFFORT = 1_000
"""Beyond so many trials there are fewer shuffles and halves, down to 50: they scatter less there, and cost more."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """What one parameter says about one objective."""

    parameter: str
    n: int
    """Architectures in which the parameter exists."""
    share: float
    """Share of the variance of the objective's ranks, 0 to 1; NaN if the parameter never varied."""
    low: float
    """2.5 % and 97.5 % of random halves of the trials; NaN if the parameter never varied."""
    high: float
    chance: float
    """95 % of shuffles stay below this share."""
    trend: float
    """Spearman's rank correlation for numeric parameters (positive: larger is worse); NaN for others."""


@dataclass(frozen=True)
class Importances:
    """The parameters of a search for one objective, most important first."""

    objective: str
    n: int
    rows: tuple[Importance, ...]
    """Empty below `MIN_TRIALS`."""

    @property
    def enough(self) -> bool:
        """Whether there are enough trials to show anything."""
        return self.n >= MIN_TRIALS

    @property
    def caution(self) -> str:
        """What a reader must know before using these numbers."""
        if not self.enough:
            return f"too few trials for importances (n={self.n}; {MIN_TRIALS} needed)"
        if self.n < RELIABLE_TRIALS:
            return f"unreliable: {self.n} trials; methods disagree widely below {RELIABLE_TRIALS}"
        return f"from {self.n} trials"


def importances(search: pd.DataFrame, objective: str, seed: int = 0) -> Importances:
    """Estimate the importance of every parameter for one objective.

    Args:
        search: rows of the search; each architecture with a result counts once, however often it was replayed.
        objective: a frame column.
        seed: of the shuffles, so that a page written twice says the same.
    """
    rows = distinct(search, objective)
    n = len(rows)
    if n < MIN_TRIALS:
        return Importances(objective, n, ())
    drawn: dict[bytes, _Draws] = {}
    found = [
        _importance(rows, column, _Draws.of(rows, column, objective, seed, drawn))
        for column in parameter_columns(search)
    ]
    return Importances(objective, n, tuple(sorted(found, key=lambda i: -i.share if i.share == i.share else 1.0)))


def distinct(search: pd.DataFrame, objective: str) -> pd.DataFrame:
    """The rows with a value of the objective, each architecture once."""
    rows = usable(search)
    rows = rows[rows[objective].notna()] if objective in rows.columns else rows.iloc[:0]
    return rows.drop_duplicates("fingerprint")


def adjusted_ratio(ranks: Floats, groups: npt.NDArray[np.intp]) -> float:
    """Return ε², the correlation ratio less what chance gives, floored at 0.

    Args:
        ranks: the objective's ranks, shape (n,).
        groups: the group of each, 0 … k - 1, shape (n,).
    """
    n, k = len(ranks), int(groups.max()) + 1
    total = float(((ranks - ranks.mean()) ** 2).sum())
    if k < 2 or n <= k or total == 0:
        return math.nan
    sizes = np.bincount(groups, minlength=k)
    means = np.bincount(groups, weights=ranks, minlength=k) / sizes
    between = float((sizes * (means - ranks.mean()) ** 2).sum())
    within = (total - between) / (n - k)
    return max(0.0, (between - (k - 1) * within) / total)


@dataclass(frozen=True)
class _Draws:
    """Shuffles and random halves of the trials in which a parameter exists; the same for all that exist in the same."""

    ranks: Floats
    seed: int

    @classmethod
    def of(cls, rows: pd.DataFrame, column: str, objective: str, seed: int, known: dict[bytes, _Draws]) -> _Draws:
        """Those of one parameter, from the known ones if another exists in the same trials."""
        there = rows[column].notna().to_numpy()
        key = there.tobytes()
        if key not in known:
            ranks = np.asarray(stats.rankdata(rows[objective].to_numpy(dtype=float)[there]), dtype=float)
            known[key] = cls(ranks, seed)
        return known[key]

    @cached_property
    def both(self) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Shuffled ranks, shape (shuffles, n), and which trials each half has, shape (halves, n)."""
        n = len(self.ranks)
        random = np.random.default_rng(self.seed)
        effort = min(1.0, FULL_EFFORT / n)
        shuffles = max(50, round(SHUFFLES * effort))
        shuffled = random.permuted(np.broadcast_to(self.ranks, (shuffles, n)), axis=1)
        return shuffled, _halves(n, max(50, round(HALVES * effort)), random)


def _importance(rows: pd.DataFrame, column: str, draws: _Draws) -> Importance:
    present = rows[rows[column].notna()]
    name, n = column.removeprefix("param:"), len(present)
    values = present[column].tolist()
    groups = groups_of(values)
    if n < MIN_TRIALS or int(groups.max(initial=0)) < 1:
        return Importance(name, n, *[math.nan] * 5)
    ranks, (shuffled, halves) = draws.ranks, draws.both
    chance = np.quantile(_ratios(shuffled, np.ones(shuffled.shape, dtype=bool), groups), 0.95)
    low, high = np.quantile(_ratios(ranks[None], halves, groups), [0.025, 0.975])
    trend = float(stats.spearmanr(values, ranks).statistic) if numeric(values) and len(set(ranks)) > 1 else math.nan
    return Importance(name, n, adjusted_ratio(ranks, groups), float(low), float(high), float(chance), trend)


def _halves(n: int, rows: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Mark a random half of n in each row."""
    return random.permuted(np.broadcast_to(np.arange(n) < (n + 1) // 2, (rows, n)), axis=1)


def _ratios(ranks: Floats, kept: npt.NDArray[np.bool_], groups: npt.NDArray[np.intp]) -> Floats:
    """`adjusted_ratio` for many subsets or orders at once; 0 where it says nothing.

    Args:
        ranks: shape (rows, n) or (1, n).
        kept: which trials count in each row, shape (rows, n).
        groups: shape (n,).
    """
    # Group by group, added up side by side: a product of matrices would wake threads for as little as this.
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    centred = (ranks - ranks.mean())[:, order]
    kept = kept[:, order]
    sizes = np.add.reduceat(kept, starts, axis=1, dtype=float)
    counted = np.maximum(sizes, 1)
    sums = np.add.reduceat(kept * centred, starts, axis=1)
    n, k = kept.sum(axis=1), (sizes > 0).sum(axis=1)
    between = (sums**2 / counted).sum(axis=1) - sums.sum(axis=1) ** 2 / n
    total = (kept * centred**2).sum(axis=1) - sums.sum(axis=1) ** 2 / n
    within = (total - between) / np.maximum(n - k, 1)
    found: Floats = np.clip((between - (k - 1) * within) / np.where(total > 0, total, np.inf), 0.0, None)
    return found


def numeric(values: Sequence[object]) -> bool:
    """Say whether a parameter is a number wherever it exists."""
    kinds = {type(v) for v in values}
    return all(issubclass(k, (int, float, np.integer, np.floating)) and not issubclass(k, bool) for k in kinds)


def groups_of(values: Sequence[object]) -> npt.NDArray[np.intp]:
    """Number the groups: one per value, or quarters of a numeric parameter with many values."""
    if numeric(values) and len(set(values)) > MAX_LEVELS:
        numbers = np.asarray(values, dtype=float)
        edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75]))
        coarse = np.searchsorted(edges, numbers, side="right")
        return np.unique(coarse, return_inverse=True)[1].astype(np.intp)
    keys = [str(v) for v in values]
    return np.unique(keys, return_inverse=True)[1].astype(np.intp)
