"""The sentences that an ablation's answer is made of, whole, each in the situation that it is for."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from reports.analysis.ablation import Verdict, compare
from reports.analysis.ablation_answer import ablation_sentences
from reports.analysis.answer import answer
from reports.analysis.rules import rules_of
from reports.analysis.sentences import Sentence
from studies.frame import StudyResults
from tests.reports.bare_study import bare_study, plain
from tests.reports.test_reports_ablation import BASE, WORSE, frame

OPEN = [b + d for b, d in zip(BASE, [0.01, -0.012, 0.004, -0.006, 0.011, -0.003], strict=True)]
NEAR = [b + d for b, d in zip(BASE, [0.0004, -0.0003, 0.0002, -0.0004, 0.0001, 0.0003], strict=True)]


def said(study: StudyResults) -> list[str]:
    return [plain(sentence) for sentence in ablation_sentences(study, "loss")]


def stated(study: StudyResults, value: float, *, results: int = 0) -> StudyResults:
    """The study with a margin that was stated when there were so many results."""
    margin = {"value": value, "relative": False}
    when = {"margin": margin, "stated": "2026-11-24T20:00:00+00:00", "results": results}
    return replace(study, document={"ablation": {"margin": margin}}, stated=(when,))


def test_a_sentence_reads_as_its_head_and_what_is_behind_it() -> None:
    assert str(Sentence("note", "A head.", "And a text.")) == "A head. And a text."
    assert str(Sentence("note", "A head alone.")) == "A head alone."


def test_a_better_variant_has_its_interval_its_share_its_p_value_and_its_seeds() -> None:
    trials = frame(base=WORSE, wider=BASE).drop(columns="parameters")
    theirs = stats.ttest_rel(BASE, WORSE)
    low, high = theirs.confidence_interval(0.95)
    (sentence,) = ablation_sentences(bare_study(trials), "loss")
    assert (sentence.kind, sentence.head) == ("better", "wider is better than the base:")
    assert plain(sentence.text) == (
        f"held-out loss −0.0202 [−{-low:.4f}, −{-high:.4f}], −{0.0201666667 / np.mean(WORSE) * 100:.0f} % of the base; "
        "p < 0.001 (Holm), better in 6 of 6 seeds."
    )
    assert float(theirs.pvalue) < 0.001


def test_seeds_that_disagree_with_a_verdict_are_counted() -> None:
    mostly = [*WORSE[:5], BASE[5] - 0.0005]
    (sentence,) = said(bare_study(frame(base=BASE, mostly=mostly).drop(columns="parameters")))
    assert sentence.startswith("mostly is worse than the base: ")
    assert sentence.endswith("(Holm), worse in 5 of 6 seeds.")


def test_the_worst_comes_first_and_equal_verdicts_by_size() -> None:
    shifts = {"slightly": 0.002, "far": 0.05, "gain": -0.004, "middle": 0.01}
    noise = np.subtract(NEAR, BASE)
    variants = {name: [b + d + n for b, n in zip(BASE, noise, strict=True)] for name, d in shifts.items()}
    heads = [s.head for s in ablation_sentences(bare_study(frame(base=BASE, **variants)), "loss")]
    assert heads == [
        "far is worse than the base:", "middle is worse than the base:", "slightly is worse than the base:",
        "gain is better than the base:",
    ]  # fmt: skip


@pytest.mark.parametrize(("lost", "words"), [(1, "1 more seed"), (2, "2 more seeds")])
def test_seeds_that_only_the_variant_lost_are_said_beside_its_verdict(lost: int, words: str) -> None:
    base, wild = [*BASE, 0.101, 0.099], [*WORSE, 0.12, 0.121]
    wild_lost: list[float | str | None] = [*wild[: 8 - lost], *["oom"] * lost]
    first = said(bare_study(frame(base=base, wild=wild_lost)))[0]
    assert first.endswith(f" It lost {words} without a result: this is the mean of the survivors.")


def test_a_seed_that_the_base_lost_makes_no_survivors_of_the_variant() -> None:
    (sentence,) = said(bare_study(frame(base=["oom", *BASE], wild=[0.2, *WORSE]).drop(columns="parameters")))
    assert "survivors" not in sentence
    assert sentence.endswith("worse in 6 of 6 seeds.")


def test_what_is_put_back_is_told_against_what_it_was_put_back_into() -> None:
    trials = frame(base=BASE, stripped=WORSE, put_back=NEAR).assign(design="add_one_in", reference="base")
    trials.loc[trials["variant"] == "put-back", "reference"] = "stripped"
    study = bare_study(trials.drop(columns="parameters"))
    worse, better = ablation_sentences(study, "loss")[:2]
    assert worse.head == "stripped is worse than the base:"
    assert better.head == "put-back is better than `stripped`:"
    share = (np.mean(NEAR) / np.mean(WORSE) - 1) * 100
    assert f", −{-share:.0f} % of `stripped`; p < 0.001 (Holm)" in plain(better.text)


def test_an_equivalent_variant_is_told_with_the_margin_and_the_test() -> None:
    study = stated(bare_study(frame(base=BASE, near=NEAR)), 0.001)
    (effect,) = compare(study.trials, "loss", rules_of(study))
    sentence = ablation_sentences(study, "loss")[0]
    assert (sentence.kind, sentence.head) == ("equivalent", "near is equivalent to the base within the margin:")
    mean, low, high = np.mean(np.subtract(NEAR, BASE)), effect.low, effect.high
    assert plain(sentence.text) == (
        f"held-out loss +{mean:.5f} [−{-low:.5f}, +{high:.5f}], within ±0.0010; p < 0.001 (TOST, Holm), 6 seeds. As "
        "good within the margin, and cheaper (parameters −10 %)."
    )
    assert effect.p_equivalence < 0.001


def test_a_margin_stated_late_leaves_the_verdict_open_and_says_when_it_was_stated() -> None:
    heads = said(stated(bare_study(frame(base=BASE, near=NEAR)), 0.001, results=3))
    assert heads[0].startswith("Inconclusive: near; ")
    assert heads[1:] == [
        "No equivalence is claimed by this margin. It was stated at 2026-11-24T20:00:00+00:00, when there were results "
        "already."
    ]


def test_open_verdicts_say_what_could_be_missed_and_what_it_would_take_for_each() -> None:
    wobble = [b + d for b, d in zip(BASE, [0.004, -0.003, 0.001, -0.002, 0.003, 0.0], strict=True)]
    study = bare_study(frame(base=BASE, first=OPEN, second=wobble))
    spread = np.std(np.subtract(OPEN, BASE), ddof=1)
    power = TTestPower()
    detectable = power.solve_power(nobs=6, alpha=0.025, power=0.8) * spread
    seeds = []
    for one in (OPEN, wobble):
        differences = np.subtract(one, BASE)
        size = abs(differences.mean()) / differences.std(ddof=1)
        seeds.append(math.ceil(power.solve_power(effect_size=size, alpha=0.025, power=0.8)))
    assert said(study) == [
        "Inconclusive: first and second; the differences of held-out loss are not told apart from chance. True ones "
        f"smaller than about {detectable:.3f} would often be missed by so few seeds. A difference as large as the one "
        f"seen would need, for 80 % power, first {seeds[0]:,} and second {seeds[1]:,} seeds."
    ]


def test_with_a_margin_the_seeds_are_those_that_find_a_difference_of_it() -> None:
    study = stated(bare_study(frame(base=BASE, first=OPEN)), 0.006)
    size = 0.006 / np.std(np.subtract(OPEN, BASE), ddof=1)
    seeds = math.ceil(TTestPower().solve_power(effect_size=size, alpha=0.05, power=0.8))
    assert said(study)[0].endswith(f" A difference of the margin would need, for 80 % power, first {seeds} seeds.")


def test_more_seeds_than_anyone_has_are_not_counted() -> None:
    even = [b + d for b, d in zip(BASE, [0.01, -0.01, 0.01, -0.01, 0.01, -0.00999], strict=True)]
    (sentence,) = said(bare_study(frame(base=BASE, even=even)))
    assert sentence.endswith("would need, for 80 % power, even more than 10,000 seeds.")


def test_few_seeds_of_some_are_named_and_the_others_are_judged() -> None:
    study = bare_study(frame(base=BASE, some=WORSE, few=WORSE[:3]))
    assert said(study)[1:] == ["Too few seeds for a verdict: few (n=3); 5 are needed."]


def test_what_cannot_be_paired_is_told_by_what_it_is_compared_to() -> None:
    trials = frame(base=BASE, stripped=["failed"] * 6, put_back=WORSE, gone=["oom"] * 5 + ["diverged"])
    trials = trials.assign(design="add_one_in", reference="base")
    trials.loc[trials["variant"] == "put-back", "reference"] = "stripped"
    assert said(bare_study(trials))[:2] == [
        "No seed of stripped and gone can be paired with the base. The variant: failed, the variant: out of memory and "
        "the variant: diverged.",
        "No seed of put-back can be paired with `stripped`. `stripped`: failed.",
    ]


def test_a_base_without_a_result_and_an_ablation_without_any_are_two_things() -> None:
    assert said(bare_study(frame(base=["failed"] * 3, one=WORSE[:3]))) == [
        "The base has no finished trial. Variants can't be compared without it."
    ]
    assert said(bare_study(frame(base=["failed"] * 3, one=["oom"] * 3))) == [
        "No ablation trial has finished. There is nothing to compare yet."
    ]
    assert said(bare_study(frame(base=BASE))) == ["Only the base has run. There is no variant to compare it with yet."]


def test_identical_measurements_are_open_and_ask_for_no_number_of_seeds() -> None:
    (effect,) = compare(frame(base=BASE, same=BASE), "loss")
    assert (effect.verdict, effect.seeds_needed, effect.sds) == (Verdict.INCONCLUSIVE, None, 0.0)


def test_an_empty_study_has_no_answer() -> None:
    found = answer(bare_study(frame(base=BASE).iloc[:0]))
    assert (found.ablation, found.search, found.counts) == ((), (), {})
