"""What fresh seeds say of a search's winners: the value found in the search beside the one that was confirmed."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from scipy import stats

from reports.analysis.ablation import Verdict
from reports.analysis.confirmation import confirmation_sentences, confirmed
from reports.analysis.statistics import holm
from tests.reports.bare_study import bare_study, plain, searched
from tests.reports.test_reports_ablation import BASE, WORSE, frame

BETTER = [b - 0.01 + 0.0005 * i for i, b in enumerate(BASE)]
OPEN = [b + d for b, d in zip(BASE, [0.01, -0.012, 0.004, -0.006, 0.011, -0.003], strict=True)]


def confirming(search: list[float], **winners: list[float | str | None]) -> pd.DataFrame:
    """A search, and winners (`trial_3=[…]`) that were trained again beside the base."""
    fresh = frame(**winners).assign(part="confirmation")
    fresh["variant"] = fresh["variant"].str.replace("-", " ")
    return pd.concat([searched(search), fresh], ignore_index=True)


def told(trials: pd.DataFrame) -> list[tuple[str, str]]:
    return [(s.kind, plain(s)) for s in confirmation_sentences(bare_study(trials, objectives=("loss",)))]


def test_a_confirmed_winner_has_both_values_and_what_the_search_made_of_it() -> None:
    trials = confirming([0.3, 0.085], base=BASE, trial_1=BETTER)
    (one,) = confirmed(trials)
    mean = sum(BETTER) / 6
    assert (one.trial, one.search_value, one.seeds) == (1, 0.085, 6)
    assert one.confirmed_value == pytest.approx(mean)
    assert one.optimism == pytest.approx((0.085 / mean - 1) * 100)
    theirs = stats.ttest_rel(BETTER, BASE)
    assert one.effect.p == pytest.approx(float(theirs.pvalue))
    low, high = theirs.confidence_interval(0.95)
    ((kind, text),) = told(trials)
    assert kind == "better"
    assert text == (
        f"Trial 1 is confirmed: better than the base: search value 0.08500, −{-one.optimism:.1f} % against the "
        f"confirmed {mean:.5f} over 6 fresh seeds; −{0.00875:.5f} [−{-low:.5f}, −{-high:.5f}] against the base, "
        "p < 0.001 (Holm)."
    )


def test_a_winner_that_is_worse_is_not_confirmed() -> None:
    ((kind, text),) = told(confirming([0.09], base=BASE, trial_0=WORSE))
    assert kind == "worse"
    assert text.startswith("Trial 0 is not confirmed: worse than the base: search value 0.09000, −26 % against ")


def test_a_winner_within_the_noise_is_not_confirmed() -> None:
    ((kind, text),) = told(confirming([0.09], base=BASE, trial_0=OPEN))
    assert kind == "inconclusive"
    assert text.startswith("Trial 0 is not confirmed: search value 0.09000, ")
    assert text.endswith(" against the base, not told apart from chance.")


def test_few_fresh_seeds_give_no_verdict() -> None:
    ((kind, text),) = told(confirming([0.09], base=BASE[:2], trial_0=BETTER[:2]))
    assert kind == "few"
    assert text.startswith("Trial 0 has too few fresh seeds for a verdict: search value 0.09000, ")
    assert " over 2 fresh seeds; " in text
    assert text.endswith(" against the base.")


def test_a_seed_that_the_base_lost_counts_for_the_confirmed_value_and_not_for_the_comparison() -> None:
    trials = confirming([0.09], base=["oom", *BASE[1:]], trial_0=[0.2, *BETTER[1:]])
    (one,) = confirmed(trials)
    assert (one.seeds, one.effect.n) == (6, 5)
    assert one.confirmed_value == pytest.approx((0.2 + sum(BETTER[1:])) / 6)
    assert " over 6 fresh seeds; " in told(trials)[0][1]


@pytest.mark.parametrize(("values", "words"), [(BETTER, "6 fresh seeds"), ([0.0912], "1 fresh seed")])
def test_without_a_seed_of_the_base_only_the_values_are_told(values: list[float], words: str) -> None:
    ((kind, text),) = told(confirming([0.09], base=["failed"] * 6, trial_0=[*values]))
    mean = sum(values) / len(values)
    sign, share = "+" if mean < 0.09 else "−", abs(0.09 / mean - 1) * 100
    assert kind == "few"
    assert text == (
        f"Trial 0 has no fresh seed in common with the base: search value 0.09000, {sign}{share:.1f} % against the "
        f"confirmed {mean:#.4g} over {words}."
    )


def test_winners_are_one_family_and_keep_the_order_of_the_search() -> None:
    trials = confirming([0.3, 0.2, 0.1], base=BASE, trial_2=OPEN, trial_0=BETTER, trial_1=WORSE)
    found = confirmed(trials)
    assert [one.trial for one in found] == [2, 0, 1]
    raw = [float(stats.ttest_rel(values, BASE).pvalue) for values in (OPEN, BETTER, WORSE)]
    assert [one.effect.p_holm for one in found] == pytest.approx(holm(raw))
    assert [one.effect.verdict for one in found] == [Verdict.INCONCLUSIVE, Verdict.BETTER, Verdict.WORSE]


def test_what_has_no_result_yet_or_is_no_trial_of_the_search_is_left_out() -> None:
    assert confirmed(confirming([0.1], base=BASE, trial_0=["failed"] * 6)) == []
    assert confirmed(confirming([0.1], base=BASE, trial_7=BETTER)) == []
    assert confirmed(searched([0.1])) == []


def test_a_confirmed_value_of_nought_has_no_share() -> None:
    (one,) = confirmed(confirming([0.1], base=BASE, trial_0=[0.0] * 6))
    assert math.isnan(one.optimism)


def test_trials_of_the_ablation_do_not_take_part() -> None:
    trials = confirming([0.09], base=BASE, trial_0=BETTER)
    ablation = frame(base=WORSE, other=WORSE)
    (one,) = confirmed(pd.concat([trials, ablation], ignore_index=True))
    assert one.effect.comparisons == 1
    assert one.effect.base_mean == pytest.approx(sum(BASE) / 6)
