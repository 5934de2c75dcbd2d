"""Is it worth its cost: when a cost counts as less or more, and what is said of both together."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reports.analysis.ablation import Verdict, compare
from reports.analysis.ablation_answer import ablation_sentences
from reports.analysis.worth import JUDGEMENTS, Cost, costs_by_variant, judgement, price_of
from tests.reports.bare_study import NAN, bare_study, plain
from tests.reports.test_reports_ablation import BASE, WORSE, frame


def cost(percent: float, low: float, high: float) -> Cost:
    return Cost("memory", "peak memory", percent, low, high)


@pytest.mark.parametrize(
    ("percent", "low", "high", "direction"),
    [
        (-1.0, -1.5, -0.5, -1),
        (-0.99, -1.5, -0.5, 0),
        (-5.0, -10.0, 0.0, 0),
        (1.0, 0.5, 1.5, 1),
        (0.99, 0.5, 1.5, 0),
        (5.0, 0.0, 10.0, 0),
        (0.0, 0.0, 0.0, 0),
        (NAN, NAN, NAN, 0),
    ],
)
def test_a_cost_counts_where_it_is_clear_of_nought_and_at_least_one_per_cent(
    percent: float, low: float, high: float, direction: int
) -> None:
    assert cost(percent, low, high).direction == direction


@pytest.mark.parametrize(
    ("percents", "price"),
    [([], "same"), ([0.5], "same"), ([-5, 0.2], "cheaper"), ([5, 7], "dearer"), ([5, -7, 0], "mixed")],
)
def test_the_price_is_what_all_costs_that_count_agree_on(percents: list[float], price: str) -> None:
    assert price_of([cost(one, one, one) for one in percents]) == price


def test_every_verdict_with_every_price_has_a_judgement_of_its_own() -> None:
    assert {price for _, price in JUDGEMENTS} == {"cheaper", "dearer", "mixed", "same"}
    assert len(set(JUDGEMENTS.values())) == len(JUDGEMENTS) == 16
    (effect,) = compare(frame(base=BASE, other=WORSE), "loss")
    told = {
        (verdict, percent): judgement(replace(effect, verdict=verdict), [cost(percent, percent, percent)])
        for verdict in Verdict for percent in (-5.0, 5.0)
    }  # fmt: skip
    assert told[Verdict.BETTER, -5.0] == "better and cheaper: take it"
    assert told[Verdict.WORSE, 5.0] == "worse and dearer: keep the base"
    for silent in (Verdict.TOO_FEW, Verdict.NO_DATA, Verdict.IN_DESIGN, Verdict.EXACT):
        assert told[silent, -5.0] == ""


def test_costs_are_measured_with_their_interval_and_counted_without() -> None:
    trials = frame(base=BASE, other=WORSE)
    memory = [100.0, 101.0, 99.0, 100.5, 99.5, 100.0, 120.0, 122.0, 119.0, 121.0, 118.0, 120.0]
    trials = trials.assign(memory=memory, fd=1.0)
    found = {one.metric: one for one in costs_by_variant(trials)["other"]}
    assert list(found) == ["memory", "parameters"]
    differences = np.subtract(memory[6:], memory[:6])
    ends = stats.t.interval(0.95, 5, differences.mean(), stats.sem(differences))
    assert (found["memory"].low, found["memory"].high) == pytest.approx(tuple(np.array(ends)))
    assert (found["parameters"].percent, found["parameters"].low, found["parameters"].high) == (-10.0, -10.0, -10.0)
    assert plain(found["memory"].text) == "peak memory +20 %"


def test_a_cost_that_never_varies_counts_though_it_has_no_width() -> None:
    trials = frame(base=BASE, other=WORSE)
    trials["train_memory"] = [200.0 if variant == "other" else 100.0 for variant in trials["variant"]]
    (found,) = [one for one in costs_by_variant(trials)["other"] if one.metric == "train_memory"]
    assert (found.low, found.high, found.direction) == (100.0, 100.0, 1)


def test_one_seed_of_a_cost_is_taken_as_it_is() -> None:
    trials = frame(base=BASE[:1], other=WORSE[:1]).assign(memory=[100.0, 130.0])
    (memory, _) = costs_by_variant(trials)["other"]
    assert (memory.percent, memory.low, memory.high) == (pytest.approx(30.0),) * 3


def test_what_cannot_be_paired_has_no_costs() -> None:
    assert costs_by_variant(frame(base=BASE, other=["oom"] * 6)) == {}
    assert costs_by_variant(frame(base=BASE, other=WORSE).drop(columns="parameters")) == {}


def test_costs_that_are_usually_not_named_are_where_only_they_move() -> None:
    trials = frame(base=BASE, other=WORSE)
    other = trials["variant"] == "other"
    trials = trials.assign(parameters=1000.0, macs=np.where(other, 2e6, 1e6), train_memory=np.where(other, 50.0, 51.0))
    (sentence,) = ablation_sentences(bare_study(trials), "loss")
    assert plain(sentence.text).endswith(
        " Worse; costs move both ways (training memory −2.0 %, parameters 0.0 %, MACs +100 %)."
    )
    less = trials.assign(macs=np.where(other, 1e6, 2e6), parameters=np.where(other, 500.0, 1000.0), train_memory=1.0)
    (sentence,) = ablation_sentences(bare_study(less), "loss")
    assert plain(sentence.text).endswith(" Worse, but cheaper: a trade (parameters −50 %).")


def test_without_any_cost_the_verdict_stands_alone() -> None:
    (sentence,) = ablation_sentences(bare_study(frame(base=BASE, other=WORSE).drop(columns="parameters")), "loss")
    assert sentence.text.endswith("worse in 6 of 6 seeds.")
    assert not math.isnan(compare(frame(base=BASE, other=WORSE), "loss")[0].percent)
