"""The trials of a search as points, their parameters as words and numbers, and what a status means."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pytest

from reports.analysis.pareto import compared_column, compared_values, pareto_kinds
from reports.analysis.scale import log_ticks, view
from reports.analysis.search import best_so_far, levels_of, natural, pieces, search_points, text_of, value_text
from reports.analysis.trials import (
    STATUSES,
    USABLE,
    as_records,
    has_values,
    parameter_columns,
    part,
    replayed_trial,
    status_counts,
    status_of,
    usable,
)
from studies.records.record import WITH_RESULT, Status
from tests.reports.bare_study import NAN, bare_study, searched


def test_every_status_of_the_records_is_told_with_a_sign_of_its_own() -> None:
    assert set(STATUSES) == set(Status.__args__)  # type: ignore[attr-defined]
    assert len({status.symbol for status in STATUSES.values()}) == len(STATUSES)
    assert set(USABLE) == WITH_RESULT


def test_a_status_that_is_not_known_stands_for_itself_and_is_counted_last() -> None:
    novel = status_of("novel")
    assert (novel.label, novel.symbol, novel.meaning) == ("novel", "?", "not known to this version of ushape")
    trials = pd.DataFrame({"status": ["zeta", "failed", "alpha", "finished", "zeta"]})
    assert list(status_counts(trials).items()) == [("finished", 1), ("failed", 1), ("alpha", 1), ("zeta", 2)]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("search/3", ("search", 3)),
        ("ablation/0", ("ablation", 0)),
        ("7", ("search", 7)),
        (7.0, ("search", 7)),
        ("other:ablation/2", ("other:ablation", 2)),
        (None, None),
        (NAN, None),
        (pd.NA, None),
    ],
)
def test_a_replay_names_the_trial_whose_result_it_took_over(value: object, found: tuple[str, int] | None) -> None:
    assert replayed_trial({"part": "search", "replay_of": value}) == found


def test_rows_are_taken_apart_as_pandas_does_it() -> None:
    trials = searched([0.1, NAN], variant=["a", None])
    assert str(as_records(trials)) == str(trials.to_dict("records"))
    assert as_records(trials.iloc[:0]) == []


def test_parts_usable_rows_and_columns_that_hold_something() -> None:
    trials = searched([0.1, 0.2, NAN], status=["finished", "replayed", "oom"], part=["search", "ablation", "search"])
    trials = trials.assign(**{"param:b": [1, None, None], "param:a": [None] * 3, "note": "x"})
    assert list(part(trials, "search").index) == [0, 2]
    assert list(usable(trials).index) == [0, 1]
    assert parameter_columns(trials) == ["param:b"]
    assert [has_values(trials, name) for name in ("loss", "fd", "unheard of")] == [True, False, False]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (NAN, ""), (pd.NA, ""), ("", ""), ("a,b", "a,b"), (3.0, "3"), (0.125, "0.125"), (3, "3"),
     (True, "True"), (1e-7, "1e-07"), (0, "0")],
)  # fmt: skip
def test_a_parameter_is_written_whole_where_it_is_whole_and_not_at_all_where_it_is_absent(
    value: object, text: str
) -> None:
    assert value_text(value) == text


def test_the_ways_of_saying_none_are_no_text() -> None:
    assert [text_of(value) for value in (None, NAN, pd.NA, "boom", 3)] == ["", "", "", "boom", "3"]


def test_texts_are_split_into_numbers_and_what_is_between() -> None:
    assert pieces("1,2.5") == [1.0, ",", 2.5]
    assert pieces("ch64-x") == ["ch", 64.0, "-x"]
    assert pieces("") == []


@pytest.mark.parametrize(
    ("mixed", "ordered"),
    [
        (["b10", "b9", "b1"], ["b1", "b9", "b10"]),
        (["none", "2", "10"], ["2", "10", "none"]),
        (["1,2,2", "1,2", "1,10"], ["1,2", "1,2,2", "1,10"]),
        (["2.5", "2.25", "2"], ["2", "2.25", "2.5"]),
    ],
)
def test_texts_stand_in_the_order_of_their_numbers(mixed: list[str], ordered: list[str]) -> None:
    assert sorted(mixed, key=natural) == ordered


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([8, 4, 16.0, 4], ["4", "8", "16"]),
        (["vanilla", "linear"], ["linear", "vanilla"]),
        ([True, False], ["False", "True"]),
        ([0.5, 1.0], None),
        (list(range(9)), None),
        (list(range(8)), [str(n) for n in range(8)]),
        ([1, "none"], ["1", "none"]),
    ],
)
def test_few_whole_numbers_and_all_words_have_an_axis_of_words(values: list[Any], levels: list[str] | None) -> None:
    assert levels_of(values) == levels


def test_points_carry_what_a_trial_is_worth_and_what_became_of_it() -> None:
    trials = searched(
        [0.3, 0.2, NAN], macs=[1e6, 2e6, 3e6], status=["finished", "finished", "oom"], reason=[None, None, "no room"],
        fingerprint=["base", "b", "c"], feasible=[True, True, False],
    )  # fmt: skip
    trials = trials.assign(**{"param:ch": [32.0, NAN, 64.0], "param:kind": ["v", None, "w"]})
    shuffled = trials.iloc[[2, 0, 1]]
    study = bare_study(shuffled, objectives=("loss", "macs"), budgets={"macs": 5e6})
    first, second, third = search_points(study)
    assert [p.trial for p in (first, second, third)] == [0, 1, 2]
    assert [p.kind for p in (first, second, third)] == ["front", "front", "no result"]
    assert [(p.base, p.best, p.knee) for p in (first, second)] == [(True, False, False), (False, True, False)]
    assert (first.parameters, second.parameters) == ({"ch": 32.0, "kind": "v"}, {})
    assert (third.status, third.reason, first.reason) == ("oom", "no room", "")
    assert (first.values["loss"], first.values["macs"]) == (0.3, 1e6)
    assert math.isnan(third.values["loss"])
    assert math.isnan(first.values["train_latency_ratio"])


def test_of_replays_of_one_trial_of_the_ablation_the_first_stays() -> None:
    trials = searched([0.1] * 5, replay_of=["ablation/3", "ablation/3", "search/0", "ablation/4", "other:search/0"])
    assert [p.trial for p in search_points(bare_study(trials))] == [0, 3, 4]
    assert search_points(bare_study(trials.iloc[:0])) == []


def test_what_has_no_value_or_keeps_no_budget_does_not_better_the_best_so_far() -> None:
    trials = searched([NAN, 0.5, 0.1, 0.7, 0.4], feasible=[True, True, False, True, True])
    study = bare_study(trials, objectives=("loss",))
    found = best_so_far(search_points(study), "loss")
    assert math.isnan(found[0])
    assert found[1:] == [0.5, 0.5, 0.5, 0.4]
    assert best_so_far(search_points(study), "loss", more_is_better=True)[1:] == [0.5, 0.5, 0.7, 0.7]
    assert all(math.isnan(best) for best in best_so_far(search_points(study), "unheard of"))


def test_where_more_is_better_the_front_runs_the_other_way() -> None:
    trials = searched([0.1, 0.2, 0.3, 0.3], macs=[1.0, 3.0, 2.0, 4.0])
    assert pareto_kinds(trials, ("loss", "macs")) == ["front", "dominated", "dominated", "dominated"]
    assert pareto_kinds(trials, ("loss", "macs"), {"macs"}) == ["front", "front", "dominated", "front"]
    assert compared_values(trials, ("loss", "macs"), {"macs"}).tolist() == [
        [0.1, -1.0], [0.2, -3.0], [0.3, -2.0], [0.3, -4.0]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ratios", "statuses", "column"),
    [
        ([1.0, 2.0], ["finished", "finished"], "latency_ratio"),
        ([1.0, NAN], ["finished", "oom"], "latency_ratio"),
        ([1.0, NAN], ["finished", "replayed"], "latency"),
        ([1.0, 2.0], ["oom", "oom"], "latency"),
    ],
)
def test_a_latency_is_compared_by_its_ratio_where_every_usable_trial_has_it(
    ratios: list[float], statuses: list[str], column: str
) -> None:
    trials = searched([0.1, 0.2], latency_ratio=ratios, status=statuses)
    assert compared_column(trials, "latency") == column
    assert compared_column(trials, "loss") == "loss"
    assert compared_column(trials, "energy") == "energy"
    assert compared_column(trials.drop(columns="latency_ratio"), "latency") == "latency"


@pytest.mark.parametrize(
    ("values", "important", "log"),
    [
        ([1.0, 31.0], [True, True], True),
        ([1.0, 30.0], [True, True], False),
        ([1.0, 1000.0], [True, False], False),
        ([-1.0, 1.0, 1000.0], [False, True, True], False),
    ],
)
def test_an_axis_is_logarithmic_where_what_matters_spans_more_than_thirty(
    values: list[float], important: list[bool], *, log: bool
) -> None:
    assert view(values, important).log is log


def test_a_mark_that_is_not_positive_keeps_the_axis_linear_and_a_far_one_is_left_out() -> None:
    assert not view([1.0, 1000.0], [True, True], marks=[0.0]).log
    shown = view([1.0, 1000.0], [True, True], marks=[1e9])
    assert shown.log
    assert shown.high == pytest.approx(10 ** (3 + 0.18))


def test_ticks_of_a_logarithmic_axis_are_one_two_and_five_times_powers_of_ten() -> None:
    marks = log_ticks()
    assert marks[:4] == pytest.approx([1e-7, 2e-7, 5e-7, 1e-6])
    assert marks[-1] == pytest.approx(5e12)
    assert len(marks) == 60
