"""Importances as bars that stand in a table's cells: the share, and what chance alone would reach."""

from __future__ import annotations

import math

from markupsafe import Markup

from reports.analysis.importance import Importance
from reports.metrics import signed

HEIGHT = 22


def importance_bar(row: Importance) -> Markup:
    """Draw one share between 0 and 1; a bar that stays under the chance mark is drawn hollow."""
    if math.isnan(row.share):
        return Markup('<span class="muted">never varied</span>')
    solid = "solid" if row.share > row.chance else "hollow"
    trend = "" if math.isnan(row.trend) else f", Spearman {signed(row.trend, 2)}"
    label = f"share {row.share:.2f}, chance reaches {row.chance:.2f}{trend}, n={row.n}"
    return Markup(
        '<svg class="importance" width="100%" height="{h}" role="img" aria-label="{label}"><title>{label}</title>'
        '<rect class="track" x="0" y="6" width="100%" height="10" rx="2"/>'
        '<rect class="{}" x="0" y="6" width="{:.1f}%" height="10" rx="2"/>'
        '<line class="chance" x1="{c:.1f}%" x2="{c:.1f}%" y1="2" y2="20"/></svg>'
    ).format(solid, row.share * 100, h=HEIGHT, label=label, c=row.chance * 100)
