"""Effects of a factorial's two-level factors, from results.csv alone: python docs/recompute/effects.py results.csv."""

import sys
from itertools import combinations

import numpy as np
import pandas as pd
import statsmodels.api as sm


def effects(rows: pd.DataFrame) -> pd.DataFrame:
    """Least squares with seeds as blocks, factors at ±1/2, interactions of two; effects that are aliased stand once."""
    factors = [c for c in rows if c.startswith("factor:") and c not in ("factor:step", "factor:number")]
    if not (rows.design == "factorial").any():
        return pd.DataFrame(columns=["mean", "low", "high", "p"])
    cells = rows[(rows.design == "factorial") | (rows.variant == "base")].dropna(subset=[*factors, "loss"])
    x = (cells[factors] != "base") - 0.5
    x = x.join(pd.DataFrame({f"{a} x {b}": 2 * x[a] * x[b] for a, b in combinations(factors, 2)}, index=x.index))
    aliased = (x.T * np.sign(x.T.iloc[:, [0]].to_numpy())).duplicated() | x.T.eq(0).all(axis=1)
    x = x.T[~aliased].T
    fit = sm.OLS(cells.loss, x.join(pd.get_dummies(cells.seed, dtype=float).add_prefix("seed "))).fit()
    low, high = fit.conf_int()[0], fit.conf_int()[1]
    return pd.DataFrame({"mean": fit.params, "low": low, "high": high, "p": fit.pvalues}).loc[x.columns]


if __name__ == "__main__":
    frame = pd.read_csv(sys.argv[1])
    done = frame[(frame.part == "ablation") & frame.status.isin(["finished", "replayed"])]
    print(effects(done).to_csv(index_label="what"), end="")  # noqa: T201
