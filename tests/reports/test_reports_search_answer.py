"""The sentences that a search's answer is made of, whole, each in the situation that it is for."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from reports.analysis.answer import answer, best_trial
from reports.analysis.pareto import by_ratio, first_objective, objectives_of, ratios_in_words
from studies.frame import StudyResults
from tests.reports.bare_study import NAN, bare_study, plain, searched

ONE_SEED = (
    "Every architecture of the search ran with one seed. Differences between neighbours may be chance, so no winner is "
    "claimed; `ushape confirm` trains the best with fresh seeds."
)


def said(trials: pd.DataFrame, **changes: Any) -> list[str]:
    return [plain(s) for s in answer(bare_study(trials, **{"objectives": ("loss",), **changes})).search]


def best(trials: pd.DataFrame, **changes: Any) -> int | None:
    found = best_trial(bare_study(trials, **{"objectives": ("loss",), **changes}))
    return None if found is None else int(found["trial"])


def test_one_trial_is_the_best_and_nothing_is_cheaper() -> None:
    assert said(searched([0.25], latency=[0.002], parameters=[2e6])) == [
        "Best held-out loss: trial 0, 0.2500 (latency 2.00 ms, parameters 2.00 M).",
        "None within 1 % of it is cheaper by latency or parameters.",
        ONE_SEED,
    ]


def test_without_costs_only_the_best_is_told() -> None:
    assert said(searched([0.3, 0.2])) == ["Best held-out loss: trial 1, 0.2000.", ONE_SEED]


def test_of_equal_trials_the_first_is_the_best() -> None:
    assert best(searched([0.3, 0.2, 0.2])) == 1
    assert best(searched([0.3, 0.2, 0.2]), maximised=frozenset({"loss"})) == 0


@pytest.mark.parametrize(
    ("status", "feasible", "chosen"),
    [("finished", True, 0), ("replayed", True, 0), ("finished", False, 1), ("pruned", True, 1), ("diverged", True, 1),
     ("running", True, 1)],
)  # fmt: skip
def test_the_best_is_a_trial_with_a_result_within_the_budgets(status: str, *, feasible: bool, chosen: int) -> None:
    assert best(searched([0.1, 0.2], status=[status, "finished"], feasible=[feasible, True])) == chosen


def test_a_loss_that_is_missing_is_never_the_best() -> None:
    assert best(searched([NAN, 0.2, 0.3])) == 1
    assert best(searched([NAN, NAN])) is None
    assert best(searched([NAN, 0.2, 0.3]), maximised=frozenset({"loss"})) == 2


def test_budgets_are_said_to_be_kept_only_where_there_are_some() -> None:
    trials = searched([0.2], macs=[1e6])
    assert said(trials, budgets={"macs": 2e6})[0] == "Best held-out loss within budget: trial 0, 0.2000."
    assert said(trials)[0] == "Best held-out loss: trial 0, 0.2000."


def test_the_costs_named_are_the_other_objectives() -> None:
    trials = searched([0.2, 0.3], macs=[3e6, 2e6], memory=[2.0**20, 2.0**21], latency=[0.1, 0.2])
    first = said(trials, objectives=("macs", "loss", "memory"))[0]
    assert first == "Best held-out loss: trial 0, 0.2000 (MACs 3.00 M, peak memory 1.00 MiB)."


def test_a_search_without_the_loss_is_about_its_first_objective() -> None:
    trials = searched([0.2, 0.3], macs=[3e6, 2e6], latency=[0.1, 0.2])
    assert said(trials, objectives=("latency", "macs"))[:2] == [
        "Best latency: trial 0, 100 ms (MACs 3.00 M).",
        "None within 1 % of it is cheaper by MACs.",
    ]


def test_where_the_search_was_taken_out_of_the_study_its_trials_are_judged_by_the_loss() -> None:
    study = bare_study(searched([0.3, 0.2]))
    assert (objectives_of(study), first_objective(study)) == (("loss",), "loss")
    assert best_trial(study)["trial"] == 1  # type: ignore[index]


@pytest.mark.parametrize(
    ("objectives", "first"),
    [
        (("loss",), "loss"),
        (("macs", "loss"), "loss"),
        (("macs", "latency"), "macs"),
        (("loss_edm", "macs"), "loss_edm"),
    ],
)
def test_the_first_objective_is_the_loss_where_it_is_one(objectives: tuple[str, ...], first: str) -> None:
    assert first_objective(bare_study(searched([0.1]), objectives=objectives)) == first


def test_the_cheapest_within_one_per_cent_has_its_cost_its_saving_and_its_loss() -> None:
    trials = searched([0.1, 0.101, 0.1011], macs=[4e6, 3e6, 1e6])
    assert said(trials, objectives=("loss", "macs"))[1] == (
        "Cheapest within 1 % of it by MACs: trial 1 (3.00 M, −25 %; held-out loss 0.1010)."
    )


def test_of_several_costs_each_has_its_cheapest_and_the_rest_are_named_together() -> None:
    trials = searched([0.1, 0.1005], macs=[4e6, 3e6], memory=[1e6, 2e6], parameters=[100.0, 100.0])
    found = said(trials, objectives=("loss", "macs", "memory", "parameters"))
    assert found[1:3] == [
        "Cheapest within 1 % of it by MACs: trial 1 (3.00 M, −25 %; held-out loss 0.1005).",
        "None within 1 % of it is cheaper by peak memory or parameters.",
    ]


def test_where_more_is_better_one_per_cent_less_is_near_too() -> None:
    trials = searched([0.1, 0.2, 0.3], parameters=[100e6, 99e6, 98.9e6], macs=[5e9, 4e9, 3e9])
    found = said(trials, objectives=("parameters", "macs"), maximised=frozenset({"parameters"}))
    assert found[:2] == [
        "Best parameters: trial 0, 100 M (MACs 5.00 G).",
        "Cheapest within 1 % of it by MACs: trial 1 (4.00 G, −20 %; parameters 99.0 M).",
    ]


def test_of_a_cost_of_which_more_is_better_the_most_is_looked_for() -> None:
    trials = searched([0.1, 0.1005, 0.2], parameters=[2e6, 3e6, 9e6], macs=[3e6, 3e6, 1e6])
    found = said(trials, objectives=("loss", "parameters", "macs"), maximised=frozenset({"parameters"}))
    assert found[1:3] == [
        "Most within 1 % of it by parameters: trial 1 (3.00 M, +50 %; held-out loss 0.1005).",
        "None within 1 % of it is cheaper by MACs.",
    ]


def test_a_cost_that_the_best_lacks_is_not_reckoned_with() -> None:
    trials = searched([0.1, 0.1005], memory=[NAN, 1e6])
    assert said(trials, objectives=("loss", "memory"))[1] == "None within 1 % of it is cheaper by peak memory."


def test_the_base_is_told_beside_the_best_where_the_search_has_trained_it() -> None:
    trials = searched([0.2, 0.15], fingerprint=["base", "other"])
    assert said(trials)[0] == (
        "Best held-out loss: trial 1, 0.1500. The base (trial 0) has 0.2000: a difference of −25 %."
    )
    assert said(searched([0.1, 0.15], fingerprint=["base", "other"]))[0].endswith(" It is the base itself.")
    assert "base" not in said(searched([0.2, 0.15], fingerprint=["other", "another"]))[0]


def test_nothing_in_the_budgets_names_the_trial_that_is_least_over_the_one_it_breaks_most() -> None:
    trials = searched([0.1, 0.2, 0.3], macs=[4e6, 2.2e6, 1e6], memory=[2.0**20, 2.0**20, 2.0**24], feasible=False)
    budgets = {"macs": 2e6, "memory": 2.0**21}
    assert said(trials, budgets=budgets) == [
        "None of 3 trained trials keeps the budgets. Closest: trial 1, MACs 2.20 M of 2.00 M allowed."
    ]
    assert said(trials.assign(macs=NAN, memory=NAN), budgets=budgets) == ["None of 3 trained trials keeps the budgets."]


def test_a_trial_of_which_no_budget_is_known_is_not_the_closest() -> None:
    trials = searched([0.1, 0.2], macs=[NAN, 9e6], feasible=False)
    assert said(trials, budgets={"macs": 3e6})[0].endswith("Closest: trial 1, MACs 9.00 M of 3.00 M allowed.")


def test_without_a_result_the_ends_are_counted_in_the_order_of_their_kind() -> None:
    trials = searched([NAN] * 5, status=["failed", "oom", "failed", "pruned", "refused"])
    assert said(trials) == ["No search trial has a result. 5 trials: 1 pruned, 1 refused, 1 out of memory, 2 failed."]


@pytest.mark.parametrize(
    ("fingerprints", "seeds", "cautious"),
    [(["a", "b"], [0, 1], True), (["a", "a"], [0, 0], True), (["a", "a"], [0, 1], False)],
)
def test_one_seed_is_cautioned_about_until_an_architecture_has_two(
    fingerprints: list[str], seeds: list[int], *, cautious: bool
) -> None:
    found = said(searched([0.1, 0.2], fingerprint=fingerprints, seed=seeds))
    assert (ONE_SEED in found) is cautious


def test_losses_that_choose_different_winners_are_told_before_the_caution() -> None:
    trials = searched([0.1, 0.2, 0.3], loss_edm=[0.9, 0.8, 0.7])
    assert said(trials)[1:] == [
        "The losses choose different architectures: trial 0 by held-out loss, trial 2 by EDM-weighted loss. Kendall's "
        "τ of the two rankings of 3 is −1.0.",
        ONE_SEED,
    ]


def timed(*ratios: float) -> StudyResults:
    """Two trials with a latency and, as far as it is told, its ratio to the reference network."""
    trials = searched([0.1, 0.2], latency=[0.004, 0.002], latency_ratio=list(ratios), train_latency=[0.1, 0.2])
    return bare_study(trials, objectives=("loss", "latency", "train_latency"))


def test_a_time_is_compared_by_its_ratio_where_every_trial_has_it() -> None:
    assert by_ratio(timed(2.0, 1.0)) == ["latency"]
    assert by_ratio(timed(2.0, math.nan)) == []
    assert ratios_in_words(timed(2.0, 1.0)) == "latency"
    assert ratios_in_words(timed(math.nan, 1.0)) == ""


def test_studies_together_are_compared_by_a_ratio_that_all_of_them_have() -> None:
    both = timed(2.0, 1.0)
    trials = both.trials.assign(train_latency_ratio=[3.0, 4.0])
    more = bare_study(trials, objectives=both.objectives)
    assert ratios_in_words(more) == "latency and training step"
    assert ratios_in_words(more, both) == "latency"
    assert ratios_in_words(both, more, timed(2.0, math.nan)) == ""
