"""The forest plot: one strip per variant that stands in its row of the table, on an axis that all rows share.

Positions are per cents of the strip's width, so that the plot needs no script and fits any screen and paper.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from reports.analysis.ablation import Effect, Verdict
from reports.analysis.scale import RATIO, scale_limit
from reports.metrics import Metric, interval_text, signed, signed_significant, ticks

HEIGHT = 56
_DOTS, _BAR = 18, 37

SHAPES: dict[Verdict, str] = {
    Verdict.BETTER: "M5 -6L-6 0L5 6Z",
    Verdict.WORSE: "M-5 -6L6 0L-5 6Z",
    Verdict.EQUIVALENT: "M-6 -4H6V-1H-6ZM-6 1H6V4H-6Z",
    Verdict.INCONCLUSIVE: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
    Verdict.IN_DESIGN: "M-5 0A5 5 0 1 0 5 0A5 5 0 1 0 -5 0Z",
    Verdict.TOO_FEW: "M0 -6L6 0L0 6L-6 0Z",
    Verdict.EXACT: "M-5 -5H5V5H-5Z",
}
"""The mean's mark by verdict: arrows for differences, open shapes where nothing is decided."""

CLASSES: dict[Verdict, str] = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.EQUIVALENT: "equal",
    Verdict.INCONCLUSIVE: "open",
    Verdict.IN_DESIGN: "open",
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
    beyond: frozenset[str] = frozenset()
    """Variants whose difference is so large that it is written instead of drawn."""

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
    drawn = _readable(with_data)
    low, high = _ends(drawn, factor)
    marks = tuple(ticks(low, high, 6))
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    beyond = frozenset(e.variant for e in with_data if e not in drawn)
    return ForestAxis(low, high, marks, max(0, -math.floor(math.log10(step) + 1e-9)), unit, beyond)


def _readable(effects: list[Effect]) -> list[Effect]:
    """The effects that are drawn: all, unless some would squeeze the others' dots, intervals and margin."""
    limit = scale_limit([_reach(e) for e in effects])
    if limit is None:
        return effects
    drawn = [e for e in effects if _reach(e) <= limit]
    others = max(abs(end) for end in _ends(drawn, 1.0))
    return drawn if min(_reach(e) for e in effects if e not in drawn) >= RATIO * others else effects


def _reach(effect: Effect) -> float:
    return max(abs(d) for d in effect.differences)


def _ends(effects: Sequence[Effect], factor: float) -> tuple[float, float]:
    dots = [0.0, *(d * factor for e in effects for d in e.differences)]
    low, high = min(dots), max(dots)
    # A t interval of two or three seeds can be many times wider than what was seen; it must not squeeze the rest.
    reach = 0.75 * (high - low)
    ends = [x * factor for e in effects for x in (e.low_adjusted, e.high_adjusted) if math.isfinite(x)]
    ends += [sign * e.margin * factor for e in effects if e.margin is not None for sign in (-1, 1)]
    low = max(low - reach, min([low, *ends]))
    high = min(high + reach, max([high, *ends]))
    if high == low:
        low, high = -1.0, 1.0
    pad = 0.05 * (high - low)
    return low - pad, high + pad


def forest_row(effect: Effect, axis: ForestAxis, metric: Metric) -> Markup:
    """Draw one variant: every seed as a dot, the 95 % interval, the verdict's wider one, the mean by its verdict."""
    parts = [
        _grid(axis),
        *(_off_scale(effect, metric) if effect.variant in axis.beyond else _drawn(effect, axis, metric)),
    ]
    label = f"{effect.variant}: {effect_text(effect, metric)}; {effect.verdict_text}"
    return Markup('<svg class="forest v-{}" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        CLASSES[effect.verdict], HEIGHT, label, Markup("").join(parts)
    )


def _drawn(effect: Effect, axis: ForestAxis, metric: Metric) -> list[Markup]:
    factor, unit = shown_unit(effect, metric)
    parts: list[Markup] = []
    low, high = (effect.low, effect.high)
    if effect.margin is not None:
        parts.append(_band(axis, effect.margin * factor))
        low, high = effect.low_equivalence, effect.high_equivalence
    if effect.n > 1 and not math.isnan(effect.low):
        parts += [
            _bar(axis, effect.low_adjusted * factor, effect.high_adjusted * factor, "thin"),
            _bar(axis, low * factor, high * factor, "thick"),
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
    return parts


def _off_scale(effect: Effect, metric: Metric) -> list[Markup]:
    """Write a difference that would squeeze all the others, at the side where it lies."""
    factor, unit = shown_unit(effect, metric)
    ends = [signed_significant(d * factor) for d in (min(effect.differences), max(effect.differences))]
    seeds = f"{ends[0]} to {ends[1]} {unit}".strip() if effect.n > 1 else f"{ends[0]} {unit}".strip()
    at, anchor, arrow, shift = ("98%", "end", 98, -12) if effect.mean > 0 else ("2%", "start", 2, 12)
    line = Markup('<text class="off" x="{}" y="{}" text-anchor="{}" dx="{}">{}</text>')
    shape = SHAPES[Verdict.WORSE if effect.mean > 0 else Verdict.BETTER]
    return [
        line.format(at, HEIGHT / 2 - 4, anchor, shift, "off the scale:"),
        line.format(at, HEIGHT / 2 + 12, anchor, shift, seeds),
        _mean(arrow, shape, HEIGHT / 2),
    ]


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


def _band(axis: ForestAxis, margin: float) -> Markup:
    """The differences that are as good as none."""
    left, right = axis.at(-margin), axis.at(margin)
    return Markup('<rect class="band" x="{:.2f}%" width="{:.2f}%" y="0" height="100%"/>').format(left, right - left)


def _bar(axis: ForestAxis, low: float, high: float, kind: str) -> Markup:
    bar = Markup('<line class="{}" x1="{:.2f}%" x2="{:.2f}%" y1="{y}" y2="{y}"/>').format(
        kind, axis.at(low), axis.at(high), y=_BAR
    )
    cut = Markup('<svg x="{}%" y="{}" overflow="visible"><path class="cut" d="{}"/></svg>')
    left = Markup("") if axis.inside(low) else cut.format(0, _BAR, "M6 -5L0 0L6 5")
    right = Markup("") if axis.inside(high) else cut.format(100, _BAR, "M-6 -5L0 0L-6 5")
    return bar + left + right


def _mean(position: float, shape: str, y: float = _BAR) -> Markup:
    return Markup('<svg x="{:.2f}%" y="{}" overflow="visible"><path class="mean" d="{}"/></svg>').format(
        position, y, shape
    )
