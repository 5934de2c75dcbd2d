"""An ablation's verdicts, from results.csv alone: python docs/recompute/verdicts.py results.csv [margin of loss]."""

import sys

import numpy as np
import pandas as pd
from effects import effects
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import DescrStatsW

frame, margin = pd.read_csv(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else np.nan
rows = frame[(frame.part == "ablation") & frame.status.isin(["finished", "replayed"])]
own = rows[(rows.variant != "base") & ~rows.design.isin(["factorial", "path"])].drop_duplicates("variant")
loss = rows.pivot_table(index="seed", columns="variant", values="loss", aggfunc="last")
delta = pd.DataFrame({v: loss[v] - loss[r] for v, r in zip(own.variant, own.reference, strict=True)})  # paired by seed
base = pd.Series({v: loss[r][delta[v].notna()].mean() for v, r in zip(own.variant, own.reference, strict=True)})
n, mean, sd = delta.count(), delta.mean(), delta.std(ddof=1)
table = pd.DataFrame({"n": n, "mean": mean, "percent": 100 * mean / base, "sds": mean / sd})
table[["low", "high"]] = np.reshape([DescrStatsW(delta[v].dropna()).tconfint_mean(0.05) for v in delta], (-1, 2))
table["p"] = [DescrStatsW(delta[v].dropna()).ttest_mean(0)[1] for v in delta]
table = pd.concat([table, effects(rows)])  # one family: all variants and all effects of the factorial
table["p_holm"], rank = multipletests(table["p"], method="holm")[1], table["p"].rank(method="first")
step = np.minimum(rank, rank[table["p_holm"] >= 0.05].min() if (table["p_holm"] >= 0.05).any() else len(table))
reach = stats.t.ppf(1 - 0.025 / (len(table) + 1 - step[delta.columns]), n - 1) * sd / np.sqrt(n)
table["low_adjusted"], table["high_adjusted"] = mean - reach, mean + reach
table["p_better"] = ((delta < 0).sum() + 0.5 * (delta == 0).sum()) / n
tost = pd.Series(stats.t.sf((margin - mean.abs()) / (sd / np.sqrt(n)), n - 1), delta.columns)
table["p_equivalence"] = pd.Series(multipletests(tost, method="holm")[1] if len(tost) else [], delta.columns)
table["detectable"] = sd * pd.Series({v: TTestPower().solve_power(None, n[v], 0.05 / len(table), 0.8) for v in delta})
print(table.to_csv(index_label="what"), end="")  # noqa: T201
