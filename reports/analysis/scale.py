"""Axes that one huge value must not spoil for all the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

RATIO = 8.0
"""A value this many times larger than the next smaller one is off the scale, unless half of all are.

Drawn, it would leave all the others an eighth of the axis: of a strip of 230 pixels 29, in which marks of 6 to 12
cannot be told apart. A smaller ratio would hide what can be read.
"""

LOG_RATIO = 30.0
"""Positive values that span more than this stand on a logarithmic axis."""


@dataclass(frozen=True)
class View:
    """What an axis shows at first."""

    log: bool
    low: float
    """Lower end, in the values' unit."""
    high: float
    outside: frozenset[int]
    """Positions of the values that the view leaves out."""


def scale_limit(extents: Sequence[float]) -> float | None:
    """Return the largest extent that should set the scale; None if all of them should.

    Args:
        extents: how far each item reaches from zero.
    """
    ranked = sorted(extents)
    for k in range(max(2, math.ceil(len(ranked) / 2)), len(ranked)):
        if ranked[k] >= RATIO * ranked[k - 1] > 0:
            return ranked[k - 1]
    return None


def view(values: Sequence[float], important: Sequence[bool], marks: Sequence[float] = ()) -> View:
    """Choose what an axis shows: all that is important, and the rest as far as it is not far away.

    Args:
        values: finite positions on the axis.
        important: which of them must be seen; if none is, all must.
        marks: lines, such as budgets, that are shown if they are not far away.
    """
    chosen = [v for v, wanted in zip(values, important, strict=True) if wanted] or list(values)
    log = min(chosen, default=0.0) > 0 and max(chosen) / min(chosen) > LOG_RATIO
    log = log and all(v > 0 for v in [*values, *marks])
    place = math.log10 if log else float
    low, high = place(min(chosen, default=0.0)), place(max(chosen, default=1.0))
    span = (high - low) or abs(high) or 1.0
    near = [p for v in [*values, *marks] if low - span <= (p := place(v)) <= high + span]
    low, high = min([low, *near]), max([high, *near])
    pad = 0.06 * ((high - low) or abs(high) or 1.0)
    low, high = low - pad, high + pad
    outside = frozenset(i for i, v in enumerate(values) if not low <= place(v) <= high)
    return View(log, 10**low if log else low, 10**high if log else high, outside)


def log_ticks() -> list[float]:
    """Return 1, 2 and 5 times every power of ten that occurs here."""
    return [digit * 10.0**power for power in range(-7, 13) for digit in (1, 2, 5)]
