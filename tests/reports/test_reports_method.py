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
