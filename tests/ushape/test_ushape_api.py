from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import ushape
from archspec import UserError
from studies.study.load import load_study
from studies.study.study import with_workers
from tests.studies.fake_run import run_fake
from tests.tiny_study import ABLATION, TINY


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that was run with workers whose trials are nearly free."""
    path = tmp_path_factory.mktemp("api") / "study.yaml"
    path.write_text(TINY.replace("Is it small?", "Is 1 < 2?") + ABLATION)
    run_fake(path)
    return path


def test_results_by_file_and_by_folder(study: Path) -> None:
    results = ushape.load(study)
    frame = results.frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(zip(frame["variant"], frame["seed"], frame["status"], strict=True)) == [
        ("base", 0, "finished"), ("no attention", 0, "finished"),
        ("base", 1, "finished"), ("no attention", 1, "finished"),
    ]  # fmt: skip
    frame["loss"] = 0.0  # a copy: the results stay as they were
    assert results.best()["loss"] == ushape.load(load_study(study).folder).frame()["loss"].min() > 0
    assert results.counts() == {"ablation": {"finished": 4}}
    assert results.architecture(str(results.best()["fingerprint"]))["name"] == "tiny"
    assert repr(results) == f"<Results of 'tiny' in {results.folder}: ablation: 4 finished>"


def test_a_notebook_shows_a_table_and_no_markup_of_the_users(study: Path) -> None:
    shown = ushape.load(study)._repr_html_()
    assert "<h4>tiny</h4>" in shown
    assert "<em>Is 1 &lt; 2?</em>" in shown
    assert "<li>ablation: 4 finished</li>" in shown
    assert shown.count("<tr") == 5


def test_loading_and_showing_loads_no_torch(study: Path) -> None:
    code = (
        "import sys, ushape; r = ushape.load(sys.argv[1]); r.frame(); r._repr_html_(); "
        "print([m for m in ('torch', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(study)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert done.stdout == "[]\n"


def test_importing_the_package_is_light() -> None:
    code = "import sys, ushape; print([m for m in ('torch', 'pandas', 'optuna', 'networkx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_what_is_not_there_is_a_users_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there are no results in"):
        ushape.load(tmp_path)


def test_workers_of_a_call_go_over_those_of_the_file(study: Path) -> None:
    loaded = load_study(study)
    assert with_workers(loaded, None) is loaded
    assert with_workers(loaded, 3).run.workers == 3
    assert with_workers(loaded, 3).document()["run"]["workers"] == 3


@pytest.mark.slow
def test_run_from_python(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(TINY.replace("seeds: 2", "seeds: 1") + ABLATION)
    results = ushape.run(path, workers=2)
    assert results.counts() == {"ablation": {"finished": 2}}
    assert list(ushape.load(path).frame()["loss"]) == list(results.frame()["loss"])
