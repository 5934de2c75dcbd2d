"""Results of a few rows and nothing else, by hand; quicker than `synthetic_study` where no architecture is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from reports.metrics import METRICS
from studies.frame import StudyResults

NAN = float("nan")


def bare_study(trials: pd.DataFrame, **changes: Any) -> StudyResults:
    """A study of these trials; the base is the architecture `base`."""
    plain: dict[str, Any] = {
        "name": "small", "question": None, "folder": Path("runs/small"), "source": "", "document": {}, "trials": trials,
        "curves": {}, "loss_bins": {}, "architectures": {}, "base": "base", "objectives": (), "budgets": {},
        "environment": [], "protocol_hash": "", "data": {}, "warnings": (),
    }  # fmt: skip
    return StudyResults(**plain | changes)


def searched(loss: Sequence[float], **columns: Sequence[Any]) -> pd.DataFrame:
    """Trials of a search, numbered from 0, each an architecture of its own: finished and within the budgets."""
    number = len(loss)
    rows: dict[str, Any] = {
        "part": "search", "trial": range(number), "variant": None, "seed": 0, "status": "finished", "reason": None,
        "replay_of": None, "feasible": True, "fingerprint": [f"a{i}" for i in range(number)], "device": "cpu",
        "wall": 1.0, "started": "", "edits": "", **dict.fromkeys(METRICS, NAN), "latency_ratio": NAN, "loss": loss,
    }  # fmt: skip
    return pd.DataFrame({**rows, **columns}, index=range(number))


def plain(text: object) -> str:
    """A sentence with common spaces, as it is read."""
    return str(text).replace("\N{NARROW NO-BREAK SPACE}", " ").replace("\N{NO-BREAK SPACE}", " ")
