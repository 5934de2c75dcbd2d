"""What a full disk does to a run: it is waited out, or it ends the run with what to do; nothing is lost."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archspec import UserError
from studies.records.record import TrialRecord
from studies.study.load import load_study
from tests.studies.fake_run import Listener, run_fake, start
from tests.studies.whole import ablation, check_whole, with_run

Write = Callable[..., Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB; where none may be mounted the test is skipped, in words."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def on(disk: Path, path: Path) -> Path:
    return Path(shutil.copy(path, disk / "study.yaml"))


def filled(disk: Path) -> Path:
    """A file that takes all room that is left."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return filler


class Filler(Listener):
    """Fills the disk when the third trial has ended, and makes room again when it hears of it, if at all."""

    def __init__(self, disk: Path, *, helps: bool) -> None:
        super().__init__()
        self.disk, self.helps = disk, helps

    def ended(self, record: TrialRecord) -> None:
        super().ended(record)
        if len(self.records) == 3:
            filled(self.disk)

    def said(self, text: str) -> None:
        super().said(text)
        if self.helps and "has no room on its disk" in text:
            (self.disk / "filler").unlink(missing_ok=True)


def test_a_full_disk_is_waited_out(study_file: Write, small_disk: Path) -> None:
    path = on(small_disk, with_run(study_file, run="{workers: 2}", seeds=4))
    study, listener = load_study(path), Filler(small_disk, helps=True)
    from studies.driver.run import run_study

    run_study(study, study.folder, listener, start=start)
    check_whole(path, seeds=4)
    assert len(ablation(path)) == 8
    assert listener.lines[0].startswith(f"{study.folder} has no room on its disk (")
    assert listener.lines[0].endswith("); waiting up to 10 min.")
    assert listener.lines[-1] == f"{study.folder} has room again."


def test_a_disk_that_stays_full_ends_the_run_with_what_to_do(
    study_file: Write, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studies.driver.run import run_study

    monkeypatch.setattr("studies.records.patience.PATIENCE", 0.5)
    path = on(small_disk, with_run(study_file, run="{workers: 2}", seeds=4))
    study, listener = load_study(path), Filler(small_disk, helps=False)
    with pytest.raises(UserError) as caught:
        run_study(study, study.folder, listener, start=start)
    [problem] = caught.value.problems
    assert re.match(rf"{study.folder} has had no room on its disk for \d+ s \(", problem.message)
    assert problem.hint == "What is finished is kept. Make room, then the same command goes on from there."
    (small_disk / "filler").unlink()
    monkeypatch.undo()
    finished = {r.trial for r in ablation(path) if r.status == "finished"}
    assert len(finished) >= 3
    run_fake(path)
    check_whole(path, seeds=4)
    assert finished <= {r.trial for r in ablation(path) if r.status == "finished"}
