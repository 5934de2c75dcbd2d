from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from archspec import UserError
from reports.dashboard import render
from studies.frame import StudyProgress
from tests.reports.synthetic_study import make_study
from ushape.cli.watch import INTERVAL, follow


@pytest.fixture
def run_of_four(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A run that is seen at work four times; a trial ends between the second look and the third."""
    driven: Iterator[bool] = iter([True, True, True, True, False])
    counts = iter([1, 1, 2])
    slept: list[float] = []
    monkeypatch.setattr("studies.records.locks.is_driven", lambda folder: next(driven))
    monkeypatch.setattr(
        "studies.frame.progress_of", lambda folder: StudyProgress({"search": {"finished": next(counts)}}, 0)
    )
    monkeypatch.setattr("time.sleep", slept.append)
    return slept


def test_it_is_written_when_a_trial_has_ended_and_stands_still_at_the_end(
    run_of_four: list[float], tmp_path: Path
) -> None:
    written: list[int | None] = []
    said: list[str] = []

    def write(refresh: int | None) -> Path:
        written.append(refresh)
        return tmp_path / "page.html"

    assert follow(tmp_path, write, said.append) == tmp_path / "page.html"
    assert written == [INTERVAL, INTERVAL, None]
    assert said == [f"written: {tmp_path / 'page.html'}"] * 2
    assert run_of_four == [INTERVAL] * 3


def test_without_a_run_there_is_nothing_to_watch(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run is working on"):
        follow(tmp_path, lambda refresh: tmp_path, lambda text: None)


def test_only_a_page_of_a_running_study_reads_itself_again() -> None:
    study = make_study(seeds=0, trials=1)
    assert '<meta http-equiv="refresh" content="5">' in render(study, refresh=5)
    assert "refresh" not in render(study).split("</header>")[0]
