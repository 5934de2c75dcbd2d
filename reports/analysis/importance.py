"""How much each parameter of a search says about an objective, by itself.

The share is the adjusted correlation ratio ε² of the objective's ranks over the parameter's values (Kelley 1935): 0
where the values' groups differ no more than by chance, 1 where the value alone tells the rank. Ranks, because
one huge point must not decide. Beside it stands what chance alone reaches, from shuffles. Interactions are not seen; a
tree-based method may disagree, and at a few dozen trials all of them are unreliable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Importance:
    """What one parameter says about one objective."""

    parameter: str
    n: int
    """Architectures in which the parameter exists."""
    share: float
    """Share of the variance of the objective's ranks, 0 to 1; NaN if the parameter never varied."""
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
    rows = usable(search)
    rows = rows[rows[objective].notna()] if objective in rows.columns else rows.iloc[:0]
    rows = rows.drop_duplicates("fingerprint")
    n = len(rows)
    if n < MIN_TRIALS:
        return Importances(objective, n, ())
    found = [_importance(rows, column, objective, seed) for column in parameter_columns(search)]
    return Importances(objective, n, tuple(sorted(found, key=lambda i: -i.share if i.share == i.share else 1.0)))


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


def _importance(rows: pd.DataFrame, column: str, objective: str, seed: int) -> Importance:
    present = rows[rows[column].notna()]
    name, n = column.removeprefix("param:"), len(present)
    values = present[column].tolist()
    groups = _groups(values)
    if n < MIN_TRIALS or int(groups.max(initial=0)) < 1:
        return Importance(name, n, math.nan, math.nan, math.nan)
    ranks = np.asarray(stats.rankdata(present[objective].to_numpy(dtype=float)), dtype=float)
    shuffler = np.random.default_rng(seed)
    shuffled = [adjusted_ratio(shuffler.permutation(ranks), groups) for _ in range(SHUFFLES)]
    trend = float(stats.spearmanr(values, ranks).statistic) if _numeric(values) and len(set(ranks)) > 1 else math.nan
    return Importance(name, n, adjusted_ratio(ranks, groups), float(np.quantile(shuffled, 0.95)), trend)


def _numeric(values: Sequence[object]) -> bool:
    return all(isinstance(v, (int, float, np.integer, np.floating)) and not isinstance(v, bool) for v in values)


def _groups(values: Sequence[object]) -> npt.NDArray[np.intp]:
    """Number the groups: one per value, or quarters of a numeric parameter with many values."""
    if _numeric(values) and len(set(values)) > MAX_LEVELS:
        numbers = np.asarray(values, dtype=float)
        edges = np.unique(np.quantile(numbers, [0.25, 0.5, 0.75]))
        coarse = np.searchsorted(edges, numbers, side="right")
        return np.unique(coarse, return_inverse=True)[1].astype(np.intp)
    keys = [str(v) for v in values]
    return np.unique(keys, return_inverse=True)[1].astype(np.intp)
