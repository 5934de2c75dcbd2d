"""Every number of an ablation's verdicts, from results.csv alone.

python docs/recompute.py runs/NAME/results.csv [margin of the loss]
"""

import sys
from itertools import combinations

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

frame, margin = pd.read_csv(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else np.nan
rows = frame[(frame.part == "ablation") & frame.status.isin(["finished", "replayed"])]
own = rows[(rows.variant != "base") & ~rows.design.isin(["factorial", "path"])].drop_duplicates("variant")
pairs = list(zip(own.variant, own.reference, strict=True))
wide = {c: rows.pivot_table(index="seed", columns="variant", values=c, aggfunc="last") for c in frame if c != "seed" and
        pd.api.types.is_numeric_dtype(frame[c]) and rows[c].notna().any()}  # fmt: skip

# Effects of a factorial of two-level factors: least squares, seeds as blocks; aliased effects once.
factors = [c for c in frame if c.startswith("factor:") and c not in ("factor:step", "factor:number")]
cells = rows[(rows.design == "factorial") | (rows.variant == "base")].dropna(subset=[*factors, "loss"])
x = (cells[factors] != "base") - 0.5
x = x.join(pd.DataFrame({f"{a} x {b}": 2 * x[a] * x[b] for a, b in combinations(factors, 2)}, index=x.index))
x = x.T[~x.T.abs().eq(0).all(axis=1) & ~(x.T * np.sign(x.T.iloc[:, [0]].to_numpy())).duplicated()].T if factors else x
fit = sm.OLS(cells.loss, x.join(pd.get_dummies(cells.seed, dtype=float).add_prefix("seed "))).fit() if factors else None
effects = pd.DataFrame({"mean": fit.params, "low": fit.conf_int()[0], "high": fit.conf_int()[1], "p": fit.pvalues}
                       ).loc[x.columns] if factors else pd.DataFrame(columns=["mean", "low", "high", "p"])  # fmt: skip

# Variants, paired by seed; Holm over all of them and the effects.
delta = pd.DataFrame({v: wide["loss"][v] - wide["loss"][r] for v, r in pairs})
n, mean, sd = delta.count(), delta.mean(), delta.std(ddof=1)
base = pd.Series({v: wide["loss"][r][delta[v].notna()].mean() for v, r in pairs})
table = pd.DataFrame({"n": n, "mean": mean, "percent": 100 * mean / base, "sds": mean / sd})
table["low"], table["high"] = zip(*(DescrStatsW(delta[v].dropna()).tconfint_mean(0.05) for v in delta), strict=True)
table["p"] = [DescrStatsW(delta[v].dropna()).ttest_mean(0)[1] for v in delta]
table = pd.concat([table, effects])
m = len(table)
table["p_holm"] = multipletests(table["p"], method="holm")[1]
rank, kept = table["p"].rank(method="first"), table["p_holm"] >= 0.05
level = (0.05 / (m + 1 - np.minimum(rank, rank[kept].min() if kept.any() else m)))[delta.columns]
reach = stats.t.ppf(1 - level / 2, n - 1) * sd / np.sqrt(n)
table["low_adjusted"], table["high_adjusted"] = mean - reach, mean + reach
table["p_better"] = ((delta < 0).sum() + 0.5 * (delta == 0).sum()) / n
tost = pd.Series(stats.t.sf((margin - mean.abs()) / (sd / np.sqrt(n)), n - 1), delta.columns)
table["p_equivalence"] = pd.Series(multipletests(tost, method="holm")[1], delta.columns)
table["detectable"] = pd.Series({v: sd[v] * TTestPower().solve_power(None, n[v], 0.05 / m, 0.8) for v in delta})

# Costs in per cent: times by their ratio to the reference network, the rest by their means.
for c in ("latency", "train_latency", "memory", "train_memory", "parameters", "macs"):
    ratio = c in wide and f"{c}_ratio" in wide and wide[f"{c}_ratio"].notna().all(axis=None)
    for v, r in pairs if c in wide else ():
        a, b = (wide[f"{c}_ratio" if ratio else c][name] for name in (v, r))
        a, b = a[a.notna() & b.notna()], b[a.notna() & b.notna()]
        table.loc[v, f"{c}_percent"] = 100 * (np.exp(np.log(a / b).mean()) - 1 if ratio else (a - b).mean() / b.mean())
print(table.to_csv(index_label="what"), end="")  # noqa: T201
