"""Means of a factorial's cells, for plots of how one factor's effect depends on another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy import stats

from reports.analysis.factorial import PREFIX, trainings_of

if TYPE_CHECKING:
    import pandas as pd

_LEVEL = 0.95


@dataclass(frozen=True)
class Cells:
    """The trainings of a factorial.

    Attributes:
        rows: one a training, with a column a factor and one of the metric.
        factors: their names.
        metric: the column.
    """

    rows: pd.DataFrame
    factors: tuple[str, ...]
    metric: str

    def lines(self, one: str, other: str) -> dict[str, list[tuple[str, float, float]]]:
        """Level of `other` -> (level of `one`, mean, half of its 95 % t interval), averaged over further factors.

        The interval is of the trainings' spread, seeds included; comparisons within seeds are sharper than it looks.
        """
        found: dict[str, list[tuple[str, float, float]]] = {}
        for (level, at), rows in self.rows.groupby([PREFIX + other, PREFIX + one], sort=False):
            values = rows[self.metric].astype(float)
            n = len(values)
            half = float(stats.t.ppf(0.5 + _LEVEL / 2, n - 1) * values.std(ddof=1) / math.sqrt(n)) if n > 1 else 0.0
            found.setdefault(str(level), []).append((str(at), float(values.mean()), half))
        order = [str(level) for level in dict.fromkeys(self.rows[PREFIX + one])]
        return {level: sorted(line, key=lambda cell: order.index(cell[0])) for level, line in found.items()}


def cells_of(trials: pd.DataFrame, metric: str) -> Cells:
    """The cells of the study's factorial; the base among them where it is one."""
    rows, factors = trainings_of(trials, metric)
    return Cells(rows, tuple(name.removeprefix(PREFIX) for name in factors), metric)
