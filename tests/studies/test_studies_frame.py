"""The frame that reports read: its columns, their units and what is missing; and what is said beside it."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from search import optuna_bridge as bridge
from studies.frame import PREDICTED, _warnings, frame, load_results, progress_of, trial_row
from studies.latency.account import Account, keep_account
from studies.records.artifacts import keep_files
from studies.records.record import TrialRecord, current
from studies.records.store import Store
from studies.study.stated import FILE, state_margin, stated_margins
from tests.studies.test_studies_store import kept, record

MADE = {"environment": {"device": "one"}}


def row(**more: Any) -> dict[str, Any]:
    return trial_row(record(3, None, **more))


def test_every_metric_has_a_column_and_what_was_not_measured_is_no_number() -> None:
    found = row(metrics={"loss": 0.5, "latency": 0.002, "memory": 2.0**20, "parameters": 7.0, "predicted_memory": 3.0})
    assert {name: found[name] for name in ("loss", "latency", "memory", "parameters", "predicted_memory")} == {
        "loss": 0.5, "latency": 0.002, "memory": 1048576.0, "parameters": 7.0, "predicted_memory": 3.0,
    }  # fmt: skip
    missing = [name for name in found if isinstance(found[name], float) and math.isnan(found[name])]
    assert set(missing) == {
        "loss_edm", "fd", "kd", "train_latency", "latency_ratio", "train_latency_ratio", "train_memory", "macs",
        "predicted_latency", "predicted_latency_ratio", "predicted_train_latency", "predicted_train_latency_ratio",
        "predicted_train_memory", "latency_p10", "latency_p90",
        "train_latency_p10", "train_latency_p90", "fd_inf", "kd_error",
    }  # fmt: skip


def test_spreads_of_times_are_in_seconds_and_the_ratio_is_of_the_reference() -> None:
    found = row(
        metrics={"latency": 0.002},
        detail={"latency": {"p10": 0.001, "p90": 0.004, "ratio": 0.5}, "train_latency": {"p90": 0.01}},
    )
    assert [found[f"latency_{name}"] for name in ("p10", "p90", "ratio")] == [0.001, 0.004, 0.5]
    assert found["train_latency_p90"] == 0.01
    assert math.isnan(found["train_latency_p10"])
    assert math.isnan(found["train_latency_ratio"])


def test_a_row_says_who_it_is_and_where_it_ran() -> None:
    one = record(
        4, "a", 2, design="path", reference="base", factors={"step": "x", "number": "1"}, tuned={"lr": 0.002},
        edits=("first", "second"), wall=12.5, started="2026-01-02T03:04:05+00:00", replay_of="search/1",
        reason="why", environment={"device": "cpu", "torch": "x"},
        detail={"scores": {"snip": 2.0}, "samples": {"fd_inf": 1.5, "kd_error": 0.1}, "evaluation": {"hash": "e"}},
    )  # fmt: skip
    found = trial_row(one)
    assert {key: found[key] for key in ("part", "trial", "variant", "seed", "status", "reason", "replay_of")} == {
        "part": "ablation", "trial": 4, "variant": "a", "seed": 2, "status": "finished", "reason": "why",
        "replay_of": "search/1",
    }  # fmt: skip
    assert (found["wall"], found["started"], found["device"]) == (12.5, "2026-01-02T03:04:05+00:00", "cpu")
    assert (found["edits"], found["evaluation"], found["fingerprint"]) == ("first; second", "e", "f-a")
    assert (found["score:snip"], found["tuned:lr"]) == (2.0, 0.002)
    assert (found["fd_inf"], found["kd_error"]) == (1.5, 0.1)
    assert (found["design"], found["reference"], found["factor:step"]) == ("path", "base", "x")


def test_records_of_earlier_versions_are_variants_against_the_base() -> None:
    found = trial_row(record(0, "a"))
    assert (found["design"], found["reference"]) == ("variants", "base")
    assert "design" not in row()
    assert (row()["device"], row()["evaluation"], row()["edits"]) == ("", "", "")


@pytest.mark.parametrize(
    ("status", "over", "feasible"),
    [
        ("finished", 0.0, True),
        ("finished", 0.01, False),
        ("finished", -0.5, True),
        ("replayed", 0.0, True),
        ("pruned", 0.0, False),
        ("running", 0.0, False),
        ("diverged", -1.0, False),
    ],
)
def test_feasible_is_what_has_a_result_within_every_budget(status: str, over: float, feasible: bool) -> None:
    assert row(status=status, violations={"macs": -0.5, "loss": over})["feasible"] is feasible


@pytest.mark.parametrize(("value", "shown"), [([1, 2, 2], "1,2,2"), ([], ""), ("add", "add"), (3, 3), (None, None)])
def test_a_list_of_a_point_is_one_value(value: object, shown: object) -> None:
    assert row(params={"ch_mult": value})["param:ch_mult"] == shown


def test_rows_with_other_columns_stand_in_one_frame() -> None:
    found = frame([record(0, None, params={"ch": 32}), record(1, "a", tuned={"lr": 0.1})])
    assert list(found["part"]) == ["search", "ablation"]
    assert pd.isna(found.loc[1, "param:ch"])
    assert pd.isna(found.loc[0, "tuned:lr"])
    assert list(frame([]).columns) == list(row())
    assert set(PREDICTED) <= set(found.columns)


def results(folder: Path, *records: TrialRecord, document: dict[str, Any] | None = None) -> Any:
    store = Store(folder, "s", create=True)
    for part in dict.fromkeys(one.part for one in records):
        study = store.open(part, ["loss"])
        for one in records:
            if one.part == part:
                trial = study.ask()
                store.keep(trial, one)
                bridge.tell(trial, [one.metrics.get("loss")], {})
        store.remember_study(study, document or {}, "f-base", "name: s\n")
    return load_results(folder)


def test_what_is_read_of_a_whole_study(tmp_path: Path) -> None:
    document = {
        "question": "Why?",
        "ablation": {"planned": {"a": "variants"}},
        "search": {"objectives": {"loss": "minimize", "parameters": "maximize"}, "budgets": {"parameters": 9.0}},
    }
    bins = {"loss_bins": [[0, 10, 0.5], [10, 20, 0.25]], "snr_bins": [[0.0, 1.0, 1.0, 2.0, 3.0, 4.0]]}
    base = record(0, detail={**bins, "samples": {"space_hash": "z"}}, data={"hash": "h"}, environment={"a": 1})
    base = keep_files(tmp_path, base, {"grid.png": "AAAA"})
    point = record(0, None, metrics={"parameters": 12.0}, environment={"a": 1}, protocol_hash="last")
    found = results(tmp_path, base, record(1, "a", environment={"a": 2}), record(2, "gone"), point, document=document)
    assert (found.name, found.question, found.source, found.base) == ("s", "Why?", "name: s\n", "f-base")
    assert list(found.trials["variant"].dropna()) == ["base", "a"]
    assert list(found.trials["part"]) == ["ablation", "ablation", "search"]
    assert (found.objectives, found.maximised, found.budgets) == (
        ("loss", "parameters"), frozenset({"parameters"}), {"parameters": 9.0},
    )  # fmt: skip
    assert not found.trials["feasible"].iloc[2]
    assert found.loss_bins == {("ablation", 0): [(0.0, 10.0, 0.5), (10.0, 20.0, 0.25)]}
    assert found.snr_bins == {("ablation", 0): [[0.0, 1.0, 1.0, 2.0, 3.0, 4.0]]}
    assert found.samples == {("ablation", 0): {"space_hash": "z"}}
    assert found.files == {("ablation", 0): {"grid.png": tmp_path / "artifacts/ablation-0/grid.png"}}
    assert (found.environment, found.data, found.protocol_hash) == ([{"a": 1}, {"a": 2}], {"hash": "h"}, "last")
    assert (found.curves, found.stated, found.screening) == ({}, (), "")


def test_steps_of_a_path_are_asked_for_while_the_path_is(tmp_path: Path) -> None:
    step = record(1, "path: x + y", design="path")
    asked: dict[str, Any] = {"ablation": {"planned": {"path: x": "path"}}}
    assert list(results(tmp_path / "a", step, document=asked).trials["variant"]) == []
    asked["ablation"]["path"] = {"edits": {"x": []}}
    assert list(results(tmp_path / "b", step, document=asked).trials["variant"]) == ["path: x + y"]


def test_objectives_of_a_list_are_all_minimised(tmp_path: Path) -> None:
    found = results(tmp_path, record(0, None), document={"search": {"objectives": ["loss", "macs"]}})
    assert (found.objectives, found.maximised) == (("loss", "macs"), frozenset())


def test_a_study_without_a_document_is_read_all_the_same(tmp_path: Path) -> None:
    store = Store(tmp_path, "s", create=True)
    kept(store, record(0))
    keep_account(tmp_path, Account(why_not="nothing was timed"))
    found = load_results(tmp_path)
    assert (found.question, found.source, found.document, found.budgets, found.base) == (None, "", {}, {}, "")
    assert found.screening == "took no part: nothing was timed"


@pytest.mark.parametrize(
    ("records", "said"),
    [
        (
            [record(0, environment={"device": "a"}), record(1, environment={"device": "b"})],
            "Trials ran on 2 different devices; their latencies and memory do not compare.",
        ),
        (
            [record(0), record(1, protocol_hash="q")],
            "Trials were made under 2 different protocols; their losses do not compare.",
        ),
        (
            [record(0, data={"hash": "a"}, **MADE), record(1, data={"hash": "b"}, **MADE)],
            "The data changed between trials (2 different contents); their losses do not compare.",
        ),
        (
            [record(n, detail={"evaluation": {"hash": str(n)}}, **MADE) for n in range(2)],
            "Trials were evaluated on different sets of images, timesteps or noise; their losses do not compare.",
        ),
        (
            [record(n, detail={"samples": {"space_hash": str(n)}}, **MADE) for n in range(3)],
            "Samples were judged in 3 different feature spaces; their distances do not compare.",
        ),
        (
            [record(0, status="running"), record(1, status="interrupted"), record(2)],
            "2 trial(s) have not ended; the study is running or was stopped.",
        ),
    ],
)
def test_what_a_reader_is_warned_of(records: list[TrialRecord], said: str) -> None:
    assert list(_warnings(records)) == [said]


@pytest.mark.parametrize(
    "records",
    [
        [],
        [record(0, environment={"device": "a"}), record(1)],
        [record(0), record(1, protocol_hash="q", tuned={"lr": 0.1})],
        [record(0, data={"hash": "a"}, **MADE), record(1, data={"hash": "b"})],
        [record(0), record(1, status="interrupted")],
    ],
)
def test_what_compares_is_warned_of_by_nothing(records: list[TrialRecord]) -> None:
    assert list(_warnings(records)) == []


def test_progress_counts_what_is_current_by_part_and_status(tmp_path: Path) -> None:
    results(
        tmp_path, record(0, status="interrupted"), record(1), record(2, "a", status="failed"),
        record(0, None, status="failed"), record(1, None, status="refused"), record(2, None, status="pruned"),
        record(0, "trial 0", 7, status="oom", part="confirmation"),
    )  # fmt: skip
    found = progress_of(tmp_path)
    assert found.counts == {
        "ablation": {"finished": 1, "failed": 1}, "search": {"failed": 1, "refused": 1, "pruned": 1},
        "confirmation": {"oom": 1},
    }  # fmt: skip
    assert (found.lost, found.without_result) == (3, 3)


def test_a_variant_is_current_at_each_rate_it_was_tuned_at() -> None:
    tuning = [record(n, "a", 900_000, part="tuning", tuned={"lr": rate}) for n, rate in enumerate((0.1, 0.2, 0.1))]
    assert [one.trial for one in current(tuning)] == [1, 2]
    judged = [record(n, "a", 0, tuned={"lr": rate}) for n, rate in enumerate((0.1, 0.2))]
    assert [one.trial for one in current(judged)] == [1]


class TestStatedMargins:
    def test_a_margin_is_noted_once_with_the_results_there_were(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        times: Callable[[], str] = iter(["first", "second"]).__next__
        monkeypatch.setattr("studies.study.stated.now", times)
        state_margin(tmp_path, None, 0)
        assert stated_margins(tmp_path) == []
        assert not (tmp_path / FILE).exists()
        for margin, count in (({"value": 0.1}, 0), ({"value": 0.1}, 5), ({"value": 0.2}, 6), ({"value": 0.1}, 7)):
            state_margin(tmp_path, margin, count)
        assert stated_margins(tmp_path) == [
            {"margin": {"value": 0.1}, "stated": "first", "results": 0},
            {"margin": {"value": 0.2}, "stated": "second", "results": 6},
        ]
