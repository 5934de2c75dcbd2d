import itertools
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reports.dashboard import SECTIONS, render, write_dashboard
from reports.metrics import METRICS
from reports.pages.charts import Charts
from reports.tables import write_results_csv
from reports.theme import CONFIG
from studies.frame import StudyResults, frame
from tests.reports.reading import read, stored, words
from tests.reports.synthetic_study import full_page, full_study, make_study, read_exactly, with_status, without


def test_plotly_comes_once_and_nothing_offers_an_upload() -> None:
    page = full_page()
    assert page.count('id="plotly-packed"') == 1
    assert page.count("plotly.js v") == 0
    assert stored(page, "plotly-packed").count("plotly.js v") == 1
    assert CONFIG["showSendToCloud"] is False
    config = json.loads(next(text for a, text in read(page).scripts if a.get("id") == "chart-data"))["config"]
    assert config["showSendToCloud"] is False
    assert config["plotlyServerURL"] == ""


def test_a_page_without_plots_carries_no_plotly() -> None:
    assert len(render(replace(make_study(seeds=0, trials=0), base=""))) < 120_000


def test_twenty_trials_stay_below_six_megabytes(tmp_path: Path) -> None:
    path = write_dashboard(make_study(seeds=5, trials=20), tmp_path / "out" / "dashboard.html")
    assert path == tmp_path / "out" / "dashboard.html"
    assert path.stat().st_size < 6_000_000
    assert [p.name for p in path.parent.iterdir()] == ["dashboard.html"]


def test_the_table_holds_the_numbers_of_the_frame() -> None:
    study = full_study()
    found = read(full_page())
    cells = [a for tag, a in found.tags if tag == "td" and a.get("data-metric") == "loss" and "data-variant" not in a]
    shown = [float(a["data-value"]) if a["data-value"] else None for a in cells]
    wanted = [None if pd.isna(v) else v for v in study.trials["loss"]]
    assert shown == wanted


def test_what_was_predicted_stands_beside_what_was_measured() -> None:
    study = one_trial()
    row = study.trials.iloc[0]
    trials = study.trials.assign(predicted_memory=row["memory"] * 1.25, predicted_latency_ratio=2.5)
    found = replace(study, trials=trials.assign(latency_ratio=float("nan")), screening="took no part: too few")
    text = words(render(found))
    predicted, measured = (METRICS["memory"].text(row["memory"] * x).replace("\u202f", " ") for x in (1.25, 1))
    assert f"peak memory {predicted} (measured {measured}, +25 %)" in text
    assert "latency ratio 2.50" in text
    assert "took no part: too few" in text
    assert "Predicted" not in words(render(study))


def test_sections_in_order() -> None:
    found = read(full_page())
    ids = [a.get("id") for tag, a in found.tags if tag == "section"]
    assert ids == ["answer", "ablation", "search", "architectures", "trials", "method"]
    assert ids == [s.key for s in SECTIONS if s.key != "samples"]  # this study draws none
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


def empty() -> StudyResults:
    return replace(make_study(seeds=0, trials=0), trials=frame([]), base="", architectures={}, environment=[], data={})


def one_trial() -> StudyResults:
    study = make_study(seeds=0, trials=1)
    return replace(study, warnings=())


def odd_trial() -> StudyResults:
    study = make_study(seeds=1, trials=1)
    return replace(study, trials=study.trials.assign(fingerprint=None, edits=None, started=None, wall=None))


