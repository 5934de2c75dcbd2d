"""Whether trainings were still getting better when they ended: verdicts of such are about an early stage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from reports.analysis.sentences import Sentence
from reports.analysis.trials import usable
from reports.metrics import NARROW

if TYPE_CHECKING:
    from studies.frame import StudyResults

FALL = 0.9
"""Mean loss of a training's last part against the part before: below this it was still falling."""

_MANY = 120
"""Steps of training from which a quarter is long enough to average the noise of single batches; below, a third."""

_FEWEST = 6
"""Points of a curve below which nothing is said."""

_ENOUGH = 400
"""Trainings that give the median; of more, so many are taken evenly, which saves time."""


def last_fall(curve: Sequence[tuple[float, float]]) -> float | None:
    """Mean training loss of the last part of a curve over that of the part before; None where it is too short.

    A part is a quarter of the curve, or a third of one of fewer than 120 steps: single batches differ by more than the
    loss falls in a few of them, and trials of one seed share their batches, so more trials do not average that.
    """
    values = np.asarray([loss for _, loss in curve], dtype=float)
    if len(values) < _FEWEST or not np.isfinite(values).all():
        return None
    width = len(values) // (4 if curve[-1][0] >= _MANY else 3)
    before = float(values[-2 * width : -width].mean())
    return float(values[-width:].mean()) / before if before > 0 else None


def unfinished_sentences(results: StudyResults) -> list[Sentence]:
    """One caution if the median training of the study was still falling; none otherwise."""
    rows = usable(results.trials)
    keys = [key for key in zip(rows["part"], rows["trial"], strict=True) if key in results.curves]
    some = keys[:: math.ceil(len(keys) / _ENOUGH) or 1]
    falls = [fall for key in some if (fall := last_fall(results.curves[key])) is not None]
    middle = float(np.median(falls)) if falls else 1.0
    if middle >= FALL:
        return []
    text = (
        f"The median trial's training loss was still {(1 - middle) * 100:.0f}{NARROW}% lower in its last part (a "
        f"quarter; a third below {_MANY} steps) than in the part before. "
        "Longer trainings may order the architectures otherwise."
    )
    return [Sentence("note", "The trainings were not at their end.", text)]
