"""Each variant against the base, paired by seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd

from reports.analysis.statistics import ALPHA, PairedT, detectable, holm, holm_levels, paired_t
from reports.analysis.trials import has_values, part, status_of, usable
from reports.metrics import METRICS

BASE = "base"
"""Name of the base among the variants of an ablation."""

MIN_SEEDS = 5
"""Fewer paired seeds than this get no verdict."""


class Verdict(StrEnum):
    """What may be said of a difference. There is no "no effect": few seeds can't show that."""

    BETTER = "better"
    WORSE = "worse"
    INCONCLUSIVE = "inconclusive"
    TOO_FEW = "too few seeds"
    EXACT = "counted"
    NO_DATA = "no paired seeds"


@dataclass(frozen=True)
class Dropped:
    """A seed that could not be paired, and why."""

    seed: int
    reason: str
    by_variant: bool
    """Whether the variant lost it (the survivors may then be a biased choice), not the base."""


@dataclass(frozen=True)
class Sample:
    """The paired measurements of one variant and the base."""

    variant: str
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    base_values: tuple[float, ...]
    dropped: tuple[Dropped, ...] = ()
    relative: bool = False
    """Values are ratios to the reference network, compared on a log scale."""


@dataclass(frozen=True)
class Effect:
    """The difference of one variant to the base on one metric; a negative one is an improvement.

    `differences`, `mean`, `low` … are in the metric's recorded unit (variant minus base) or, where `relative`, in per
    cent of the base (geometric mean of the ratios, minus one).
    """

    variant: str
    metric: str
    relative: bool
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    dropped: tuple[Dropped, ...]
    base_mean: float
    mean: float
    low: float
    """Lower end of the 95 % t interval."""
    high: float
    low_adjusted: float
    """Lower end of the interval widened as Holm's procedure tests it: clear of zero where a difference is found."""
    high_adjusted: float
    p: float
    p_holm: float
    comparisons: int
    """Number of variants that were tested together."""
    percent: float
    """The mean difference in per cent of the base's mean."""
    percent_low: float
    percent_high: float
    smallest_detectable: float
    """True difference that this many seeds find with 80 % power, at the spread seen here; NaN below 3 seeds."""
    verdict: Verdict

    @property
    def n(self) -> int:
        """Number of paired seeds."""
        return len(self.seeds)

    @property
    def seeds_better(self) -> int:
        """Number of seeds in which the variant is smaller than the base."""
        return sum(1 for difference in self.differences if difference < 0)

    @property
    def verdict_text(self) -> str:
        """The verdict in words, with the numbers it lacks."""
        if self.verdict is Verdict.TOO_FEW:
            return f"too few seeds for a verdict (n={self.n}; {MIN_SEEDS} needed)"
        return str(self.verdict)

    @property
    def survivors_only(self) -> bool:
        """Whether the variant lost seeds that the base finished, so that the mean is of the survivors."""
        return any(drop.by_variant for drop in self.dropped)


def compare(trials: pd.DataFrame, metric: str) -> tuple[Effect, ...]:
    """Compare every variant of the ablation with the base on one metric.

    Args:
        trials: the study's frame.
        metric: a frame column; smaller is better.

    Returns:
        One effect per variant in the order of the study, also for variants without any paired seed.
    """
    ablation = part(trials, "ablation")
    variants = [str(v) for v in ablation["variant"].dropna().unique() if v != BASE]
    column = _column(ablation, metric, variants)
    samples = [_sample(ablation, variant, column, relative=column != metric) for variant in variants]
    counted = metric in METRICS and METRICS[metric].counted
    tests = [paired_t(_comparable(sample)) for sample in samples]
    p_values = [math.nan if counted else test.p for test in tests]
    adjusted = holm(p_values)
    levels = holm_levels(p_values)
    tested = sum(1 for p in p_values if not math.isnan(p))
    return tuple(
        _effect(sample, metric, test, _Family(p, p_holm, level, tested, counted))
        for sample, test, p, p_holm, level in zip(samples, tests, p_values, adjusted, levels, strict=True)
    )


def compared_metrics(trials: pd.DataFrame) -> tuple[str, ...]:
    """Return the metrics on which variants can be compared at all: those with a value in any usable trial."""
    rows = usable(part(trials, "ablation"))
    return tuple(name for name in METRICS if has_values(rows, name))


def base_values(trials: pd.DataFrame, metric: str) -> dict[int, float]:
    """Return the base's value by seed."""
    return _by_seed(part(trials, "ablation"), BASE, metric)