CASES: dict[str, tuple[Callable[[], StudyResults], list[str]]] = {
    "empty": (empty, ["No trial has run yet."]),
    "only ablation": (lambda: without(full_study(), "search"), ["no-skips is worse than the base", "Training curves"]),
    "only search": (lambda: without(full_study(), "ablation"), ["Best held-out loss within budget", "on the front"]),
    "one trial": (one_trial, ["It is the base itself.", "1 trial:", "Too few trials for importances (n=1; 10 needed)"]),
    "one seed": (lambda: make_study(seeds=1, trials=0), ["too few seeds for a verdict (n=1; 5 needed)"]),
    "two seeds": (lambda: make_study(seeds=2, trials=0), ["too few seeds for a verdict (n=2; 5 needed)"]),
    "all failed": (
        lambda: with_status(full_study(), "failed", "RuntimeError: boom"),
        ["No ablation trial has a result yet", "No search trial has a result yet", "RuntimeError: boom"],
    ),
    "all running": (lambda: with_status(full_study(), "running", None), ["No search trial has a result. 20 trials"]),
    "one objective": (lambda: make_study(seeds=0, objectives=("loss",)), ["Held-out loss, trial by trial"]),
    "three objectives": (
        lambda: make_study(seeds=0, objectives=("loss", "latency", "memory")),
        ["Held-out loss against latency", "peak memory (MiB)"],
    ),
    "no loss": (lambda: make_study(seeds=0, objectives=("latency", "macs")), ["Latency against MACs", "Best latency"]),
    "no budgets": (lambda: make_study(seeds=0, budgets={}), ["Best held-out loss:", "No budgets."]),
    "none feasible": (lambda: make_study(seeds=0, budgets={"latency": 1e-4}), ["keeps the budgets. Closest: trial"]),
    "sparse": (odd_trial, ["All trials"]),
    "unicode": (lambda: replace(full_study(), name="Größe 数字 🎲", question="¿Qué?"), ["Größe 数字 🎲", "¿Qué?"]),
}


@pytest.mark.parametrize(("make", "said"), CASES.values(), ids=CASES)
def test_every_state_of_a_study_renders_something_true(make: Callable[[], StudyResults], said: list[str]) -> None:
    page = render(make())
    text = words(page)
    for sentence in said:
        assert sentence in text
    # Not a number, and Python's words for nothing, are no text for people.
    assert not re.search(r"\b(nan|NaN %|None|inf)\b", re.sub(r"became NaN|None (of|within)", "", text))
    for _, attributes in read(page).tags:
        assert "nan" not in str(attributes.get("d", "")) + str(attributes.get("points", "")) + str(attributes.get("cx"))


def test_an_architecture_that_cannot_be_read_is_left_out() -> None:
    study = make_study(seeds=5, trials=0)
    other = next(f for f in study.architectures if f != study.base)
    broken = {**study.architectures, other: {"version": 1, "name": "x", "graph": {"nodes": {}, "edges": []}}}
    assert "Swap sides" in words(render(replace(study, architectures=broken)))
    assert 'id="architectures"' not in render(replace(study, architectures={study.base: broken[other]}))


def test_the_csv_gives_back_every_digit(tmp_path: Path) -> None:
    study = full_study()
    path = write_results_csv(study, tmp_path / "deep" / "results.csv")
    back = read_exactly(path)
    assert list(back.columns) == list(study.trials.columns)
    for column in ("loss", "latency", "latency_ratio", "memory"):
        pd.testing.assert_series_equal(back[column], study.trials[column], check_exact=True)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "dashboard.html"
    target.write_text("old")

    def full(_: Path, __: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        write_dashboard(make_study(seeds=1, trials=0), target)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["dashboard.html"]


def test_reports_open_without_torch_and_optuna() -> None:
    code = (
        "import sys, reports.dashboard, reports.tables; "
        "print([m for m in ('torch', 'optuna', 'studies') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_two_figures_cannot_share_a_name() -> None:
    import plotly.graph_objects as go

    charts = Charts()
    charts.add("a", go.Figure(), "first")
    with pytest.raises(ValueError, match="two figures are called a"):
        charts.add("a", go.Figure(), "second")


def test_a_long_table_is_kept_packed_and_loses_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    study = full_study()
    whole = read(full_page())
    monkeypatch.setattr("reports.pages.trials.MOST_WRITTEN", 10)
    page = render(study)
    bodies = [a for tag, a in read(page).tags if tag == "tbody" and "data-part" in a]
    rows = json.loads(stored(page, "trial-rows"))["rows"]
    assert len(bodies) == 10
    assert len(rows) == len(study.trials) - 10
    wanted = [(a["data-part"], a["data-trial"]) for tag, a in whole.tags if tag == "tbody" and "data-part" in a]
    assert [(part, str(trial)) for part, _, trial, *_ in rows] == wanted[10:]
    losses = [cells[5] for _, _, _, _, cells, *_ in rows]
    assert [cell[-1] for cell in losses] == ["" if pd.isna(v) else v for v in study.trials["loss"].iloc[10:]]
