"""Main effects and interactions of a factorial, by least squares with the seeds as blocks."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
import statsmodels.api as sm

from reports.analysis.samples import BASE
from reports.analysis.statistics import ALPHA
from reports.analysis.trials import part, usable

PREFIX = "factor:"


@dataclass(frozen=True)
class Term:
    """One effect: how the metric changes from a factor's base level to the other, averaged over the other factors.

    An interaction of two factors is half the difference of one's effect between the levels of the other.
    """

    name: str
    factors: tuple[str, ...]
    estimate: float
    low: float
    high: float
    p: float
    df: float
    aliases: tuple[str, ...] = ()
    """Other effects of up to two factors that the runs cannot tell from this one."""


def terms_of(trials: pd.DataFrame, metric: str) -> tuple[Term, ...]:
    """Estimate the main effects and two-factor interactions of the study's factorial; empty without one.

    Ordinary least squares (statsmodels) on one row a training: an intercept, a block a seed, and one column an effect;
    factors of two levels are coded ±1/2, so that a coefficient is an effect, others as contrasts of each level to the
    base's. Effects that the runs cannot tell apart are estimated together, under the name of the simplest. Empty too
    where fewer than two seeds leave nothing to judge the error by.
    """
    rows, factors = trainings_of(trials, metric)
    if len(factors) < 2 or rows["seed"].nunique() < 2:
        return ()
    columns = _columns(rows, factors)
    blocks = pd.get_dummies(rows["seed"].astype(int), prefix="seed", dtype=float)
    kept, aliases = _distinct(columns)
    design = pd.concat([blocks, pd.DataFrame({name: columns[name] for name in kept}, index=rows.index)], axis=1)
    if np.linalg.matrix_rank(design.to_numpy()) < design.shape[1] or len(design) <= design.shape[1]:
        return ()
    fit = sm.OLS(rows[metric].astype(float), design).fit()
    ends = fit.conf_int(ALPHA)
    return tuple(
        Term(
            name=name, factors=tuple(name.split(" x ")), estimate=float(fit.params[name]),
            low=float(ends.loc[name, 0]), high=float(ends.loc[name, 1]), p=float(fit.pvalues[name]),
            df=float(fit.df_resid), aliases=tuple(aliases[name]),
        )
        for name in kept
    )  # fmt: skip


def trainings_of(trials: pd.DataFrame, metric: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The trainings of the factorial's cells that have the metric, the base among them where it is a cell; its factors.

    Factors are columns of the rows, `factor:NAME`; none without a factorial.
    """
    rows = usable(part(trials, "ablation"))
    if "design" not in rows.columns or metric not in rows.columns:
        return rows.iloc[:0], ()
    cells = rows[(rows["design"] == "factorial") | (rows["variant"] == BASE)]
    own = cells[cells["design"] == "factorial"]
    factors = tuple(str(c) for c in rows.columns if str(c).startswith(PREFIX) and own[c].notna().any())
    return (cells[cells[[metric, *factors]].notna().all(axis=1)] if factors else cells.iloc[:0]), factors


def _columns(rows: pd.DataFrame, factors: Sequence[str]) -> dict[str, np.ndarray]:
    """Name of an effect -> its column, main effects first."""
    main: dict[str, dict[str, np.ndarray]] = {}
    for factor in factors:
        levels = [level for level in dict.fromkeys(rows[factor].astype(str)) if level != BASE]
        own = factor.removeprefix(PREFIX)
        centred = {level: (rows[factor].astype(str) == level).to_numpy(float) - 1 / (len(levels) + 1)
                   for level in levels}  # fmt: skip
        main[own] = {own if len(levels) == 1 else f"{own}={level}": column for level, column in centred.items()}
    found = {name: column for group in main.values() for name, column in group.items()}
    for one, other in combinations(main.values(), 2):
        for name, column in one.items():
            for second, factor_column in other.items():
                found[f"{name} x {second}"] = 2 * column * factor_column
    return found


def _distinct(columns: dict[str, np.ndarray]) -> tuple[list[str], dict[str, list[str]]]:
    """The effects that are estimated, and for each those that are proportional to it."""
    kept: list[str] = []
    aliases: dict[str, list[str]] = {}
    for name, column in columns.items():
        same = next((other for other in kept if _proportional(columns[other], column)), None)
        if same is not None:
            aliases[same].append(name)
        elif np.ptp(column) > 0:
            kept.append(name)
            aliases[name] = []
    return kept, aliases


def _proportional(one: np.ndarray, other: np.ndarray) -> bool:
    a, b = one - one.mean(), other - other.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return size > 0 and abs(abs(float(a @ b)) / size - 1) < 1e-9


def words_of(term: Term) -> str:
    """An effect's name with what it cannot be told from."""
    return re.sub(r"\s+", " ", " = ".join([term.name, *term.aliases]))
