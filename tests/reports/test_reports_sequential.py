"""Looking after every seed: evidence and intervals that stay valid, and when a variant is decided."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from reports.analysis.ablation import Rules, compare
from search.sequential import always_valid_p, decided, interval, log_evidence, running_interval
from tests.reports.test_reports_ablation import BASE, WORSE, frame


def test_the_evidence_is_the_mixture_of_likelihood_ratios() -> None:
    x = np.array([0.4, 1.1, -0.2, 0.9, 0.7])

    def marginal(weight: float) -> float:
        """The density of x with the scale integrated out, d sigma / sigma, at a standardised mean."""
        scales = np.exp(np.linspace(-6, 6, 4001))
        density = np.exp(-0.5 * np.square(x[:, None] / scales - weight).sum(axis=0)) / scales ** len(x)
        return float(integrate.trapezoid(density, np.log(scales)))

    weights = np.linspace(-16, 16, 1601)
    mixed = integrate.trapezoid([marginal(w) * stats.norm.pdf(w, scale=2.0) for w in weights], weights)
    assert log_evidence(x.tolist()) == pytest.approx(math.log(mixed / marginal(0.0)), rel=1e-4)


def test_the_interval_holds_the_means_that_the_evidence_does_not_refute() -> None:
    x = [0.4, 1.1, -0.2, 0.9, 0.7, 0.5, 0.8]
    low, high = interval(x, 0.95)
    for end in (low, high):
        assert log_evidence([value - end for value in x]) == pytest.approx(math.log(20), abs=1e-9)
    assert interval(x[:3], 0.999999) == (-math.inf, math.inf)
    running = running_interval(x, 0.95)
    assert (running[0] > 0) == (always_valid_p(x) < 0.05)


def test_looking_after_every_seed_keeps_the_error_rate() -> None:
    random = np.random.default_rng(7)
    studies, wrong, naive = 1500, 0, 0
    for _ in range(studies):
        x = random.normal(size=20)
        wrong += always_valid_p(x.tolist()) <= 0.05
        t = [x[:n].mean() / (x[:n].std(ddof=1) / math.sqrt(n)) for n in range(5, 21)]
        naive += any(abs(one) > stats.t.ppf(0.975, n - 1) for n, one in zip(range(5, 21), t, strict=True))
    assert stats.binomtest(wrong, studies, 0.05, alternative="greater").pvalue > 0.01
    assert naive / studies > 0.12


def test_a_variant_is_decided_when_told_apart_or_within_the_margin() -> None:
    assert decided([0.1, 0.11, 0.09, 0.1, 0.105], 0.001, 1)
    assert not decided([0.1, 0.11, 0.09, 0.1], 0.001, 1)
    assert decided([1e-5, -1e-5, 2e-5, 0.0, -1e-5, 1e-5], 0.001, 1)
    assert not decided([0.01, -0.01, 0.02, 0.0, -0.01, 0.01], 0.001, 1)


def test_a_sequential_study_is_judged_by_always_valid_numbers() -> None:
    trials = frame(base=BASE, no_skips=[*WORSE[:5], None])
    (effect,) = compare(trials, "loss", Rules(max_seeds=20))
    assert effect.p == pytest.approx(always_valid_p(np.subtract(WORSE[:5], BASE[:5]).tolist()))
    assert effect.dropped == ()
    assert effect.sequential
    assert effect.high - effect.low > compare(trials, "loss")[0].high - compare(trials, "loss")[0].low
