"""How much a forest needs each parameter to predict an objective: the second opinion on importances.

A random forest is grown on one random half of the trials and tested on the other, again and again. The importance of a
parameter is how much of the held-out variance the forest loses when the parameter's values are shuffled there (Breiman
2001); interactions count. How well the forest predicts at all stands beside it: a forest that predicts badly says
nothing of importance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from reports.analysis.importance import MIN_TRIALS, distinct, numeric
from reports.analysis.search import natural, value_text
from reports.analysis.trials import parameter_columns

SPLITS = 20
TREES = 16
MOST_TRIALS = 800
"""Of more trials than this a random part is taken: a page must not wait for forests."""

BELIEVED = 0.3
"""A forest that explains less of the held-out variance than this is not believed."""

Floats = npt.NDArray[np.float64]
Inputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Need:
    """How much the forest needs one parameter."""

    parameter: str
    loss: float
    """Mean loss of held-out R² when it is shuffled."""
    low: float
    """2.5 % and 97.5 % over the halves."""
    high: float


@dataclass(frozen=True)
class Surrogate:
    """The forest of one objective."""

    n: int
    """Trials behind it."""
    fit: float
    """Mean held-out R² of the objective's ranks; NaN below `MIN_TRIALS`."""
    fit_low: float
    fit_high: float
    needs: tuple[Need, ...]

    @property
    def believed(self) -> bool:
        """Whether the forest predicts well enough for its importances to mean anything."""
        return self.fit >= BELIEVED


def surrogate(search: pd.DataFrame, objective: str, seed: int = 0) -> Surrogate:
    """Grow forests that predict an objective's ranks from the parameters.

    Args:
        search: rows of the search; each architecture with a result counts once.
        objective: a frame column.
        seed: of the halves, forests and shuffles.
    """
    rows = distinct(search, objective)
    columns = [c for c in parameter_columns(search) if rows[c].nunique(dropna=False) > 1]
    if len(rows) < MIN_TRIALS or not columns:
        return Surrogate(len(rows), math.nan, math.nan, math.nan, ())
    random = np.random.default_rng(seed)
    if len(rows) > MOST_TRIALS:
        rows = rows.iloc[np.sort(random.choice(len(rows), MOST_TRIALS, replace=False))]
    # In the trees' own type, so that none of them looks at it again.
    inputs = np.column_stack([_coded(rows[c].tolist()) for c in columns]).astype(np.float32)
    ranks = np.asarray(stats.rankdata(rows[objective].to_numpy(dtype=float)), dtype=float)
    found = np.array([_split(inputs, ranks, random) for _ in range(SPLITS)])
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    middle = found.mean(axis=0)
    needs = [
        Need(c.removeprefix("param:"), float(middle[i]), float(low[i]), float(high[i]))
        for i, c in enumerate(columns, 1)
    ]
    return Surrogate(len(rows), float(middle[0]), float(low[0]), float(high[0]), tuple(needs))


def _split(inputs: Inputs, target: Floats, random: np.random.Generator) -> list[float]:
    """Held-out R² of one split, and how much of it each input's shuffling costs."""
    order = random.permutation(len(target))
    grown, tested = order[: len(order) // 2], order[len(order) // 2 :]
    forest = _forest(inputs[grown], target[grown], random)
    # All shuffled copies are predicted together: one call costs little more than one copy.
    copies = np.repeat(inputs[None, tested], inputs.shape[1] + 1, axis=0)
    for column in range(inputs.shape[1]):
        copies[column + 1, :, column] = random.permutation(copies[column + 1, :, column])
    flat = copies.reshape(-1, inputs.shape[1])
    predicted = np.mean([tree.predict(flat, check_input=False) for tree in forest], axis=0).reshape(len(copies), -1)
    spread = float(((target[tested] - target[tested].mean()) ** 2).sum()) or 1.0
    fits = 1 - ((predicted - target[tested]) ** 2).sum(axis=1) / spread
    return [float(fits[0]), *(float(fits[0] - f) for f in fits[1:])]


def _forest(inputs: Inputs, target: Floats, random: np.random.Generator) -> list[Any]:
    """Trees, each grown on its own draw of the trials with a third of the inputs looked at in each split.

    The library's own forest spends most of its time on managing its trees when they are as small as here.
    """
    # Late: the library takes a second to load, which a page without a search need not wait for.
    from sklearn.tree import DecisionTreeRegressor

    trees = []
    for _ in range(TREES):
        drawn = random.integers(0, len(target), len(target))
        tree = DecisionTreeRegressor(min_samples_leaf=2, max_features=1 / 3, random_state=int(random.integers(2**31)))
        trees.append(tree.fit(inputs[drawn], target[drawn], check_input=False))
    return trees


def _coded(values: list[Any]) -> Floats:
    """A parameter as numbers: its own, or a word's place in natural order; below all of them where it is absent."""
    known = [v for v in values if not pd.isna(v)]
    if numeric(known):
        numbers = [float(str(v)) for v in known]
        below = min(numbers) - (max(numbers) - min(numbers) or 1.0)
        return np.array([below if pd.isna(v) else float(str(v)) for v in values])
    place = {level: i for i, level in enumerate(sorted({value_text(v) for v in known}, key=natural))}
    return np.array([-1.0 if pd.isna(v) else float(place[value_text(v)]) for v in values])
