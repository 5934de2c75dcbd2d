"""How well each zero-cost score ranks the search's trained trials: Kendall's tau with its interval.

Tau-b over the architectures of the search that have a result, in the sense that a higher tau means that a higher score
goes with a better objective. The 95 % interval is that of Fieller, Hartley and Pearson (1957): artanh(tau) is about
normal with variance 0.437 / (n - 4). At tau = ±1 half a step from 1 is taken, so that the interval is not empty.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import kendalltau, norm

from reports.analysis.pareto import compared_column, objectives_of
from reports.analysis.trials import part, usable

if TYPE_CHECKING:
    from studies.frame import StudyResults

FEWEST = 8
"""Fewer trained architectures than this are told without an interval and without a verdict."""

KNOWN = ("parameters", "macs")
"""Objectives that need no training: nothing has to rank them."""


class Tau(NamedTuple):
    """Kendall's tau-b and its 95 % interval; NaN where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranking:
    """What a score is worth for one objective.

    Attributes:
        score: its name.
        objective: a metric.
        tau: positive if a higher score goes with a better value.
        n: trained architectures that have both.
    """

    score: str
    objective: str
    tau: Tau
    n: int

    @property
    def verdict(self) -> str:
        """One plain clause: whether to believe the score in this study."""
        if math.isnan(self.tau.value):
            return "no ranking: nothing varies" if self.n > 1 else "no ranking: too few trained trials"
        if math.isnan(self.tau.low):
            return f"too few trained trials to say ({FEWEST} are needed)"
        if self.tau.low <= 0 <= self.tau.high:
            return "does not rank this study's trials"
        return "higher scores are better" if self.tau.low > 0 else "lower scores are better"


def rankings(results: StudyResults) -> list[Ranking]:
    """Every score of the study against each of its objectives that needs a training; empty without scores."""
    rows = _trained(results)
    found = []
    for column in (str(name) for name in rows.columns if str(name).startswith("score:")):
        for objective in objectives_of(results):
            compared = compared_column(rows, objective)
            if objective in KNOWN or compared not in rows or not rows[column].notna().any():
                continue
            both = rows[rows[column].notna() & rows[compared].notna()]
            better = both[compared].to_numpy(dtype=float) * _sign(objective, results.maximised)
            scores = both[column].to_numpy(dtype=float)
            found.append(Ranking(column.removeprefix("score:"), objective, tau_of(scores, better), len(both)))
    return found


def tau_of(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> Tau:
    """Kendall's tau-b of two rankings; without an interval where there are fewer than `FEWEST` pairs."""
    n = len(first)
    if n < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return Tau(math.nan, math.nan, math.nan)
    tau = float(kendalltau(first, second).statistic)
    if n < FEWEST:
        return Tau(tau, math.nan, math.nan)
    most = 1.0 - 2.0 / (n * (n - 1))
    centre = math.atanh(min(most, max(-most, tau)))
    reach = float(norm.ppf(0.975)) * math.sqrt(0.437 / (n - 4))
    low, high = math.tanh(centre - reach), math.tanh(centre + reach)
    return Tau(tau, min(low, tau), max(high, tau))


def is_prefiltered(results: StudyResults) -> bool:
    """Whether points were refused by a score, so that tau is of those that passed."""
    return bool((results.document.get("search") or {}).get("prefilter"))


def _trained(results: StudyResults) -> pd.DataFrame:
    """The search's trials with a result, each architecture once."""
    return usable(part(results.trials, "search")).drop_duplicates("fingerprint")


def _sign(objective: str, maximised: Collection[str]) -> float:
    return 1.0 if objective in maximised else -1.0
