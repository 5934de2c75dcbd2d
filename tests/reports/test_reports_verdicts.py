"""Equivalence, effect sizes, sequential stopping, factorial effects, and verdicts about quality and cost together."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from reports.analysis.ablation import Rules, Verdict, compare
from reports.analysis.ablation_notes import design_sentences, factorial_effects, path_steps
from reports.analysis.answer import answer
from reports.analysis.confirmation import confirmation_sentences, confirmed
from reports.analysis.factorial import terms_of, words_of
from reports.analysis.rules import rules_of
from reports.analysis.statistics import detectable, improvement, paired_t, seeds_needed, tost
from reports.analysis.worth import JUDGEMENTS, Cost, judgement, price_of
from search.sequential import always_valid_p, decided, interval, log_evidence, running_interval
from tests.reports.synthetic_study import full_study, make_study
from tests.reports.test_reports_ablation import BASE, WORSE, frame

SMALL = [b + d for b, d in zip(BASE, [0.0004, -0.0003, 0.0002, -0.0004, 0.0001, 0.0003], strict=True)]


def test_equivalence_is_the_two_one_sided_tests_of_statsmodels() -> None:
    differences = np.subtract(SMALL, BASE)
    expected = ttost_paired(np.array(SMALL), np.array(BASE), -0.001, 0.001)[0]
    assert tost(paired_t(differences.tolist()), 0.001) == pytest.approx(float(expected))
    (effect,) = compare(frame(base=BASE, small=SMALL), "loss", Rules(margin=0.001))
    assert effect.p_equivalence == pytest.approx(float(expected))
    assert effect.verdict is Verdict.EQUIVALENT
    assert -0.001 < effect.low_equivalence < effect.high_equivalence < 0.001
    ninety = stats.t.interval(0.9, 5, differences.mean(), stats.sem(differences))
    assert (effect.low_equivalence, effect.high_equivalence) == pytest.approx(tuple(map(float, ninety)))


def test_equivalence_is_adjusted_over_the_family() -> None:
    trials = frame(base=BASE, small=SMALL, other=WORSE, third=SMALL[::-1])
    effects = compare(trials, "loss", Rules(margin=0.0005))
    raw = [tost(paired_t(effect.differences), 0.0005) for effect in effects]
    adjusted = multipletests(raw, method="holm")[1]
    assert [effect.p_equivalence for effect in effects] == pytest.approx(list(map(float, adjusted)))
    for effect in effects:
        inside = effect.low_equivalence > -0.0005 and effect.high_equivalence < 0.0005
        assert inside == (effect.p_equivalence < 0.05)


def test_a_difference_that_is_sure_and_small_is_both() -> None:
    shifted = [b + 0.0005 + d / 10 for b, d in zip(BASE, np.subtract(SMALL, BASE), strict=True)]
    (effect,) = compare(frame(base=BASE, shifted=shifted), "loss", Rules(margin=0.002))
    assert effect.verdict is Verdict.WORSE
    assert effect.verdict_text == "worse, within the margin"


def test_a_margin_that_is_a_share_is_one_of_the_bases_mean() -> None:
    (effect,) = compare(frame(base=BASE, small=SMALL), "loss", Rules(margin=0.01, relative=True))
    assert effect.margin == pytest.approx(0.01 * sum(BASE) / 6)
    (cost,) = compare(frame(base=BASE, small=SMALL), "parameters", Rules(margin=0.01, relative=True))
    assert cost.margin is None


def test_a_margin_stated_after_results_finds_no_equivalence() -> None:
    study = full_study()
    margin = {"value": 0.5, "relative": False}
    document = study.document | {"ablation": {"margin": margin, "variants": {}}}
    before = {"margin": margin, "stated": "2026-11-24T20:00:00+00:00", "results": 0}
    told = replace(study, document=document, stated=(before,))
    late = replace(told, stated=({**before, "results": 3},))
    assert (rules_of(told).beforehand, rules_of(late).beforehand) == (True, False)
    assert any(e.within_margin for e in compare(study.trials, "loss", rules_of(told)))
    assert not any(e.within_margin for e in compare(study.trials, "loss", rules_of(late)))
    assert "No equivalence is claimed by this margin." in [s.head for s in answer(late).ablation]


def test_the_effect_size_is_in_sds_of_the_paired_difference() -> None:
    (effect,) = compare(frame(base=BASE, no_skips=WORSE), "loss")
    differences = np.subtract(WORSE, BASE)
    assert effect.sds == pytest.approx(differences.mean() / differences.std(ddof=1))
    assert (effect.improvement.share, effect.improvement.low) == (0.0, 0.0)
    assert effect.improvement.high == pytest.approx(1 - 0.025 ** (1 / 6))


def test_ties_count_half_in_the_probability_of_improvement() -> None:
    assert improvement([-1.0, 0.0, 1.0, 1.0]).share == pytest.approx(0.375)


@pytest.mark.parametrize("effect", [0.3, 0.8, 1.2, 2.5])
def test_the_seeds_needed_are_those_of_statsmodels_power(effect: float) -> None:
    exact = TTestPower().solve_power(effect, alpha=0.05, power=0.8)
    assert seeds_needed(effect) == math.ceil(exact)
    assert detectable(math.ceil(exact)) <= effect


def test_seeds_that_nobody_has_are_not_worked_out() -> None:
    assert seeds_needed(0.001) is None
    assert seeds_needed(0.0) is None
    assert seeds_needed(-0.8) == seeds_needed(0.8)


# ---- sequential ----------------------------------------------------------------------------------------------------


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


# ---- factorial -----------------------------------------------------------------------------------------------------


def factorial_frame(seeds: int = 6, runs: list[tuple[int, ...]] | None = None, factors: str = "abc") -> pd.DataFrame:
    """A factorial whose effects are 0.1 for a, 0 for b, -0.02 for c, and 0.06 for a x b."""
    random = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for seed in range(seeds):
        block = random.normal(0, 0.05)
        for run in runs or list(product((0, 1), repeat=len(factors))):
            signs = [value - 0.5 for value in run]
            loss = 1 + 0.1 * signs[0] - 0.02 * signs[2] + 2 * 0.06 * signs[0] * signs[1] + block
            name = " + ".join(f for f, on in zip(factors, run, strict=True) if on) or "base"
            rows.append(
                {"part": "ablation", "variant": name, "seed": seed, "status": "finished", "design": "factorial",
                 "loss": loss + random.normal(0, 0.004), "trial": len(rows), "reference": "base",
                 **{f"factor:{f}": f if on else "base" for f, on in zip(factors, run, strict=True)}}
            )  # fmt: skip
    return pd.DataFrame(rows)


def test_main_effects_and_interactions_are_those_of_a_formula_with_blocks() -> None:
    trials = factorial_frame()
    terms = {term.name: term for term in terms_of(trials, "loss")}
    assert list(terms) == ["a", "b", "c", "a x b", "a x c", "b x c"]
    plain = trials.rename(columns=lambda c: c.removeprefix("factor:"))
    coded = plain.assign(**{f: (plain[f] != "base") - 0.5 for f in "abc"})
    fit = smf.ols("loss ~ C(seed) + a + b + c + I(2*a*b) + I(2*a*c) + I(2*b*c)", coded).fit()
    for name, term in terms.items():
        key = name if len(name) == 1 else f"I(2 * {name[0]} * {name[-1]})"
        assert term.estimate == pytest.approx(fit.params[key])
        assert (term.low, term.high) == pytest.approx(tuple(fit.conf_int().loc[key]))
        assert term.p == pytest.approx(fit.pvalues[key])
    assert terms["a"].estimate == pytest.approx(0.1, abs=0.005)
    assert terms["a x b"].estimate == pytest.approx(0.06, abs=0.005)


def test_a_fraction_estimates_aliased_effects_together() -> None:
    half = [(0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0)]
    terms = terms_of(factorial_frame(runs=half), "loss")
    assert [words_of(term) for term in terms] == ["a = b x c", "b = a x c", "c = a x b"]


def test_one_family_holds_the_variants_and_the_effects() -> None:
    trials = pd.concat([factorial_frame(), frame(other=[1.2, 1.1, 1.15, 1.2, 1.1, 1.2])], ignore_index=True)
    effects = compare(trials, "loss")
    other = next(effect for effect in effects if effect.variant == "other")
    cells = [effect for effect in effects if effect.variant != "other"]
    assert {cell.verdict for cell in cells} == {Verdict.IN_DESIGN}
    tested = factorial_effects(trials, "loss", Rules())
    assert other.comparisons == len(tested) + 1 == 7
    adjusted = multipletests([other.p, *(one.term.p for one in tested)], method="holm")[1]
    assert [other.p_holm, *(one.p_holm for one in tested)] == pytest.approx(list(map(float, adjusted)))
    assert [one.term.name for one in tested if one.found][:2] == ["a", "c"]


def test_a_study_without_a_factorial_has_no_effects() -> None:
    assert terms_of(frame(base=BASE, a=WORSE), "loss") == ()
    assert terms_of(factorial_frame(seeds=1), "loss") == ()


# ---- path, stripped base, sentences ---------------------------------------------------------------------------------


def test_the_steps_of_a_path_are_read_from_the_trials() -> None:
    rows = [("base", "", "0", 0.5), ("path: a", "base", "1", 0.3), ("path: b", "base", "1", 0.4),
            ("path: a + b", "path: a", "2", 0.35)]  # fmt: skip
    trials = pd.DataFrame(
        {"part": "ablation", "variant": v, "seed": s, "status": "finished", "loss": loss + s / 100, "design": "path",
         "reference": r or None, "factor:step": v[-1], "factor:number": n if v != "base" else None}
        for v, r, n, loss in rows for s in range(2)
    )  # fmt: skip
    trials.loc[trials["variant"] == "base", "design"] = "variants"
    steps = path_steps(trials, "loss")
    assert [(step.added, step.mean) for step in steps] == [("a", pytest.approx(0.305)), ("b", pytest.approx(0.355))]
    assert steps[0].others == {"b": pytest.approx(0.405)}
    assert {effect.verdict for effect in compare(trials, "loss")} == {Verdict.IN_DESIGN}


def test_what_is_put_back_is_compared_with_the_stripped_base() -> None:
    trials = frame(base=BASE, stripped=WORSE, put_back=SMALL).assign(design="add_one_in", reference="base")
    trials.loc[trials["variant"] == "put-back", "reference"] = "stripped"
    stripped, back = compare(trials, "loss")
    assert stripped.mean == pytest.approx(0.0201666667)
    assert back.reference == "stripped"
    assert back.mean == pytest.approx(np.subtract(SMALL, WORSE).mean())


def test_leaving_one_out_says_what_it_cannot_see() -> None:
    study = full_study()
    told = replace(study, document=study.document | {"ablation": {"leave_one_out": [{"part": "skips"}]}})
    heads = [sentence.head for sentence in design_sentences(told, "loss")]
    assert heads == ["Leaving one out can't see interactions."]


def test_an_open_verdict_says_what_it_would_take() -> None:
    open_ones = [s for s in answer(full_study()).ablation if s.kind == "inconclusive"]
    assert open_ones
    assert "80\N{NARROW NO-BREAK SPACE}% power" in open_ones[0].text
    assert all("no effect" not in str(sentence) for sentence in answer(full_study()).ablation)


# ---- costs ---------------------------------------------------------------------------------------------------------


def cost(percent: float, low: float, high: float) -> Cost:
    return Cost("latency", "latency", percent, low, high)


def test_the_judgement_is_about_quality_and_cost() -> None:
    assert price_of([cost(-10, -12, -8), cost(-0.2, -0.2, -0.2)]) == "cheaper"
    assert price_of([cost(-10, -12, -8), cost(4, 3, 5)]) == "mixed"
    assert price_of([cost(5, -1, 11)]) == "same"
    assert price_of([cost(5, 2, 8)]) == "dearer"
    (worse,) = compare(frame(base=BASE, no_skips=WORSE), "loss")
    assert judgement(worse, [cost(-10, -12, -8)]) == "worse, but cheaper: a trade"
    assert judgement(worse, []) == ""
    told = {verdict for verdict, _ in JUDGEMENTS}
    assert told == {Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT, Verdict.INCONCLUSIVE}
    assert len(JUDGEMENTS) == 16


def test_the_answer_names_costs_beside_the_verdict() -> None:
    told = [sentence for sentence in answer(full_study()).ablation if sentence.kind in ("better", "worse")]
    assert told
    assert all("parameters" in sentence.text and "latency" in sentence.text for sentence in told)


# ---- confirmation --------------------------------------------------------------------------------------------------


def test_search_values_stand_beside_confirmed_ones() -> None:
    study = make_study(seeds=0, trials=6)
    best = study.trials.sort_values("loss").iloc[0]
    number = int(best["trial"])
    fresh = frame(base=BASE, winner=[b - 0.01 + 0.0005 * i for i, b in enumerate(BASE)])
    fresh = fresh.assign(part="confirmation", variant=fresh["variant"].replace({"winner": f"trial {number}"}))
    trials = pd.concat([study.trials, fresh], ignore_index=True)
    (one,) = confirmed(trials)
    assert (one.trial, one.search_value) == (number, float(best["loss"]))
    assert one.confirmed_value == pytest.approx(sum(BASE) / 6 - 0.01 + 0.0005 * 2.5)
    assert one.effect.verdict is Verdict.BETTER
    (said,) = confirmation_sentences(replace(study, trials=trials))
    assert said.head == f"Trial {number} is confirmed: better than the base:"
    assert "search value" in said.text
    searched = answer(replace(study, trials=trials)).search
    assert said in searched
    assert not any("with one seed" in sentence.head for sentence in searched)
