"""Costs of an ablation's variants in per cent, from results.csv alone: python docs/recompute/costs.py results.csv."""

import sys

import numpy as np
import pandas as pd

frame = pd.read_csv(sys.argv[1])
rows = frame[(frame.part == "ablation") & frame.status.isin(["finished", "replayed"])]
own = rows[(rows.variant != "base") & ~rows.design.isin(["factorial", "path"])].drop_duplicates("variant")
table = pd.DataFrame(index=own.variant)
for cost in ("latency", "train_latency", "memory", "train_memory", "parameters", "macs"):
    if cost in rows and rows[cost].notna().any():
        ratio = f"{cost}_ratio" in rows and rows[f"{cost}_ratio"].notna().all()  # of a time to the reference network's
        wide = rows.pivot_table(
            index="seed", columns="variant", values=f"{cost}_ratio" if ratio else cost, aggfunc="last"
        )
        for variant, reference in zip(own.variant, own.reference, strict=True):
            both = wide[[variant, reference]].dropna()
            a, b = both[variant], both[reference]
            change = np.exp(np.log(a / b).mean()) - 1 if ratio else (a - b).mean() / b.mean()
            table.loc[variant, f"{cost}_percent"] = 100 * change
print(table.to_csv(index_label="what"), end="")  # noqa: T201
