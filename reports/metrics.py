"""The metrics that a study records, as a reader wants to see them: words, units and honest digits."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

MINUS = "\N{MINUS SIGN}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
NBSP = "\N{NO-BREAK SPACE}"
MISSING = "\N{EM DASH}"


@dataclass(frozen=True)
class Metric:
    """One metric and how it is shown. Smaller is better for every metric."""

    name: str
    """As in study files and frame columns."""
    label: str
    """As in sentences and table heads."""
    unit: str = ""
    """Unit of the shown value; empty for dimensionless ones."""
    factor: float = 1.0
    """Shown value = recorded value × factor."""
    counted: bool = False
    """Follows from the architecture without noise: no seeds, no interval."""
    ratio: str | None = None
    """Column of the ratio to the fixed reference network, which a drifting machine does not disturb."""

    @property
    def title(self) -> str:
        """The label with its unit, for axes."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    def shown(self, value: float) -> float:
        """Convert a recorded value into the shown unit."""
        return value * self.factor

    def text(self, value: float | None, digits: int | None = None) -> str:
        """Write a recorded value with its unit, to three significant digits unless told otherwise."""
        if value is None or math.isnan(value):
            return MISSING
        number = significant(self.shown(value), digits or (4 if self.name in ("loss", "loss_edm") else 3))
        return f"{number}{NARROW}{self.unit}" if self.unit else number

    def difference(self, mean: float, low: float, high: float) -> str:
        """Write a difference of recorded values and its interval in the shown unit, which is not written with it."""
        return interval_text(*(self.shown(value) for value in (mean, low, high)))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("loss", "held-out loss"),
        Metric("loss_edm", "EDM-weighted loss"),
        Metric("fd", "Fréchet distance"),
        Metric("kd", "kernel distance"),
        Metric("latency", "latency", "ms", 1e3, ratio="latency_ratio"),
        Metric("train_latency", "training step", "ms", 1e3, ratio="train_latency_ratio"),
        Metric("memory", "peak memory", "MiB", 2.0**-20),
        Metric("train_memory", "training memory", "MiB", 2.0**-20),
        Metric("parameters", "parameters", "M", 1e-6, counted=True),
        Metric("macs", "MACs", "G", 1e-9, counted=True),
    )
}


_RATIOS = {m.ratio: Metric(m.ratio, f"{m.label} ratio") for m in METRICS.values() if m.ratio}
"""To the reference network; shown where a study names them as an objective or a budget."""

_MMACS = replace(METRICS["macs"], unit="M", factor=1e-6)


def metrics_of(trials: pd.DataFrame) -> dict[str, Metric]:
    """Return the metrics with units that suit this study's sizes: MMACs for small networks, GMACs for large ones."""
    return metrics_up_to(float(trials["macs"].max())) if "macs" in trials.columns else dict(METRICS)


def metrics_up_to(macs: float) -> dict[str, Metric]:
    """Return the metrics with units that suit networks of at most so many MACs."""
    return dict(METRICS) if macs >= 1e9 else {**METRICS, "macs": _MMACS}


def metric_of(name: str, metrics: dict[str, Metric]) -> Metric:
    """Return a metric by name; one that is not in the table is shown as it is recorded."""
    return metrics.get(name) or _RATIOS.get(name) or Metric(name, name)


def significant(value: float, digits: int) -> str:
    """Write a number to so many significant digits, without an exponent between 1e-4 and 1e7."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    rounded = abs(float(f"{value:.{digits - 1}e}"))
    if rounded < 1e-4 or abs(value) >= 1e7:
        return f"{value:.{digits - 1}e}".replace("-", MINUS)
    exponent = math.floor(math.log10(rounded))
    return f"{value:,.{max(0, digits - 1 - exponent)}f}".replace("-", MINUS)


def decimals_for(resolution: float) -> int:
    """Return how many decimals show an uncertainty to two significant digits."""
    if not math.isfinite(resolution) or resolution <= 0:
        return 4
    return min(9, max(0, 1 - math.floor(math.log10(resolution))))


def signed(value: float, decimals: int) -> str:
    """Write a difference with its sign; what rounds to nothing carries none."""
    text = f"{value:+,.{decimals}f}"
    bare = text[1:]
    return bare if float(bare.replace(",", "")) == 0 else f"{MINUS if text[0] == '-' else '+'}{bare}"


def interval_text(mean: float, low: float, high: float) -> str:
    """Write a mean difference and its interval with as many digits as the interval allows."""
    if math.isnan(mean):
        return MISSING
    if math.isnan(low):
        return f"{signed_significant(mean)} [no interval]"
    decimals = decimals_for((high - low) / 2) if high > low else _decimals_of(mean)
    nearest = min(abs(low), abs(high))
    # An interval that is clear of zero must not look as if it touched it.
    while low * high > 0 and float(f"{nearest:.{decimals}f}") == 0 and decimals < 9:
        decimals += 1
    return f"{signed(mean, decimals)} [{signed(low, decimals)}, {signed(high, decimals)}]"


def signed_significant(value: float, digits: int = 3) -> str:
    """Write a difference with its sign to so many significant digits."""
    text = significant(value, digits)
    return text if value <= 0 else f"+{text}"


def percent_text(value: float) -> str:
    """Write a relative difference, given in per cent: one decimal below 10 %."""
    if math.isnan(value):
        return MISSING
    return f"{signed(value, 1 if abs(value) < 9.95 else 0)}{NARROW}%"


def p_text(p: float) -> str:
    """Write a p value as papers do; near 0.05 with the digits that tell on which side it is."""
    if math.isnan(p):
        return MISSING
    if p < 0.001:
        return "<0.001"
    if p >= 0.1:
        return f"{p:.2f}"
    digits = next((digits for digits in range(3, 9) if round(p, digits) != 0.05), 3)
    return f"{p:.{digits}f}"


def p_phrase(p: float) -> str:
    """Write a p value as part of a sentence, unbroken: "p = 0.012", "p < 0.001"."""
    text = p_text(p)
    return f"p{NBSP}<{NBSP}{text[1:]}" if text.startswith("<") else f"p{NBSP}={NBSP}{text}"


def ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    """Return round axis positions inside a range: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / max(1, wanted)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def join_words(words: Iterable[str], last: str = "and") -> str:
    """Join words as in a sentence: a, b and c."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}" if items else ""


def _decimals_of(value: float) -> int:
    return 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
