"""A made-up study of any size: conditional parameters, three objectives, budgets, trials that failed, curves.

Nearly every trial has an architecture of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from benchmarks.dashboard.architectures import Architectures
from studies.frame import StudyResults
from tests.reports.synthetic_study import COLUMNS, make_study

PARAMETERS: dict[str, tuple[Any, ...]] = {
    "ch": (32, 48, 64, 96, 128),
    "ch_mult": ("1,1", "1,2", "1,2,2", "1,2,4", "2,2"),
    "num_res_blocks": (1, 2, 3, 4),
    "attn_resolutions": ("none", "4", "8,4"),
    "attn_type": ("vanilla", "linear"),
    "heads": (1, 2, 4, 8),
    "skip": ("concat", "add", "none"),
    "mid_attn": (True, False),
    "norm": ("group", "layer"),
    "act": ("silu", "gelu", "relu"),
    "groups": (4, 8, 16, 32),
}
"""Those with given values; four more are numbers from a range."""

RANGES = ("dropout", "emb_ratio", "skip_scale", "width")


def large_study(trials: int, seed: int = 0) -> StudyResults:
    """A search of so many trials, 15 parameters each; about 4 % refused, 3 % failed, 15 % pruned."""
    random = np.random.default_rng(seed)
    study = make_study(seeds=0, trials=3, objectives=("loss", "latency", "memory"))
    frame: dict[str, Any] = {name: [None] * trials for name in COLUMNS}
    chosen = {name: random.integers(0, len(values), trials) for name, values in PARAMETERS.items()}
    numbers = {name: random.random(trials) for name in RANGES}
    ended = random.choice(["finished", "refused", "failed", "pruned"], trials, p=[0.78, 0.04, 0.03, 0.15])
    done = ended == "finished"
    size = np.exp(0.5 * chosen["ch"] + 0.3 * chosen["num_res_blocks"] + random.normal(0, 0.1, trials))
    loss = 0.3 / (1 + size) ** 0.2 + 0.01 * chosen["skip"] + 0.02 * numbers["dropout"] + random.normal(0, 0.003, trials)
    costs = {"latency": 2e-3 * size, "memory": 5e7 * size, "parameters": 1e6 * size, "macs": 1e8 * size}
    frame |= {name: np.where(done, cost * random.normal(1, 0.02, trials), np.nan) for name, cost in costs.items()}
    frame |= {
        "loss": np.where(done, loss, np.nan),
        "part": "search",
        "trial": np.arange(trials),
        "seed": 0,
        "status": ended,
        "reason": [None if s == "finished" else f"{s}: what happened is said here in a sentence" for s in ended],
        "feasible": done & (costs["latency"] < 2e-2),
        "fingerprint": [f"{i:016x}{i * 7919:024x}" for i in range(trials)],
        "wall": random.normal(60, 5, trials),
        "started": "2026-11-03T10:00:00+00:00",
        "device": "cpu",
        "edits": [f"ch to {PARAMETERS['ch'][c]}; unet parameters" for c in chosen["ch"]],
    }
    table = pd.DataFrame(frame)
    for name, values in PARAMETERS.items():
        table[f"param:{name}"] = [values[i] for i in chosen[name]]
    # Heads exist only where there is attention.
    table["param:heads"] = table["param:heads"].where(table["param:attn_resolutions"] != "none")
    for name in RANGES:
        table[f"param:{name}"] = numbers[name]
    made = Architectures()
    settings = [{name: values[chosen[name][i]] for name, values in PARAMETERS.items()} for i in range(trials)]
    steps = range(0, 1000, 10)
    decay = np.exp(-np.arange(100) / 20)
    curves = {
        ("search", i): list(zip(steps, (loss[i] + decay + random.normal(0, 0.02, 100)).tolist(), strict=True))
        for i in range(trials)
        if ended[i] in ("finished", "pruned")
    }
    return StudyResults(
        **{
            **vars(study),
            "trials": table,
            "curves": curves,
            "loss_bins": {},
            "budgets": {"latency": 2e-2},
            "architectures": {f: made.document(given) for f, given in zip(table["fingerprint"], settings, strict=True)},
            "base": table["fingerprint"].iloc[0],
        }
    )