@dataclass(frozen=True)
class _Family:
    """What Holm's procedure says of one variant among those tested together."""

    p: float
    p_holm: float
    level: float
    comparisons: int
    counted: bool


def _column(ablation: pd.DataFrame, metric: str, variants: Sequence[str]) -> str:
    """Prefer the ratio to the reference network where every usable trial has it."""
    ratio = METRICS[metric].ratio if metric in METRICS else None
    if ratio is None or ratio not in ablation.columns:
        return metric
    rows = usable(ablation)
    rows = rows[rows["variant"].isin([BASE, *variants])]
    return ratio if len(rows) and bool(rows[ratio].notna().all()) else metric


def _by_seed(ablation: pd.DataFrame, variant: str, column: str) -> dict[int, float]:
    rows = usable(ablation[ablation["variant"] == variant])
    if column not in rows.columns:
        return {}
    rows = rows[rows[column].notna()]
    return {int(seed): float(value) for seed, value in zip(rows["seed"], rows[column], strict=True)}


def _sample(ablation: pd.DataFrame, variant: str, column: str, *, relative: bool) -> Sample:
    ours, base = _by_seed(ablation, variant, column), _by_seed(ablation, BASE, column)
    wanted = {int(seed) for seed in ablation.loc[ablation["variant"].isin([BASE, variant]), "seed"]}
    seeds = tuple(sorted(ours.keys() & base.keys()))
    dropped = [
        Dropped(seed, _why(ablation, variant if seed not in ours else BASE, seed, column), seed not in ours)
        for seed in sorted(wanted - set(seeds))
    ]
    return Sample(
        variant, seeds, tuple(ours[s] for s in seeds), tuple(base[s] for s in seeds), tuple(dropped), relative=relative
    )


def _why(ablation: pd.DataFrame, variant: str, seed: int, column: str) -> str:
    rows = ablation[(ablation["variant"] == variant) & (ablation["seed"] == seed)]
    who = "the base" if variant == BASE else "the variant"
    if rows.empty:
        return f"{who} has no trial yet"
    status = str(rows["status"].iloc[-1])
    return f"{who} has no {column}" if status in ("finished", "replayed") else f"{who}: {status_of(status).label}"


def _comparable(sample: Sample) -> list[float]:
    pairs = zip(sample.values, sample.base_values, strict=True)
    return [math.log(v / b) for v, b in pairs] if sample.relative else [v - b for v, b in pairs]


def _effect(sample: Sample, metric: str, test: PairedT, family: _Family) -> Effect:
    base_mean = sum(sample.base_values) / len(sample.base_values) if sample.base_values else math.nan
    level = family.level if not math.isnan(family.level) else ALPHA
    scale = _to_percent if sample.relative else _same
    low, high = (scale(end) for end in test.interval(1 - ALPHA))
    low_adjusted, high_adjusted = (scale(end) for end in test.interval(1 - level))
    mean = scale(test.mean)
    percents = (mean, low, high) if sample.relative else tuple(_share(x, base_mean) for x in (mean, low, high))
    return Effect(
        variant=sample.variant,
        metric=metric,
        relative=sample.relative,
        seeds=sample.seeds,
        differences=tuple(scale(d) for d in _comparable(sample)),
        dropped=sample.dropped,
        base_mean=base_mean,
        mean=mean,
        low=low,
        high=high,
        low_adjusted=low_adjusted,
        high_adjusted=high_adjusted,
        p=family.p,
        p_holm=family.p_holm,
        comparisons=family.comparisons,
        percent=percents[0],
        percent_low=percents[1],
        percent_high=percents[2],
        smallest_detectable=scale(detectable(test.n, max(1, family.comparisons)) * test.spread),
        verdict=_verdict(test, family),
    )


def _verdict(test: PairedT, family: _Family) -> Verdict:
    if test.n == 0:
        return Verdict.NO_DATA
    if family.counted:
        return Verdict.EXACT
    if test.n < MIN_SEEDS:
        return Verdict.TOO_FEW
    if not family.p_holm < ALPHA:
        return Verdict.INCONCLUSIVE
    return Verdict.BETTER if test.mean < 0 else Verdict.WORSE


def _same(value: float) -> float:
    return value


def _to_percent(log_ratio: float) -> float:
    return math.expm1(log_ratio) * 100


def _share(value: float, base: float) -> float:
    return value / base * 100 if base else math.nan
