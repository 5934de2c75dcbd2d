"""Each variant against what it is compared to, paired by seed, all comparisons of a study in one family."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.analysis.effects import MIN_SEEDS, Effect, Verdict
from reports.analysis.factorial import terms_of
from reports.analysis.rules import Rules
from reports.analysis.samples import BASE, Sample, base_values, comparable, compared_metrics, samples_of
from reports.analysis.statistics import (
    ALPHA,
    PairedT,
    detectable,
    holm,
    holm_levels,
    improvement,
    paired_t,
    standardised,
    tost,
)  # fmt: skip
from reports.analysis.trials import part
from reports.metrics import METRICS
from search import sequential

__all__ = [
    "BASE", "MIN_SEEDS", "Effect", "Rules", "Verdict", "base_values", "compare", "compared_metrics",
]  # fmt: skip

_IN_DESIGN = ("factorial", "path")
"""Designs whose variants are judged together (effects, steps) and not one by one."""

_NO_RULES = Rules()


def compare(trials: pd.DataFrame, metric: str, rules: Rules = _NO_RULES) -> tuple[Effect, ...]:
    """Compare every variant of the ablation with its reference, the base as a rule, on one metric.

    The family of Holm's procedure is all that the study compares on this metric: its variants, and the effects of its
    factorial (Holm 1979).

    Args:
        trials: the study's frame.
        metric: a frame column; smaller is better.
        rules: what the study stated: margin of equivalence (of the loss only), sequential stopping.

    Returns:
        One effect per variant in the order of the study, also for variants without any paired seed.
    """
    ablation = part(trials, "ablation")
    counted = metric in METRICS and METRICS[metric].counted
    look = _Sequential() if rules.sequential else _Fixed()
    tests = [_Test(sample, metric, paired_t(comparable(sample)), rules, look)
             for sample in samples_of(ablation, metric, sequential=rules.sequential)]  # fmt: skip
    p_values = [math.nan if counted or not test.tested else look.p(comparable(test.sample)) for test in tests]
    others = [] if counted else [term.p for term in terms_of(trials, metric)]
    family = [*p_values, *others]
    equal = [test.p_equivalence if p == p else math.nan for test, p in zip(tests, p_values, strict=True)]  # noqa: PLR0124
    tested = sum(1 for p in family if not math.isnan(p))
    told = zip(p_values, holm(family), holm_levels(family), holm(equal), holm_levels(equal), strict=False)
    return tuple(
        test.effect(_Family(*numbers, comparisons=tested, counted=counted))
        for test, numbers in zip(tests, told, strict=False)
    )


@dataclass(frozen=True)
class _Family:
    """What Holm's procedure says of one variant among those tested together: of a difference and of equivalence."""

    p: float
    p_holm: float
    level: float
    p_equivalence: float
    level_equivalence: float
    comparisons: int
    counted: bool


class _Fixed:
    """Tests and intervals of a fixed number of seeds: the paired t test."""

    @staticmethod
    def p(differences: Sequence[float]) -> float:
        """Two-sided p value."""
        return paired_t(differences).p

    @staticmethod
    def interval(differences: Sequence[float], level: float) -> tuple[float, float]:
        """Two-sided interval."""
        return paired_t(differences).interval(level)


class _Sequential:
    """Tests and intervals that hold however often the results were looked at."""

    @staticmethod
    def p(differences: Sequence[float]) -> float:
        """Always-valid p value."""
        return sequential.always_valid_p(differences) if len(differences) > 1 else math.nan

    @staticmethod
    def interval(differences: Sequence[float], level: float) -> tuple[float, float]:
        """What all intervals so far have in common; the last one where that is nothing."""
        return sequential.running_interval(differences, level)


