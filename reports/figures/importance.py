"""Importances as bars that stand in a table's cells: the share, and what chance alone would reach."""

from __future__ import annotations

import math

from markupsafe import Markup

from reports.analysis.importance import Importance
from reports.analysis.surrogate import Need
from reports.metrics import signed

HEIGHT = 22


def importance_bar(row: Importance) -> Markup:
    """Draw one share between 0 and 1; a bar that stays under the chance mark is drawn hollow."""
    if math.isnan(row.share):
        return Markup('<span class="muted">never varied</span>')
    solid = "solid" if row.share > row.chance else "hollow"
    trend = "" if math.isnan(row.trend) else f", Spearman {signed(row.trend, 2)}"
    label = (
        f"share {row.share:.2f} ({row.low:.2f} to {row.high:.2f}), chance reaches {row.chance:.2f}{trend}, n={row.n}"
    )
    return _bar(solid, (row.share, row.low, row.high), label, row.chance)


def need_bar(need: Need, *, believed: bool) -> Markup:
    """Draw how much a forest needs one parameter; hollow if the forest is not believed or the interval reaches 0."""
    label = f"{need.loss:.2f} of the held-out variance ({need.low:.2f} to {need.high:.2f})"
    return _bar("solid" if believed and need.low > 0 else "hollow", (need.loss, need.low, need.high), label, None)


def _bar(css: str, share: tuple[float, float, float], label: str, chance: float | None) -> Markup:
    """Draw a share of 0 to 1, its interval as a line and what chance reaches as a tick."""
    middle, low, high = (min(1.0, max(0.0, value)) * 100 for value in share)
    tick = (
        Markup("")
        if chance is None
        else Markup('<line class="chance" x1="{c:.1f}%" x2="{c:.1f}%" y1="2" y2="20"/>').format(c=chance * 100)
    )
    return Markup(
        '<svg class="importance" width="100%" height="{h}" role="img" aria-label="{label}"><title>{label}</title>'
        '<rect class="track" x="0" y="6" width="100%" height="10" rx="2"/>'
        '<rect class="{}" x="0" y="6" width="{:.1f}%" height="10" rx="2"/>'
        '<line class="interval" x1="{:.1f}%" x2="{:.1f}%" y1="11" y2="11"/>{}</svg>'
    ).format(css, middle, low, high, tick, h=HEIGHT, label=label)
