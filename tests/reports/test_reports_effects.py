"""What is said of one variant: pairs, intervals, rules that were stated, and words for what is lacking."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from reports.analysis.ablation import Rules, Verdict, compare
from reports.analysis.divergence import divergence_sentences, divergences
from reports.analysis.rankings import ablation_disagreements
from reports.analysis.rules import rules_of
from reports.analysis.samples import by_seed, comparable, samples_of
from reports.analysis.statistics import (
    detectable,
    holm,
    holm_levels,
    improvement,
    paired_t,
    seeds_needed,
    standardised,
    tost,
)
from search.sequential import interval, running_interval
from tests.reports.bare_study import NAN, bare_study, plain
from tests.reports.test_reports_ablation import BASE, WORSE, frame

EIGHT = [0.100, 0.110, 0.095, 0.105, 0.102, 0.098, 0.104, 0.099]
NEAR = [b + d for b, d in zip(BASE, [0.0004, -0.0003, 0.0002, -0.0004, 0.0001, 0.0003], strict=True)]


@pytest.mark.parametrize(
    ("value", "margin", "p"), [(0.0, 0.1, 0.0), (0.05, 0.1, 0.0), (-0.1, 0.1, 1.0), (0.1, 0.1, 1.0), (0.2, 0.1, 1.0)]
)
def test_differences_without_any_spread_are_equivalent_where_they_lie_inside_the_margin(
    value: float, margin: float, p: float
) -> None:
    assert tost(paired_t([value] * 5), margin) == p


def test_one_difference_is_neither_equivalent_nor_of_a_size() -> None:
    assert math.isnan(tost(paired_t([0.1]), 1.0))
    assert math.isnan(standardised(paired_t([0.1])))
    assert standardised(paired_t([-0.1] * 3)) == -math.inf


@pytest.mark.parametrize(("better", "ties"), [(0, 0), (3, 0), (8, 0), (2, 2)])
def test_the_probability_of_improvement_has_the_interval_of_clopper_and_pearson(better: int, ties: int) -> None:
    differences = [-1.0] * better + [0.0] * ties + [1.0] * (8 - better - ties)
    found, wins = improvement(differences), better + ties / 2
    low, high = proportion_confint(wins, 8, 0.05, method="beta")
    assert found.share == wins / 8
    assert found.low == (0.0 if wins == 0 else pytest.approx(low))
    assert found.high == (1.0 if wins == 8 else pytest.approx(high))
    if wins == 8:
        assert found.low == pytest.approx(0.025 ** (1 / 8))


def test_no_pair_says_nothing_of_improvement() -> None:
    nothing = improvement([])
    assert all(math.isnan(value) for value in (nothing.share, nothing.low, nothing.high))


def test_adjusted_p_values_are_those_of_statsmodels_with_ties_and_ones() -> None:
    random = np.random.default_rng(2)
    for _ in range(100):
        raw = np.round(random.random(int(random.integers(1, 9))) ** 3, 2).tolist()
        assert holm(raw) == pytest.approx(multipletests(raw, method="holm")[1].tolist())


def test_the_level_of_each_test_follows_from_its_rank_until_one_is_kept() -> None:
    # 0.001 < 0.05 / 4, 0.02 >= 0.05 / 3: kept, and so are all that follow, at that level.
    assert holm_levels([0.02, 0.001, 0.021, NAN, 0.9]) == pytest.approx(
        [0.05 / 3, 0.05 / 4, 0.05 / 3, NAN, 0.05 / 3], nan_ok=True
    )
    assert holm_levels([0.001, 0.002], alpha=0.1) == pytest.approx([0.05, 0.1])


def test_more_comparisons_and_smaller_effects_need_more_seeds() -> None:
    assert seeds_needed(1.0, 1) == next(n for n in range(3, 50) if detectable(n, 1) <= 1.0)
    assert seeds_needed(1.0, 10) == next(n for n in range(3, 50) if detectable(n, 10) <= 1.0)
    assert seeds_needed(1e6) == 3
    assert seeds_needed(math.nan) is None
    assert detectable(8, 0) == detectable(8, 1)


def test_the_adjusted_interval_of_a_ratio_is_in_per_cent_of_the_base() -> None:
    trials = frame(base=BASE, slow=WORSE, other=WORSE[::-1])
    trials["latency"] = trials["latency_ratio"] = trials["loss"] * 10
    slow = compare(trials, "latency")[0]
    logs = np.log(np.array(WORSE) / np.array(BASE))
    ends = stats.t.interval(0.95, 5, logs.mean(), stats.sem(logs))
    assert (slow.low, slow.high) == pytest.approx(tuple(np.expm1(ends) * 100))
    assert (slow.percent, slow.percent_low) == (slow.mean, slow.low)
    assert slow.differences == pytest.approx(tuple(np.expm1(logs) * 100))
    level = holm_levels([e.p for e in compare(trials, "latency")])[0]
    wider = stats.t.interval(1 - level, 5, logs.mean(), stats.sem(logs))
    assert (slow.low_adjusted, slow.high_adjusted) == pytest.approx(tuple(np.expm1(wider) * 100))
    assert slow.base_mean == pytest.approx(sum(BASE) / 6 * 10)
    assert slow.smallest_detectable == pytest.approx(np.expm1(detectable(6, 2) * logs.std(ddof=1)) * 100)


def test_a_base_of_nought_has_no_share() -> None:
    (effect,) = compare(frame(base=[0.0] * 5, other=WORSE[:5]), "loss")
    assert math.isnan(effect.percent)
    assert effect.mean == pytest.approx(np.mean(WORSE[:5]))


def test_a_sequential_study_finds_equivalence_by_the_intervals_that_hold_at_every_look() -> None:
    base = [0.1 + 0.001 * (i % 5) for i in range(14)]
    near = [b + 1e-4 * ((i * 7) % 5 - 2) for i, b in enumerate(base)]
    differences = np.subtract(near, base).tolist()
    rules = Rules(margin=0.001, max_seeds=20)
    (effect,) = compare(frame(base=base, near=near), "loss", rules)
    assert effect.verdict is Verdict.EQUIVALENT
    # The p value is the level at which the running interval just fits between the margins.
    inside = [running_interval(differences, 1 - effect.p_equivalence * factor) for factor in (1.001, 0.999)]
    assert [low > -0.001 and high < 0.001 for low, high in inside] == [True, False]
    assert (effect.low_equivalence, effect.high_equivalence) == running_interval(differences, 0.95)
    assert (effect.low, effect.high) == running_interval(differences, 0.95)


def test_a_sequential_study_claims_no_equivalence_outside_the_margin_or_from_one_seed() -> None:
    rules = Rules(margin=0.001, max_seeds=20)
    (far,) = compare(frame(base=BASE, far=WORSE), "loss", rules)
    assert far.p_equivalence == 1.0
    (single,) = compare(frame(base=BASE[:1], single=NEAR[:1]), "loss", rules)
    assert math.isnan(single.p_equivalence)
    assert single.verdict is Verdict.TOO_FEW


def test_intervals_with_nothing_in_common_leave_the_last_one() -> None:
    jump = [0.001, 0.00101, 0.00099, 0.001, 0.00101] + [5.0, 5.2, 4.9, 5.1, 5.0] * 4
    assert running_interval(jump, 0.95) == interval(jump, 0.95)


def test_a_seed_not_begun_is_lost_in_a_study_of_fixed_seeds_only() -> None:
    trials = frame(base=BASE, short=WORSE[:5])
    (fixed,), (sequential,) = (samples_of(trials, "loss", sequential=one) for one in (False, True))
    assert [drop.seed for drop in fixed.dropped] == [5]
    assert sequential.dropped == ()
    assert fixed.values == tuple(WORSE[:5])
    assert comparable(fixed) == pytest.approx(np.subtract(WORSE[:5], BASE[:5]))


def test_a_result_without_the_metric_is_a_reason_of_its_own() -> None:
    trials = frame(base=BASE[:2], other=WORSE[:2]).assign(fd=[1.0, NAN, NAN, 2.0])
    (sample,) = samples_of(trials, "fd")
    assert [(d.seed, d.reason) for d in sample.dropped] == [(0, "the variant has no fd"), (1, "the base has no fd")]
    assert by_seed(trials, "other", "fd") == {1: 2.0}
    assert by_seed(trials, "other", "unheard of") == {}


def test_records_that_do_not_name_design_or_reference_are_variants_of_the_base() -> None:
    trials = frame(base=BASE, other=WORSE)
    (plainly,) = samples_of(trials, "loss")
    (empty,) = samples_of(trials.assign(design=None, reference=NAN), "loss")
    assert plainly == empty
    assert (plainly.design, plainly.reference) == ("variants", "base")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"verdict": Verdict.EXACT}, "counted"),
        ({"verdict": Verdict.IN_DESIGN}, "part of a design"),
        ({"verdict": Verdict.INCONCLUSIVE}, "inconclusive"),
        ({"margin": 0.1, "low_equivalence": 0.01, "high_equivalence": 0.03}, "worse, within the margin"),
        ({"margin": 0.03, "low_equivalence": 0.01, "high_equivalence": 0.03}, "worse"),
        ({"margin": 0.1, "low_equivalence": -0.1, "high_equivalence": 0.03}, "worse"),
        ({"verdict": Verdict.EQUIVALENT, "margin": 0.1, "low_equivalence": 0.0, "high_equivalence": 0.0}, "equivalent"),
    ],
)
def test_a_verdict_in_words(changes: dict[str, Any], text: str) -> None:
    (effect,) = compare(frame(base=BASE, other=WORSE), "loss")
    assert replace(effect, **changes).verdict_text == text


def test_what_became_of_the_bases_seeds_is_not_laid_to_the_variant() -> None:
    (effect,) = compare(frame(base=["oom"] * 4 + BASE[:2], other=WORSE), "loss")
    assert effect.verdict_text == "too few seeds for a verdict (n=2; 5 needed)"
    assert not effect.survivors_only


# ---- rules ---------------------------------------------------------------------------------------------------------


def test_the_rules_are_read_from_the_study_file() -> None:
    margin = {"value": 2, "relative": True}
    document = {"ablation": {"margin": margin, "until": {"max_seeds": 9}}, "protocol": {"tune": {"what": ["lr"]}}}
    rules = rules_of(bare_study(frame(base=BASE), document=document))
    assert rules == Rules(margin=2.0, relative=True, max_seeds=9, tuned=("lr",))
    assert rules.sequential
    assert rules_of(bare_study(frame(base=BASE))) == Rules()
    assert not Rules().sequential


def test_without_a_margin_the_effect_that_seeds_are_added_for_is_one() -> None:
    effect = {"value": 0.01, "relative": False}
    until = {"effect": effect, "max_seeds": 9}
    assert rules_of(bare_study(frame(base=BASE), document={"ablation": {"until": until}})).margin == 0.01
    both = {"ablation": {"until": until, "margin": {"value": 0.02}}}
    assert rules_of(bare_study(frame(base=BASE), document=both)).margin == 0.02


def test_the_margin_that_counts_is_the_present_one_as_it_was_stated_last() -> None:
    now, before = {"value": 0.01}, {"value": 0.5}
    told = (
        {"margin": now, "stated": "first", "results": 0},
        {"margin": before, "stated": "second", "results": 2},
        {"margin": now, "stated": "third", "results": 4},
    )
    study = bare_study(frame(base=BASE), document={"ablation": {"margin": now}}, stated=told)
    assert (rules_of(study).stated, rules_of(study).beforehand) == ("third", False)
    early = replace(study, stated=told[:2])
    assert (rules_of(early).stated, rules_of(early).beforehand) == ("first", True)


@pytest.mark.parametrize(
    ("rules", "metric", "margin"),
    [
        (Rules(margin=0.01), "loss", 0.01),
        (Rules(margin=0.01, relative=True), "loss", 0.02),
        (Rules(margin=0.01), "loss_edm", None),
        (Rules(margin=0.01, beforehand=False), "loss", None),
        (Rules(), "loss", None),
    ],
)
def test_a_margin_is_of_the_loss_and_stated_before_results(rules: Rules, metric: str, margin: float | None) -> None:
    assert rules.margin_for(metric, -2.0) == margin


# ---- divergence ----------------------------------------------------------------------------------------------------


def test_divergence_of_both_in_the_same_seeds_says_nothing_of_either() -> None:
    lost: list[float | str | None] = ["diverged"] * 4 + EIGHT[4:]
    (one,) = divergences(frame(base=lost, alike=lost))
    assert (one.seeds, one.variant_diverged, one.reference_diverged, one.p) == (8, 4, 4, 1.0)
    assert not one.found


def test_the_p_value_is_that_of_mcnemars_exact_test_on_the_pairs() -> None:
    base: list[float | str | None] = ["diverged", *EIGHT[1:]]
    wild: list[float | str | None] = [EIGHT[0], *["diverged"] * 6, EIGHT[7]]
    (one,) = divergences(frame(base=base, wild=wild))
    assert one.p == pytest.approx(mcnemar([[0, 6], [1, 1]], exact=True).pvalue)
    assert one.p == pytest.approx(stats.binomtest(1, 7).pvalue)


def test_divergence_in_some_seeds_is_told_beside_the_mean_of_the_survivors() -> None:
    wild: list[float | str | None] = ["diverged"] * 7 + EIGHT[7:]
    (said,) = divergence_sentences(frame(base=EIGHT, wild=wild))
    assert plain(said) == (
        "wild is less stable than the base: its training diverged in 7 of 8 seeds, the base in none; p = 0.016 "
        "(McNemar, exact; Holm). Other comparisons of it rest on the seeds that survived."
    )


def test_stability_is_against_what_a_variant_is_compared_to() -> None:
    trials = frame(base=EIGHT, stripped=["diverged"] * 8, back=EIGHT).assign(reference="base")
    trials.loc[trials["variant"] == "back", "reference"] = "stripped"
    heads = [(s.kind, s.head) for s in divergence_sentences(trials)]
    assert heads == [
        ("worse", "stripped is less stable than the base:"),
        ("better", "back is more stable than `stripped`:"),
    ]


def test_five_seeds_that_all_diverge_against_none_are_too_few_for_the_exact_test() -> None:
    (one,) = divergences(frame(base=EIGHT[:5], wild=["diverged"] * 5))
    assert one.p == pytest.approx(0.0625)
    assert not one.found


def test_a_variant_whose_losses_point_both_ways_is_told_even_where_only_the_second_is_clear() -> None:
    open_loss = [b + d for b, d in zip(BASE, [0.01, -0.012, 0.004, -0.006, 0.011, -0.003], strict=True)]
    trials = frame(base=BASE, other=open_loss)
    trials["loss_edm"] = [*BASE, *(b - 0.01 + i * 1e-4 for i, b in enumerate(BASE))]
    [(head, text)] = ablation_disagreements(bare_study(trials))
    assert head == "The losses disagree on other:"
    assert text.startswith("held-out loss +0.0007 [")
    assert "(inconclusive), but EDM-weighted loss −0.009" in text
    assert text.endswith("(better).")
