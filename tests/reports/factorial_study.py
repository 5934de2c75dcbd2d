"""A made-up study with a factorial of two factors, beside `synthetic_study`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from studies.frame import StudyResults
from tests.reports.synthetic_study import make_study

EFFECTS = {("base", "base"): 0.0, ("add", "base"): 0.004, ("base", "none"): 0.010, ("add", "none"): 0.006}
"""(level of `skip`, level of `attn`) -> difference in loss to the base."""


def factorial_study(seeds: int = 6) -> StudyResults:
    """Every cell with every seed."""
    study = make_study(seeds=seeds, trials=0)
    template = study.trials[study.trials["variant"] == "base"]
    noise = np.random.default_rng(5)
    cells = []
    for (skip, attn), effect in EFFECTS.items():
        name = "base" if (skip, attn) == ("base", "base") else f"skip-{skip} attn-{attn}"
        rows = template.assign(**{"variant": name, "factor:skip": skip, "factor:attn": attn, "reference": "base"})
        rows = rows.assign(design="variants" if name == "base" else "factorial", loss=rows["loss"] + effect)
        cells.append(rows.assign(loss=rows["loss"] + noise.normal(0, 0.0006, len(rows))))
    trials = pd.concat(cells, ignore_index=True)
    trials["trial"] = range(len(trials))
    return replace(study, trials=trials, curves={}, loss_bins={})
