"""Equivalence, effect sizes, and verdicts about quality and cost together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.stats.weightstats import ttost_paired

from reports.analysis.ablation import Rules, Verdict, compare
from reports.analysis.answer import answer
from reports.analysis.confirmation import confirmation_sentences, confirmed
from reports.analysis.rules import rules_of
from reports.analysis.statistics import detectable, improvement, paired_t, seeds_needed, tost
from reports.analysis.worth import JUDGEMENTS, Cost, judgement, price_of
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
