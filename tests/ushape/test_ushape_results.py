"""A study that was run, as every command and every file tells it: CSV, JSON and the API say the same numbers."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import ushape as api
from archspec import UserError, build, fingerprint, from_document, load
from tests.command import Done, ushape
from tests.tiny_study import ABLATION, SEARCH, TINY
from tests.ushape.made_up import trainings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two studies that were run to their end: an ablation with four seeds, and a search of three trials."""
    place = tmp_path_factory.mktemp("größe")
    (place / "a.yaml").write_text(TINY.replace("seeds: 2", "seeds: 4").replace("name: tiny", "name: abl", 1) + ABLATION)
    (place / "s.yaml").write_text(TINY.replace("name: tiny", "name: sea", 1) + SEARCH)
    with trainings():
        for name in ("a.yaml", "s.yaml"):
            assert ushape("run", name, "--no-report", cwd=place).returncode == 0
    yield place


def of(folder: Path, *arguments: str) -> Done:
    done = ushape(*arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done


def test_without_a_report_there_are_records_alone(folder: Path) -> None:
    assert not (folder / "runs" / "abl" / "dashboard.html").exists()
    assert (folder / "runs" / "abl" / "study.db").is_file()


@pytest.mark.parametrize("name", ["a.yaml", "runs/abl", "runs/abl/"])
def test_status_as_data_counts_what_the_frame_has(folder: Path, name: str) -> None:
    data = json.loads(of(folder, "status", name, "--json").stdout)
    frame = api.load(folder / "a.yaml").frame()
    part = data["parts"]["ablation"]
    assert (data["name"], data["running"], data["runs"], data["screening"]) == ("abl", False, "trainings", None)
    assert (part["statuses"], part["planned"], part["left"]) == ({"finished": 8}, 8, 0)
    assert part["best"]["loss"] == frame["loss"].min()
    means = {row["variant"]: row["loss"] for row in part["variants"]}
    for variant, rows in frame.groupby("variant"):
        assert math.isclose(means[str(variant)], rows["loss"].mean(), rel_tol=1e-12)
    paired = frame.pivot_table(index="seed", columns="variant", values="loss")
    difference = (paired["no attention"] - paired["base"]).mean()
    [row] = [row for row in part["variants"] if row["variant"] == "no attention"]
    assert row["pairs"] == 4
    assert math.isclose(row["difference"], difference, rel_tol=1e-9)


def test_status_of_another_folder(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "runs" / "abl", tmp_path / "copy")
    data = json.loads(of(folder, "status", "a.yaml", "--folder", str(tmp_path / "copy"), "--json").stdout)
    assert (data["folder"], data["parts"]["ablation"]["statuses"]) == (str(tmp_path / "copy"), {"finished": 8})


def test_tables_hold_every_trial(folder: Path, tmp_path: Path) -> None:
    done = of(folder, "tables", "a.yaml", "-f", "csv", "-o", str(tmp_path / "t"))
    assert done.stdout.splitlines() == [f"{name}: {tmp_path / 't' / name}.csv" for name in ("ablation", "trials")] or (
        sorted(path.name for path in (tmp_path / "t").iterdir()) == ["ablation.csv", "trials.csv"]
    )
    with (tmp_path / "t" / "trials.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    frame = api.load(folder / "a.yaml").frame()
    assert [(row["variant"], int(row["seed"]), float(row["loss"])) for row in rows] == list(
        zip(frame["variant"], frame["seed"], frame["loss"], strict=True)
    )


def test_tables_stand_in_the_folder_of_the_study(folder: Path) -> None:
    of(folder, "tables", "s.yaml", "--format", "markdown", "--format", "latex")
    names = {path.name for path in (folder / "runs" / "sea" / "tables").iterdir()}
    assert names == {"front.md", "front.tex"}


def test_the_report_writes_a_page_and_a_table(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "page ü.html"
    done = of(folder, "report", "s.yaml", "-o", str(page))
    assert done.stdout.splitlines()[-2:] == ["results: runs/sea/results.csv", f"dashboard: {page}"]
    assert page.read_text(encoding="utf-8").startswith("<!")
    assert not (folder / "runs" / "sea" / "dashboard.html").exists()
    frame = pd.read_csv(folder / "runs" / "sea" / "results.csv")
    assert len(frame) == 3
    assert api.load(folder / "s.yaml").report(tmp_path / "again.html") == tmp_path / "again.html"


def test_a_comparison_of_two_studies_is_one_page(folder: Path, tmp_path: Path) -> None:
    done = of(folder, "report", "a.yaml", "runs/sea", "-o", str(tmp_path / "both.html"))
    assert done.stdout == f"comparison: {tmp_path / 'both.html'}\n"
    text = (tmp_path / "both.html").read_text(encoding="utf-8")
    assert "abl" in text
    assert "sea" in text


@pytest.mark.parametrize(("study", "trial", "part"), [("a.yaml", "0", "ablation"), ("s.yaml", "search/2", "search")])
def test_a_trial_is_exported_as_the_architecture_it_had(
    folder: Path, tmp_path: Path, study: str, trial: str, part: str
) -> None:
    target = tmp_path / "net.yaml"
    done = ushape("export", study, "--trial", trial, "--to", "yaml", "-o", str(target), cwd=folder)
    frame = api.load(folder / study).frame()
    number = int(trial.rpartition("/")[2])
    [row] = frame[(frame["part"] == part) & (frame["trial"] == number)].to_dict("records")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{'abl' if part == 'ablation' else 'sea'}/{part}/{number}: loss {row['loss']:.4f}\n"
    assert fingerprint(build(load(str(target)))) == row["fingerprint"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.yaml", "--trial", "best"], "error U090 no trial of a search in abl has a result within the budgets. "
         "`ushape status` lists its trials; name one of an ablation by --trial ablation/0."),
        (["a.yaml", "--trial", "8"], "error U090 abl has no trial ablation/8. ablation has 0 to 7."),
        (["s.yaml", "--trial", "ablation/0"], "error U090 sea has no trial ablation/0. search has 0 to 2."),
        (["s.yaml", "--trial", "-1"], "error U090 `-1` names no trial. Write best, a number such as 7, or PART/NUMBER: "
         "ablation/0."),
        (["s.yaml", "--trial", "search/"], "error U090 `search/` names no trial. Write best, a number such as 7, or "
         "PART/NUMBER: ablation/0."),
        (["runs/sea"], "error U090 runs/sea is a study, not an architecture. Say which of its trials: --trial best, or "
         "a number that `ushape status` shows."),
    ],
)  # fmt: skip
def test_a_trial_that_is_not_there(folder: Path, arguments: list[str], message: str) -> None:
    done = ushape("export", *arguments, cwd=folder)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{message}\n")


def test_a_plan_of_what_was_run_has_nothing_left(folder: Path) -> None:
    data = json.loads(of(folder, "plan", "a.yaml", "--json").stdout)
    assert (data["trainings"], data["left"], data["seconds"]["total"]) == (8, 0, 0.0)
    assert data["power"]["source"] == "median of 1 variants of abl"
    stated = json.loads(of(folder, "plan", "a.yaml", "--spread", "0.5", "--json").stdout)["power"]
    assert (stated["source"], stated["spread"]) == ("stated", 0.5)
    assert math.isclose(stated["effect"], stated["sds"] * 0.5, rel_tol=1e-12)
    mean = api.load(folder / "a.yaml").frame().query("variant == 'base'")["loss"].mean()
    assert math.isclose(stated["percent"], stated["effect"] / mean * 100, rel_tol=1e-9)


def test_a_confirmation_needs_a_search(folder: Path) -> None:
    done = ushape("confirm", "a.yaml", cwd=folder)
    assert done.returncode == 2
    assert done.stderr.startswith("a.yaml: error ") or done.stderr.startswith("error U090 ")
    assert "Traceback" not in done.stderr


def test_the_results_are_told_in_a_notebook(folder: Path) -> None:
    results = api.load(folder / "s.yaml")
    best = results.best()
    frame = results.frame()
    assert best["loss"] == frame[frame["feasible"].astype(bool)]["loss"].min()
    assert results.best("parameters")["parameters"] == frame["parameters"].min()
    assert results.counts() == {"search": {"finished": 3}}
    assert fingerprint(from_document(results.architecture(str(best["fingerprint"])))) == best["fingerprint"]
    with pytest.raises(KeyError):
        results.architecture("none")
    assert repr(results) == f"<Results of 'sea' in {folder / 'runs' / 'sea'}: search: 3 finished>"
    assert results.data.name == "sea"


def test_no_best_where_nothing_is_within_the_budgets(folder: Path) -> None:
    results = api.load(folder / "s.yaml")
    results.data.trials["feasible"] = False
    assert results.best() == {}


def test_a_study_is_run_from_python_and_tells_an_observer(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TINY + ABLATION)
    with trainings():
        results = api.run(path, tmp_path / "elsewhere")
        again = api.run(str(path), tmp_path / "elsewhere", retry_failed=True)
    assert results.folder == tmp_path / "elsewhere"
    assert results.counts() == again.counts() == {"ablation": {"finished": 4}}
    assert not (tmp_path / "runs").exists()
    with pytest.raises(UserError, match="there are no results in"):
        api.load(path)
