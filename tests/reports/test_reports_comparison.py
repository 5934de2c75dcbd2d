"""Several studies side by side: what differs, what can stand on one scale, and what they have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.analysis.scores import is_prefiltered, rankings, tau_of
from reports.analysis.studies import Mean, common_architectures, differences, searches, shared_metrics
from studies.frame import StudyResults
from tests.reports.bare_study import NAN, bare_study, searched


def study(name: str = "one", **changes: Any) -> StudyResults:
    trials = searched([0.2, 0.1], latency=[1.0, 2.0], macs=[1e6, 2e6])
    return bare_study(trials, name=name, **{"objectives": ("loss", "latency"), "data": {"hash": "h"}, **changes})


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ({"protocol": {"train": {"lr": 1, "steps": 5}}}, {"protocol": {"train": {"lr": 2, "steps": 5}}},
         [("protocol.train.lr", (1, 2), "losses")]),
        ({"protocol": {"train": {"lr": 1}}}, {"protocol": {}}, [("protocol.train.lr", (1, None), "losses")]),
        ({"protocol": None}, {}, []),
        ({"measure": {"threads": 1}}, {"measure": {"threads": 2}},
         [("measure.threads", (1, 2), "times and memory")]),
        ({"protocol": {"seeds": 3}}, {"protocol": {"seeds": 4}}, []),
        ({"protocol": {"data": [1, 2]}}, {"protocol": {"data": [2, 1]}},
         [("protocol.data", ([1, 2], [2, 1]), "losses")]),
    ],
)  # fmt: skip
def test_a_setting_that_is_not_the_same_is_named_with_what_it_spoils(
    first: dict[str, Any], second: dict[str, Any], told: list[tuple[str, tuple[Any, ...], str]]
) -> None:
    found = differences([study(document=first), study(document=second)])
    assert [(one.setting, one.values, one.spoils) for one in found] == told


def test_devices_are_told_by_name_and_an_empty_study_has_none() -> None:
    one, two = study(), study()
    both = replace(two, trials=two.trials.assign(device=["cuda", "cpu"]))
    empty = replace(two, trials=two.trials.iloc[:0])
    unknown = replace(two, trials=two.trials.assign(device=["", None]))
    (found,) = differences([one, both, empty, unknown])
    assert (found.setting, found.values) == ("device", ("cpu", "cpu, cuda", "", ""))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"objectives": ("loss", "macs")}, "objectives"),
        ({"maximised": frozenset({"latency"})}, "objectives"),
        ({"budgets": {"macs": 1.0}}, "budgets"),
        ({"base": "another"}, "base"),
        ({"document": {"search": {"space": {"ch": [1]}}}}, "space"),
        ({"data": {"hash": "other"}}, "how losses were made (protocol, data)"),
        ({"document": {"measure": {"threads": 2}}}, "how times and memory were measured (settings, device)"),
    ],
)
def test_searches_that_ask_another_question_stand_apart_with_the_reason(changes: dict[str, Any], why: str) -> None:
    found = searches([study(), study("two", **changes), study("three")])
    assert [one.name for one in found.alike] == ["one", "three"]
    assert found.apart == (("two", why),)


@pytest.mark.parametrize(
    ("objectives", "budgets", "apart"),
    [
        (("loss", "macs"), {}, False),
        (("loss", "latency_ratio"), {}, True),
        (("loss", "train_memory"), {}, True),
        (("loss", "macs"), {"latency": 5.0}, True),
        (("loss", "macs"), {"parameters": 5.0}, False),
        ((), {}, False),
    ],
)
def test_another_device_keeps_searches_apart_where_what_it_changes_is_asked_for(
    objectives: tuple[str, ...], budgets: dict[str, float], *, apart: bool
) -> None:
    here = study(objectives=objectives, budgets=budgets)
    there = replace(here, name="two", trials=here.trials.assign(device="cuda"))
    assert bool(searches([here, there]).apart) is apart


def test_studies_without_a_search_are_left_out() -> None:
    ablation = study("two")
    ablation = replace(ablation, trials=ablation.trials.assign(part="ablation"))
    found = searches([ablation, study()])
    assert ([one.name for one in found.alike], found.apart) == (["one"], ())
    assert searches([ablation]).alike == ()


def shared(first: pd.DataFrame, second: pd.DataFrame, *metrics: str) -> list[Any]:
    return common_architectures([bare_study(first), bare_study(second)], metrics or ("loss",))


def test_an_architecture_in_two_studies_has_what_each_calls_it_and_its_mean() -> None:
    ablation = searched([0.1, 0.3, 0.5], fingerprint=["x", "x", "y"], variant=["base", "base", "thin"], part="ablation")
    search = searched([0.2, 0.4], fingerprint=["y", "x"])
    x, y = shared(ablation, search, "loss", "macs")
    assert (x.fingerprint, x.names) == ("x", ("the base", "trial 1"))
    assert x.values["loss"] == (Mean(pytest.approx(0.2), 2), Mean(0.4, 1))
    assert x.values["macs"] == (None, None)
    assert (y.fingerprint, y.names) == ("y", ("thin", "trial 0"))


def test_of_many_names_three_are_told() -> None:
    many = searched([0.1] * 5, fingerprint="x")
    (one,) = shared(many, many.head(1))
    assert one.names == ("trial 0, trial 1, trial 2 and 2 more", "trial 0")


def test_what_one_study_alone_has_or_what_has_no_result_is_not_in_common() -> None:
    here = searched([0.1, 0.2], fingerprint=["x", "y"])
    there = searched([NAN, 0.2], fingerprint=["x", "z"], status=["oom", "finished"])
    assert shared(here, there) == []
    nameless = searched([0.1], fingerprint=[None])
    assert shared(nameless, nameless) == []


def test_results_that_were_taken_over_are_counted_once() -> None:
    here = searched([0.1, 0.1, 0.3], fingerprint="x", replay_of=[None, "search/0", None],
                    status=["finished", "replayed", "finished"])  # fmt: skip
    (one,) = shared(here, here.head(1))
    assert one.values["loss"][0] == Mean(pytest.approx(0.2), 2)


def test_only_metrics_that_every_study_has_are_shared() -> None:
    here, there = bare_study(searched([0.1], macs=[1.0])), bare_study(searched([0.1]))
    assert shared_metrics([here, there], ["macs", "loss"]) == ["loss"]
    assert shared_metrics([here, here], ["macs", "loss", "unheard of"]) == ["macs", "loss"]


# ---- zero-cost scores ----------------------------------------------------------------------------------------------


def scored(scores: list[float], **changes: Any) -> StudyResults:
    loss = [i / 10 for i in range(1, len(scores) + 1)]
    trials = searched(loss, macs=loss, latency=loss).assign(**{"score:s": scores})
    return bare_study(trials, **{"objectives": ("loss",), **changes})


def test_scores_are_held_against_every_objective_that_takes_a_training() -> None:
    found = rankings(scored([9.0, 8, 7, 6, 5, 4, 3, 2], objectives=("macs", "loss", "latency", "parameters")))
    assert [(one.objective, one.n) for one in found] == [("loss", 8), ("latency", 8)]
    assert {one.verdict for one in found} == {"higher scores are better"}
    assert rankings(scored([NAN] * 8)) == []


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([1.0, 2, 3, 4, 5, 6, 7, 8], "lower scores are better"),
        ([1.0, 8, 2, 7, 3, 6, 4, 5], "does not rank this study's trials"),
        ([1.0, 2, 3, 4, 5, 6, 7], "too few trained trials to say (8 are needed)"),
        ([3.0] * 8, "no ranking: nothing varies"),
        ([3.0], "no ranking: too few trained trials"),
    ],
)
def test_a_score_is_told_to_be_worth_something_where_its_interval_is_clear_of_nought(
    scores: list[float], verdict: str
) -> None:
    assert [one.verdict for one in rankings(scored(scores))] == [verdict]


def test_a_trial_without_the_score_does_not_count() -> None:
    (one,) = rankings(scored([NAN, 8.0, 7.0, NAN]))
    assert (one.n, one.tau.value) == (2, pytest.approx(1.0))


def test_a_perfect_ranking_has_an_interval_and_it_holds_tau() -> None:
    tau = tau_of(np.arange(9.0), np.arange(9.0))
    assert tau.low < tau.high == pytest.approx(1.0)
    assert tau_of(np.arange(9.0), -np.arange(9.0))[1:] == pytest.approx((-tau.high, -tau.low))


@pytest.mark.parametrize(
    ("search", "told"), [({"prefilter": {"by": "snip"}}, True), ({"prefilter": None}, False), (None, False)]
)
def test_points_refused_by_a_score_are_told_beside_its_worth(search: object, *, told: bool) -> None:
    assert is_prefiltered(study(document={"search": search})) is told
