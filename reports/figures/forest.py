"""The forest plot: one strip per variant that stands in its row of the table, on an axis that all rows share.

Positions are per cents of the strip's width, so that the plot needs no script and fits any screen and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.analysis.ablation import Effect, Verdict
from reports.metrics import Metric, interval_text, signed, signed_significant, ticks

HEIGHT = 56
_DOTS, _BAR = 18, 37

SHAPES: dict[Verdict, str] = {
    Verdict.BETTER: "M5 -6L-6 0L5 6Z",
    Verdict.WORSE: "M-5 -6L6 0L-5 6Z",
    Verdict.INCONCLUSIVE: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
    Verdict.TOO_FEW: "M0 -6L6 0L0 6L-6 0Z",
    Verdict.EXACT: "M-5 -5H5V5H-5Z",
}
"""The mean's mark by verdict: arrows for differences, open shapes where nothing is decided."""

CLASSES: dict[Verdict, str] = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.INCONCLUSIVE: "open",
    Verdict.TOO_FEW: "few",
    Verdict.EXACT: "exact",
    Verdict.NO_DATA: "few",
}


@dataclass(frozen=True)
class ForestAxis:
    """The axis that the rows share, in shown units."""

    low: float
    high: float
    ticks: tuple[float, ...]
    decimals: int
    unit: str

    def at(self, value: float) -> float:
        """Return the position of a value in per cent of the width, kept inside the strip."""
        return min(100.0, max(0.0, (value - self.low) / (self.high - self.low) * 100))

    def inside(self, value: float) -> bool:
        """Say whether the strip shows a value."""
        return self.low <= value <= self.high


def shown_unit(effect: Effect, metric: Metric) -> tuple[float, str]:
    """Return the factor and unit in which an effect's differences are shown."""
    return (1.0, "%") if effect.relative else (metric.factor, metric.unit)


def forest_axis(effects: Sequence[Effect], metric: Metric) -> ForestAxis | None:
    """Choose an axis that shows zero, every seed and the intervals; None if there is nothing to show."""
    with_data = [e for e in effects if e.differences]
    if not with_data:
        return None
    factor, unit = shown_unit(with_data[0], metric)
    dots = [0.0, *(d * factor for e in with_data for d in e.differences)]
    low, high = min(dots), max(dots)
    # A t interval of two or three seeds can be many times wider than what was seen; it must not squeeze the rest.
    reach = 0.75 * (high - low)
    ends = [x * factor for e in with_data for x in (e.low, e.high) if not math.isnan(x)]
    low = max(low - reach, min([low, *ends]))
    high = min(high + reach, max([high, *ends]))
    if high == low:
        low, high = -1.0, 1.0
    pad = 0.05 * (high - low)
    low, high = low - pad, high + pad
    marks = tuple(ticks(low, high, 6))
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    return ForestAxis(low, high, marks, max(0, -math.floor(math.log10(step) + 1e-9)), unit)


def forest_row(effect: Effect, axis: ForestAxis, metric: Metric) -> Markup:
    """Draw one variant: every seed as a dot, the 95 % interval, the verdict's wider one, the mean by its verdict."""
    factor, unit = shown_unit(effect, metric)
    parts = [_grid(axis)]
    if effect.n > 1 and not math.isnan(effect.low):
        parts += [
            _bar(axis, effect.low_adjusted * factor, effect.high_adjusted * factor, "thin"),
            _bar(axis, effect.low * factor, effect.high * factor, "thick"),
        ]
    for seed, difference in zip(effect.seeds, effect.differences, strict=True):
        text = f"seed {seed}: {signed_significant(difference * factor)} {unit}".strip()
        parts.append(
            Markup('<circle class="seed" cx="{:.2f}%" cy="{}" r="3"><title>{}</title></circle>').format(
                axis.at(difference * factor), _DOTS, text
            )
        )
    if effect.n:
        parts.append(_mean(axis.at(effect.mean * factor), SHAPES[effect.verdict]))
    label = f"{effect.variant}: {effect_text(effect, metric)}; {effect.verdict_text}"
    return Markup('<svg class="forest v-{}" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        CLASSES[effect.verdict], HEIGHT, label, Markup("").join(parts)
    )


def forest_scale(axis: ForestAxis) -> Markup:
    """Draw the axis under the rows: ticks and the direction."""
    labels = [
        Markup('<text x="{:.2f}%" y="15">{}</text>').format(axis.at(t), signed(t, axis.decimals)) for t in axis.ticks
    ]
    return Markup('<svg class="forest scale" width="100%" height="20" aria-hidden="true">{}{}</svg>').format(
        Markup("").join(
            Markup('<line x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="4"/>').format(axis.at(t)) for t in axis.ticks
        ),
        Markup("").join(labels),
    )


def effect_text(effect: Effect, metric: Metric) -> str:
    """Write the mean difference with its interval and unit."""
    factor, unit = shown_unit(effect, metric)
    text = interval_text(effect.mean * factor, effect.low * factor, effect.high * factor)
    return f"{text} {unit}".strip() if effect.n else text


def _grid(axis: ForestAxis) -> Markup:
    lines = [
        Markup('<line class="{1}" x1="{0:.2f}%" x2="{0:.2f}%" y1="0" y2="100%"/>').format(
            axis.at(t), "zero" if t == 0 else "grid"
        )
        for t in axis.ticks
    ]
    return Markup("").join(lines)


def _bar(axis: ForestAxis, low: float, high: float, kind: str) -> Markup:
    bar = Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{y}" y2="{y}"/>').format(
        kind, axis.at(low), axis.at(high), y=_BAR
    )
    cut = Markup('<svg x="{}%" y="{}" overflow="visible"><path class="cut" d="{}"/></svg>')
    left = Markup("") if axis.inside(low) else cut.format(0, _BAR, "M6 -5L0 0L6 5")
    right = Markup("") if axis.inside(high) else cut.format(100, _BAR, "M-6 -5L0 0L-6 5")
    return bar + left + right


def _mean(position: float, shape: str) -> Markup:
    return Markup('<svg x="{:.2f}%" y="{}" overflow="visible"><path class="mean" d="{}"/></svg>').format(
        position, _BAR, shape
    )
