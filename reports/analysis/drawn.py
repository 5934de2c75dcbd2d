"""Sampled images of base, variants and best trial, and their distances, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.analysis.ablation import BASE
from reports.analysis.answer import best_trial
from reports.analysis.trials import part, replayed_trial, usable

if TYPE_CHECKING:
    import pandas as pd

    from studies.frame import StudyResults

MOST = 8
"""Trials shown: each takes the size of its picture."""


@dataclass(frozen=True)
class Drawn:
    """The samples of one trial.

    Attributes:
        label: what it is called.
        seed: its training seed.
        detail: see `studies.training.sampling.judge.Judged`.
        grid: its picture; None if it is not there.
    """

    label: str
    seed: int
    detail: dict[str, Any]
    grid: Path | None


def drawn(results: StudyResults) -> list[Drawn]:
    """Return the base first, then the best of the search, then the ablation's variants, one seed each.

    All start from the same noise; variants are shown with the first seed that has samples.
    """
    found: dict[str, Drawn] = {}
    for label, row in _chosen(results):
        key = (str(row["part"]), int(row["trial"]))
        detail = results.samples.get(key) or results.samples.get(replayed_trial(row) or key)
        if detail and label not in found:
            found[label] = Drawn(label, int(row["seed"]), detail, results.files.get(key, {}).get("samples.png"))
    return list(found.values())[:MOST]


def _chosen(results: StudyResults) -> Iterator[tuple[str, pd.Series]]:
    ablation, search = (usable(part(results.trials, name)) for name in ("ablation", "search"))
    for _, row in ablation[ablation["variant"] == BASE].sort_values("seed").iterrows():
        yield BASE, row
    for _, row in search[search["fingerprint"] == results.base].iterrows():
        yield BASE, row
    best = best_trial(results) if len(search) else None
    if best is not None and best["fingerprint"] != results.base:
        yield f"best of the search (trial {best['trial']})", best
    for _, row in ablation[ablation["variant"] != BASE].sort_values("seed", kind="stable").iterrows():
        yield str(row["variant"]), row
