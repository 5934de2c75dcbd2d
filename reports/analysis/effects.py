"""What is said of one variant: its difference to the base, how sure it is, and a verdict."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from reports.analysis.samples import BASE, Dropped
from reports.analysis.statistics import Improvement, seeds_needed

MIN_SEEDS = 5
"""Fewer paired seeds than this get no verdict."""


class Verdict(StrEnum):
    """What may be said of a difference. There is no "no effect": few seeds can't show that."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"
    TOO_FEW = "too few seeds"
    EXACT = "counted"
    NO_DATA = "no paired seeds"
    IN_DESIGN = "part of a design"


_NOTHING = Improvement(math.nan, math.nan, math.nan)


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
    """Number of comparisons that were tested together: the study's family."""
    percent: float
    """The mean difference in per cent of the base's mean."""
    percent_low: float
    percent_high: float
    smallest_detectable: float
    """True difference that this many seeds find with 80 % power, at the spread seen here; NaN below 3 seeds."""
    verdict: Verdict
    sds: float = math.nan
    """The mean difference in standard deviations of the paired difference."""
    improvement: Improvement = _NOTHING
    """Probability that a training of the variant beats the base's of the same seed."""
    margin: float | None = None
    """Difference that is as good as none, in the unit of `mean`; None where none was stated beforehand."""
    p_equivalence: float = math.nan
    """Holm-adjusted p value of equivalence within the margin (TOST)."""
    low_equivalence: float = math.nan
    """Lower end of the interval that lies inside the margin exactly where equivalence is found."""
    high_equivalence: float = math.nan
    wanted: float = math.nan
    """The margin, or without one the difference seen, in standard deviations of the paired difference."""
    design: str = "variants"
    """The design that asked for the variant."""
    reference: str = BASE
    """What it was compared to."""
    sequential: bool = False
    """Whether intervals and p values are always valid (`until`) instead of those of a fixed number of seeds."""

    @property
    def n(self) -> int:
        """Number of paired seeds."""
        return len(self.seeds)

    @property
    def seeds_better(self) -> int:
        """Number of seeds in which the variant is smaller than the base."""
        return sum(1 for difference in self.differences if difference < 0)

    @property
    def seeds_needed(self) -> int | None:
        """Seeds that find a difference of the margin's size (or of the size seen) with 80 % power; None: too many."""
        return seeds_needed(self.wanted, max(1, self.comparisons)) if math.isfinite(self.wanted) else None

    @property
    def within_margin(self) -> bool:
        """Whether the difference is shown to be smaller than the margin, told from zero or not."""
        return self.margin is not None and -self.margin < self.low_equivalence and self.high_equivalence < self.margin

    @property
    def verdict_text(self) -> str:
        """The verdict in words, with the numbers it lacks."""
        if self.verdict is Verdict.TOO_FEW:
            return f"too few seeds for a verdict (n={self.n}; {MIN_SEEDS} needed{self._lost})"
        if self.verdict is Verdict.NO_DATA:
            return f"{self.verdict}{self._lost}"
        if self.verdict in (Verdict.BETTER, Verdict.WORSE) and self.within_margin:
            return f"{self.verdict}, within the margin"
        return str(self.verdict)

    @property
    def _lost(self) -> str:
        """What became of the variant's own seeds that have no value."""
        own = Counter(drop.reason.removeprefix("the variant: ") for drop in self.dropped if drop.by_variant)
        asked = self.n + len(self.dropped)
        return "".join(f"; {reason} in {count} of {asked}" for reason, count in own.items())

    @property
    def survivors_only(self) -> bool:
        """Whether the variant lost seeds that the base finished, so that the mean is of the survivors."""
        return any(drop.by_variant for drop in self.dropped)