@dataclass(frozen=True)
class _Test:
    """One variant's test, before its place in the family is known."""

    sample: Sample
    metric: str
    test: PairedT
    rules: Rules
    look: _Fixed | _Sequential

    @property
    def tested(self) -> bool:
        return self.sample.design not in _IN_DESIGN

    @property
    def base_mean(self) -> float:
        values = self.sample.base_values
        return sum(values) / len(values) if values else math.nan

    @property
    def margin(self) -> float | None:
        return None if self.sample.relative else self.rules.margin_for(self.metric, self.base_mean)

    @property
    def p_equivalence(self) -> float:
        margin = self.margin
        if margin is None or not self.tested:
            return math.nan
        if not self.rules.sequential:
            return tost(self.test, margin)
        return _least_alpha(self.look.interval, comparable(self.sample), margin)

    def effect(self, family: _Family) -> Effect:
        """The effect, with its verdict."""
        sample, test = self.sample, self.test
        differences = comparable(sample)
        scale: Callable[[float], float] = _to_percent if sample.relative else _same
        ends = self._intervals(family, differences)
        low, high = (scale(end) for end in ends[0])
        mean = scale(test.mean)
        percents = (mean, low, high) if sample.relative else tuple(_share(x, self.base_mean) for x in (mean, low, high))
        wanted = self.margin if self.margin is not None else test.mean
        spread = test.spread
        return Effect(
            variant=sample.variant, metric=self.metric, relative=sample.relative, seeds=sample.seeds,
            differences=tuple(scale(d) for d in differences), dropped=sample.dropped, base_mean=self.base_mean,
            mean=mean, low=low, high=high,
            low_adjusted=scale(ends[1][0]), high_adjusted=scale(ends[1][1]),
            p=family.p, p_holm=family.p_holm, comparisons=family.comparisons,
            percent=percents[0], percent_low=percents[1], percent_high=percents[2],
            smallest_detectable=scale(detectable(test.n, max(1, family.comparisons)) * spread),
            verdict=self._verdict(family),
            sds=standardised(test), improvement=improvement(differences), margin=self.margin,
            p_equivalence=family.p_equivalence, low_equivalence=ends[2][0], high_equivalence=ends[2][1],
            wanted=abs(wanted) / spread if spread > 0 else math.nan,
            design=sample.design, reference=sample.reference, sequential=self.rules.sequential,
        )  # fmt: skip

    def _intervals(self, family: _Family, differences: list[float]) -> list[tuple[float, float]]:
        """The 95 % interval, the one of Holm's test for a difference, and the one of the test for equivalence."""
        level = ALPHA if math.isnan(family.level) else family.level
        equal = ALPHA if math.isnan(family.level_equivalence) else family.level_equivalence
        # TOST at alpha is inclusion of the 1 - 2 alpha interval; a confidence sequence has no such half to give.
        sides = equal if self.rules.sequential else 2 * equal
        return [self.look.interval(differences, 1 - alpha) for alpha in (ALPHA, level, sides)]

    def _verdict(self, family: _Family) -> Verdict:
        if self.test.n == 0:
            return Verdict.NO_DATA
        if family.counted:
            return Verdict.EXACT
        if not self.tested:
            return Verdict.IN_DESIGN
        if self.test.n < MIN_SEEDS:
            return Verdict.TOO_FEW
        if family.p_holm < ALPHA:
            return Verdict.BETTER if self.test.mean < 0 else Verdict.WORSE
        return Verdict.EQUIVALENT if family.p_equivalence < ALPHA else Verdict.INCONCLUSIVE


def _least_alpha(
    interval: Callable[[Sequence[float], float], tuple[float, float]], differences: list[float], margin: float
) -> float:
    """The smallest alpha whose interval lies inside the margin, to 1e-4 of its logarithm; 1 where none does."""

    def inside(alpha: float) -> bool:
        low, high = interval(differences, 1 - alpha)
        return -margin < low and high < margin

    low, high = math.log(1e-12), math.log(0.999)
    if not inside(math.exp(high)):
        return 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if inside(math.exp(middle)) else (middle, high)
    return math.exp(high)


def _same(value: float) -> float:
    return value


def _to_percent(log_ratio: float) -> float:
    return math.expm1(min(log_ratio, 700.0)) * 100


def _share(value: float, base: float) -> float:
    return value / base * 100 if base else math.nan
