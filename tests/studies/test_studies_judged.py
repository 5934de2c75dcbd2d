"""Budgets as numbers, and trials held against the present ones: in the driver, in status and in reports alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archspec import fingerprint, total_price
from studies.frame import load_results
from studies.records.judged import is_open_again, judged, limits
from studies.records.record import Glance, TrialRecord, glance
from studies.study.budgets import needs_the_base
from studies.study.load import load_study
from tests.studies.pretended_search import run, search
from tests.studies.test_studies_loop import begin
from tests.studies.test_studies_store import record
from tests.tiny_study import ABLATION, SEARCH
from ushape.cli.status import status_data

Write = Callable[..., Path]

DOCUMENT = {
    "protocol": {"train": {"lr": 0.001}},
    "search": {
        "budgets": {"latency": "0.5 * base", "parameters": "2 * base", "loss": 0.25},
        "of_base": {"parameters": 100.0, "macs": 7.0},
    },
}


def of_base(trial: int, **more: Any) -> TrialRecord:
    return record(trial, fingerprint="base", **more)


def test_a_number_stands_and_a_share_of_what_is_known_is_one() -> None:
    assert limits(DOCUMENT, [], "base") == {"parameters": 200.0, "loss": 0.25}
    told = of_base(0, metrics={"latency": 0.2, "parameters": 999.0})
    assert limits(DOCUMENT, [told], "base") == {"latency": 0.1, "parameters": 200.0, "loss": 0.25}


@pytest.mark.parametrize(
    "silent",
    [
        {"status": "diverged"},
        {"status": "running"},
        {"fingerprint": "another"},
        {"tuned": {"lr": 0.002}},
        {"metrics": {"loss": 0.5}},
    ],
)
def test_what_says_nothing_of_the_base_as_it_is_trained_here(silent: dict[str, Any]) -> None:
    first = of_base(0, metrics={"latency": 9.0}).model_copy(update=silent)
    assert "latency" not in limits(DOCUMENT, [first], "base")
    assert limits(DOCUMENT, [first, of_base(1, metrics={"latency": 0.4})], "base")["latency"] == 0.2


@pytest.mark.parametrize("told", [{"status": "replayed"}, {"tuned": {"lr": 0.001}}, {}])
def test_the_first_trial_of_the_base_with_a_result_counts(told: dict[str, Any]) -> None:
    first = of_base(0, metrics={"latency": 0.2}).model_copy(update=told)
    assert limits(DOCUMENT, [first, of_base(1, metrics={"latency": 0.4})], "base")["latency"] == 0.1


def test_without_a_search_there_is_no_budget() -> None:
    assert limits({"search": None}, [], "base") == limits({}, [], "base") == {}


def points(*used: float) -> list[TrialRecord]:
    return [record(n, None, metrics={"parameters": one}, violations={"parameters": 9.0}) for n, one in enumerate(used)]


def test_trials_are_judged_by_the_present_budgets() -> None:
    document = {"search": {"budgets": {"parameters": 200.0}}}
    found = judged(points(100.0, 200.0, 300.0), document, "base")
    assert [one.violations["parameters"] for one in found] == [-0.5, 0.0, 0.5]
    assert [one.feasible for one in found] == [True, True, False]
    seen: list[Glance] = judged([glance(one.model_dump()) for one in points(100.0, 300.0)], document, "base")
    assert [one.feasible for one in seen] == [True, False]


def test_only_trials_of_the_search_that_have_a_number_are_judged_again() -> None:
    document = {"search": {"budgets": {"parameters": 200.0}}}
    variant = record(0, "a", metrics={"parameters": 300.0})
    unknown = record(1, None, violations={"rules": 1.0})
    assert judged([variant, unknown], document, "base") == [variant, unknown]


def test_trials_stay_as_they_were_judged_while_a_budget_is_not_known() -> None:
    document = {"search": {"budgets": {"parameters": 200.0, "latency": "base"}}}
    assert judged(points(100.0), document, "base") == points(100.0)


def test_the_document_says_what_the_base_costs(study_file: Write) -> None:
    study = load_study(study_file(SEARCH))
    price = total_price(study.base)
    assert study.document()["search"]["of_base"] == {"parameters": price.parameters, "macs": price.macs}
    assert "search" not in load_study(study_file(ABLATION)).document()


def test_only_what_a_training_measures_needs_a_trial_of_the_base(study_file: Write) -> None:
    more = "  budgets: {parameters: base, macs: 2 * base, latency: base, memory: 1 GB, loss: 1.5 * base}\n"
    assert needs_the_base(load_study(study_file(search(more)))) == ["latency", "loss"]
    assert needs_the_base(load_study(study_file(ABLATION))) == []


def test_a_share_of_the_bases_size_binds_though_the_base_is_never_trained(study_file: Write) -> None:
    more = "  include_base: false\n  budgets: {parameters: 0.9 * base}\n"
    path = study_file(search(more).replace("trials: 8", "trials: 5"))
    run(path)
    study = load_study(path)
    size = total_price(study.base).parameters
    results = load_results(study.folder)
    assert fingerprint(study.base) not in set(results.trials["fingerprint"])
    assert results.budgets == {"parameters": pytest.approx(0.9 * size)}
    path.write_text(path.read_text().replace("0.9 * base", "0.5 * base"))
    _, ledger = begin(path)
    kept = ledger.records("search")
    assert {one.trial for one in kept if one.feasible} == {
        one.trial for one in kept if one.metrics["parameters"] <= 0.5 * size
    }
    assert not all(one.feasible for one in kept)


@pytest.mark.parametrize("sampler", ["TPESampler", "KnownCostSampler"])
def test_points_that_a_smaller_budget_refused_can_be_trained_when_it_is_raised(study_file: Write, sampler: str) -> None:
    asked = "  space: {attn_type: [vanilla, none]}\n  budgets: {parameters: 1k}\n  trials: 2\n"
    path = study_file(f"search:\n  sampler: {sampler}\n{asked}")
    records, launcher, _ = run(path)
    assert {one.status for one in records} == {"refused"}
    assert not any(map(is_open_again, begin(path)[1].records("search")))
    path.write_text(path.read_text().replace("1k", "10M"))
    assert all(map(is_open_again, begin(path)[1].records("search")))
    _, launcher, _ = run(path)
    assert len(launcher.jobs) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"status": "finished"},
        {"violations": {"parameters": 0.1}},
        {"violations": {}},
        {"detail": {"failed_as": "search/0"}},
        {"detail": {"prefiltered": "snip"}},
        {"detail": {"rules_broken": 1}},
    ],
)
def test_what_was_refused_for_another_reason_than_a_budget_stays_refused(more: dict[str, Any]) -> None:
    kept = {"status": "refused", "violations": {"parameters": -0.1}, "detail": {"rules_broken": 0}}
    assert is_open_again(record(0, None, **kept))
    assert not is_open_again(record(0, None, **{**kept, **more}))


def test_the_base_at_another_learning_rate_sets_no_budget(study_file: Write) -> None:
    """Its tuning comes first, and one of its rates has another loss than the base as the study trains it."""
    tuned = "  tune: {what: [lr], factors: [0.5, 1]}\n"
    path = study_file(ABLATION, search("  budgets: {loss: 1.5 * base}\n", "[loss]"), **{"measure:": f"{tuned}measure:"})
    study, ledger = begin(path)
    base = fingerprint(study.base)
    halved = record(0, part="tuning", fingerprint=base, metrics={"loss": 8.0}, tuned={"lr": 0.0005})
    whole = record(1, part="search", variant=None, fingerprint=base, metrics={"loss": 2.0})
    for kept in (halved, whole):
        trial = ledger.open(kept.part, ["loss"]).ask()
        ledger.close(trial, kept.model_copy(update={"trial": trial.number, "protocol_hash": study.protocol_hash()}))
    ledger.learn(ledger.records("search"))
    assert ledger.limits == load_results(study.folder).budgets == {"loss": 3.0}


def test_status_shows_the_document_of_the_last_run_whatever_part_it_ran(study_file: Write) -> None:
    path = study_file(ABLATION, search())
    _, ledger = begin(path)
    ledger.open("ablation", ["loss"])
    ledger.open("search", ["loss", "parameters"])
    path.write_text(path.read_text().replace(ABLATION, "").replace("trials: 8", "trials: 12"))
    study, ledger = begin(path)
    ledger.open("search", ["loss", "parameters"])
    found = status_data(study.folder)["parts"]
    assert (found["ablation"]["planned"], found["search"]["planned"]) == (0, 12)
    assert load_results(study.folder).document == study.document()
