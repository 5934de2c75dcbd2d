"""Looking at the results after every seed without fooling oneself: always-valid t tests and intervals.

The test statistic is the scale-invariant t mixture of Lai 1976 ("On confidence sequences", Ann. Statist. 4), in the
form of Wang & Ramdas 2024 ("Anytime-valid t-tests and confidence sequences for Gaussian means with unknown variance",
theorem 4.7 and its Gaussian mixture): with n differences of sum S and sum of squares V, and a standardised mean drawn
from N(0, 1/c²), the likelihood ratio against mean 0 with any variance is

    E_n = sqrt(c² / (n + c²)) · ((n + c²)·V / ((n + c²)·V − S²))^(n/2)

Under mean 0 it is a martingale that starts at 1 in what is invariant to scale, so that it ever reaches 1/alpha with
probability alpha at most (Ville), whenever one looks and for whatever reason one stops. Normal differences are assumed,
as by the t test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

C2 = 0.25
"""c² of the mixture: standardised effects of about 1/c = 2, which 5 to 20 seeds can find; set once, for all studies."""

MIN_LOOK = 5
"""No decision before so many pairs: below it the verdict would be refused anyway."""

ALPHA = 0.05


def log_evidence(differences: Sequence[float]) -> float:
    """The logarithm of E_n against a mean of 0; 0 for fewer than 2 differences or for differences that are all 0."""
    x = np.asarray(differences, dtype=float)
    n, squares, total = len(x), float(np.square(x).sum()), float(x.sum())
    if n < 2 or squares == 0.0:
        return 0.0
    spread = (n + C2) * squares
    return 0.5 * math.log(C2 / (n + C2)) + 0.5 * n * (math.log(spread) - math.log(spread - total * total))


def always_valid_p(differences: Sequence[float]) -> float:
    """The always-valid p value after these differences, in the order in which they came: the least 1/E_k so far."""
    best = max((log_evidence(differences[:k]) for k in range(2, len(differences) + 1)), default=0.0)
    return math.exp(-max(best, 0.0))


def interval(differences: Sequence[float], level: float) -> tuple[float, float]:
    """The confidence sequence's interval for the mean at this many differences.

    All such intervals of a study hold together with probability `level` (0.95, say); NaN below 2 differences, infinite
    where so few say nothing at this level.
    """
    x = np.asarray(differences, dtype=float)
    n = len(x)
    if n < 2:
        return math.nan, math.nan
    mean, spread = float(x.mean()), float(x.std(ddof=1))
    alpha = 1.0 - level
    k = math.exp((math.log((n + C2) / C2) - 2 * math.log(alpha)) / n)
    room = k * n * n - (k - 1) * (n + C2) * n
    if room <= 0:
        return -math.inf, math.inf
    reach = spread * math.sqrt((k - 1) * (n + C2) * (n - 1) / room)
    return mean - reach, mean + reach


def decided(differences: Sequence[float], margin: float, comparisons: int) -> bool:
    """Whether a variant needs no further seed: told from the base, or known to be within the margin of it.

    Args:
        differences: its paired differences in the order of the seeds.
        margin: how small a difference is as good as none.
        comparisons: number of variants of the study; the level is that of Bonferroni, so that Holm's verdict, which is
            at least as strong, follows whatever the others do.
    """
    if len(differences) < MIN_LOOK:
        return False
    low, high = interval(differences, 1 - ALPHA / max(1, comparisons))
    told = always_valid_p(differences) <= ALPHA / max(1, comparisons)
    return told or (-margin < low and high < margin)


def running_interval(differences: Sequence[float], level: float) -> tuple[float, float]:
    """What the intervals after 2, 3, … differences have in common, which holds with probability `level` as they do.

    Zero is outside exactly where `always_valid_p` is at most 1 - level. Where they have nothing in common the last one.
    """
    found = [interval(differences[:k], level) for k in range(2, len(differences) + 1)]
    if not found:
        return math.nan, math.nan
    low, high = max(one[0] for one in found), min(one[1] for one in found)
    return (low, high) if low <= high else found[-1]
