"""What a row of the table opens to beside its numbers: the operations of its architecture, and its training curve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from markupsafe import Markup

from reports.metrics import significant

_WIDE, _HIGH, _PAD = 220.0, 44.0, 3.0
MOST = 48
"""Points of a small curve."""


def spec_text(architectures: Mapping[str, dict[str, Any]], fingerprint: str) -> str:
    """An architecture's operations counted, most frequent first, and where it stands in full; empty if not kept."""
    nodes = ((architectures.get(fingerprint) or {}).get("graph") or {}).get("nodes")
    if not nodes:
        return ""
    words = _counted(tuple([str(node.get("op")) for node in nodes.values()]))
    return f"{words}; in full: architectures/{fingerprint}.json beside the records"


@lru_cache(maxsize=4096)
def _counted(operations: tuple[str, ...]) -> str:
    counted = Counter(operations)
    del counted["input"]
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in counted.most_common(8))


def small_curve(curve: Sequence[tuple[int, float]], *, ended_early: bool, most: int = MOST) -> Markup:
    """Draw a training curve in a line of text, losses on a log scale; empty without one.

    Args:
        curve: (step, loss).
        most: points that are drawn.
        ended_early: whether the trial gave no result; the curve then ends in a cross.
    """
    known = [(step, loss) for step, loss in curve if math.isfinite(loss) and loss > 0]
    if len(known) < 2:
        return Markup("")
    stride = -(-len(known) // most)
    kept = [*known[:-1:stride], known[-1]]
    points = _placed(kept)
    # One format for all points: this is done for every trial.
    line = " ".join(["%.0f,%.1f"] * len(points)) % tuple(chain.from_iterable(points))
    (first, start), (last, end) = known[0], known[-1]
    words = f"training loss {significant(start, 3)} at step {first:,}, {significant(end, 3)} at step {last:,}"
    x, y = points[-1]
    cross = f'<path class="cross" d="M{x - 3:.0f} {y - 3:.1f}l6 6m0 -6l-6 6"/>' if ended_early else ""
    # Numbers and our own words alone: nothing here needs escaping.
    return Markup(
        f'<p class="small-curve"><svg width="{_WIDE + 2 * _PAD:.0f}" height="{_HIGH + 2 * _PAD:.0f}" role="img" '
        f'aria-label="{words}"><polyline points="{line}"/>{cross}</svg> {words}</p>'
    )


def _placed(curve: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    first, span = curve[0][0], max(1, curve[-1][0] - curve[0][0])
    logs = [math.log(loss) for _, loss in curve]
    low, high = min(logs), max(logs)
    return [
        (_PAD + _WIDE * (step - first) / span, _PAD + _HIGH * (1 - (log - low) / ((high - low) or 1.0)))
        for (step, _), log in zip(curve, logs, strict=True)
    ]
