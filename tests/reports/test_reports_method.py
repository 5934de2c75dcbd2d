"""How it was measured, and what it takes to run it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.dashboard import render
from reports.pages import method
from reports.pages.charts import Charts
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_study, make_study
from tests.reports.test_reports_dashboard import words


def told(results: StudyResults, group: str) -> dict[str, str]:
    found = method.context(results, Charts())
    assert found is not None
    return dict(dict(found["groups"])[group])


def test_how_trials_were_pruned_is_part_of_the_search() -> None:
    study = full_study()
    search = {"space": {"ch": [32]}, "pruning": {"rungs": [5, 10], "eta": 2}, "screen_latency": True}
    found = told(replace(study, document={**study.document, "search": search}), "Search")
    assert found == {"ch": "32", "pruning": "rungs 5, 10, eta 2", "screen latency": "yes"}


def test_the_wandering_of_the_reference_is_that_of_the_frame() -> None:
    study = make_study(seeds=4, trials=0)
    trials = study.trials[study.trials["status"] == "finished"].iloc[:5]
    trials = trials.assign(latency=[0.010, 0.012, 0.006, 0.008, 0.020], latency_ratio=[5.0, 4.0, 2.0, 1.0, 2.0])
    found = method.context(replace(study, trials=trials), Charts())
    # 2, 3, 3, 8 and 10 ms; a tenth and nine tenths of the way are 2.4 and 9.2.
    assert found is not None
    assert found["reference"].replace("\u202f", " ") == "3.00 ms (the middle 80 % of 5 trials: 2.40 ms to 9.20 ms)"
    untimed = method.context(replace(study, trials=trials.assign(latency_ratio=float("nan"))), Charts())
    assert untimed is not None
    assert untimed["reference"] == ""


@pytest.mark.parametrize(
    ("folder", "commands"),
    [
        ("runs/digits", "ushape run STUDY\nushape report STUDY"),
        ("/data/runs/digits", "ushape run STUDY\nushape report STUDY"),
        ("my runs/it", "ushape run STUDY --out 'my runs/it'\nushape report STUDY --folder 'my runs/it'"),
    ],
)
def test_results_that_lie_elsewhere_are_named_in_the_commands(folder: str, commands: str) -> None:
    page = render(replace(make_study(seeds=1, trials=0), folder=Path(folder)))
    assert f"<code>{commands}</code>" in page.replace("&#39;", "'")


def test_what_a_pruned_trials_loss_is_stands_by_the_table_and_the_lines() -> None:
    study = make_study(seeds=0, trials=8)
    assert "after fewer steps" not in words(render(study))
    trials = study.trials.copy()
    trials.loc[trials["trial"] == 7, "status"] = "pruned"
    assert words(render(replace(study, trials=trials))).count("after fewer steps than the others") == 2


def groups(results: StudyResults) -> dict[str, dict[str, str]]:
    found = method.context(results, Charts())
    assert found is not None
    return {title: {key: text.replace("\u202f", " ") for key, text in pairs} for title, pairs in found["groups"]}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"), (True, "yes"), (False, "no"), (9_999, "9999"), (10_000, "10,000"), (-20_000, "-20,000"),
        (0.001, "0.001"), ("adam", "adam"), ([1, 2.5, "x"], "1, 2.5, x"), ([], ""),
        ({"a": 1, "b": None, "c": [], "d": {"e": True}}, "a 1, d e yes"),
    ],
)  # fmt: skip
def test_a_setting_is_written_for_people(value: object, text: str) -> None:
    study = replace(make_study(seeds=1, trials=0), document={"protocol": {"train": {"the_setting": value}}})
    assert groups(study)["Training"] == {"the setting": text}


@pytest.mark.parametrize(
    ("dimension", "text"),
    [
        ([32, 64], "32, 64"),
        ({"choice": ["a", "b"], "ordered": True, "log": False, "step": None}, "a, b; ordered"),
        ({"low": 0.1, "high": 10, "log": True}, "low 0.1; high 10; log"),
    ],
)
def test_a_dimension_of_the_space_says_what_is_switched_on(dimension: object, text: str) -> None:
    study = full_study()
    document = {**study.document, "search": {"space": {"ch": dimension}, "trials": 20, "seed": 0, "pruning": None}}
    assert groups(replace(study, document=document))["Search"] == {"ch": text, "trials": "20", "seed": "0"}


def test_what_screening_did_stands_with_the_search() -> None:
    told = groups(replace(full_study(), screening="left out 3 of 20"))["Search"]
    assert told["screening by predicted latency"] == "left out 3 of 20"


def test_machines_are_numbered_where_there_are_several_and_say_only_what_is_known() -> None:
    study = full_study()
    one = {"device": "cpu", "gpu": None, "threads": 2}
    assert groups(replace(study, environment=[one]))["Software and machine"] == {"device": "cpu", "threads": "2"}
    both = groups(replace(study, environment=[one, {"device": "cuda"}]))
    assert both["Software and machine 2"] == {"device": "cuda"}
    assert "Software and machine" not in both
    assert not any("machine" in title for title in groups(replace(study, environment=[])))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (5.0, "5.00 s"),
        (119.0, "119 s"),
        (120.0, "2.0 min"),
        (7199.0, "120.0 min"),
        (7200.0, "2.0 h"),
        (360_000.0, "100.0 h"),
    ],
)
def test_the_wall_time_of_all_trials_is_added_up_in_a_fitting_unit(seconds: float, text: str) -> None:
    study = make_study(seeds=2, trials=0)
    walls = [seconds, float("nan"), *[0.0] * (len(study.trials) - 2)]
    trials = study.trials.assign(wall=walls, seed=[7, 3, *[3] * (len(walls) - 2)])
    told = groups(replace(study, trials=trials))["Trials"]
    assert (told["wall time of all trials"], told["training seeds"]) == (text, "3, 7")


def test_the_first_and_the_last_start_are_told_where_they_are_known() -> None:
    study = make_study(seeds=1, trials=0)
    times = ["2026-11-03T10:00:00+00:00", "2026-11-02T23:59:59+01:00", *[None] * (len(study.trials) - 2)]
    told = groups(replace(study, trials=study.trials.assign(started=times)))["Trials"]
    assert (told["first started"], told["last started"]) == ("2026-11-02 23:59:59+01:00", "2026-11-03 10:00:00 UTC")
    assert set(groups(replace(study, trials=study.trials.assign(started=None)))["Trials"]) == {
        "training seeds", "wall time of all trials",
    }  # fmt: skip


def test_a_study_that_has_not_begun_has_no_group_of_trials() -> None:
    found = method.context(make_study(seeds=0, trials=0), Charts())
    assert found is not None
    assert "Trials" not in dict(found["groups"])
    assert (found["spread"], found["reference"]) == ("", "")


def test_the_spread_of_latencies_is_the_middle_one_of_the_trials() -> None:
    study = make_study(seeds=1, trials=0)
    rows = (
        study.trials[study.trials["status"] == "finished"]
        .iloc[:3]
        .assign(latency=[1.0, 2.0, 4.0], latency_p10=[0.9, 1.9, 1.0], latency_p90=[1.1, 2.0, 4.0])
    )
    found = method.context(replace(study, trials=rows), Charts())
    # 20 %, 5 % and 75 % of the median.
    assert found is not None
    assert found["spread"].replace("\u202f", " ") == "20 %"
    bare = method.context(replace(study, trials=rows.drop(columns="latency_p10")), Charts())
    assert bare is not None
    assert bare["spread"] == ""
