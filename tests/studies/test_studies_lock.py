from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from studies.measure import lock as locks
from studies.measure.lock import Turn, identity

# Writes "name began" and "name ended" around each of its turns, stamped by the one clock of the machine.
TRAINER = """
import sys, time
from pathlib import Path
from studies.measure.lock import Turn
turn, out, steps = Turn("cpu", Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
with turn.training(), out.open("w") as file:
    for step in range(steps):
        began = time.monotonic()
        time.sleep(0.01)
        print(began, time.monotonic(), file=file, flush=True)
        turn.give_way()
"""
MEASURER = """
import sys, time
from pathlib import Path
from studies.measure.lock import Turn
turn, out, times = Turn("cpu", Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
with out.open("w") as file:
    for _ in range(times):
        with turn.measuring():
            began = time.monotonic()
            time.sleep(0.15)
            print(began, time.monotonic(), file=file, flush=True)
        time.sleep(0.05)
"""


@contextmanager
def process(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "PYTHONPATH": str(Path(locks.__file__).parents[2])}
    running = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def spans(path: Path) -> list[tuple[float, float]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [(float(a), float(b)) for a, b in (line.split() for line in lines if line.count(" "))]


def wait_for(path: Path, lines: int = 1) -> None:
    end = time.monotonic() + 60
    while len(spans(path)) < lines:
        assert time.monotonic() < end, f"{path.name} does not begin"
        time.sleep(0.01)


def overlaps(ones: list[tuple[float, float]], others: list[tuple[float, float]]) -> int:
    return sum(a < d and c < b for a, b in ones for c, d in others)


def test_two_workers_train_together_and_pause_while_a_third_measures(tmp_path: Path) -> None:
    with (
        process(TRAINER, tmp_path, tmp_path / "one", 10_000) as one,
        process(TRAINER, tmp_path, tmp_path / "two", 10_000) as two,
    ):
        wait_for(tmp_path / "one", 5)
        wait_for(tmp_path / "two", 5)
        with process(MEASURER, tmp_path, tmp_path / "measured", 3) as measurer:
            assert measurer.wait(60) == 0
        assert (one.poll(), two.poll()) == (None, None)
        for path in (tmp_path / "one", tmp_path / "two"):
            wait_for(path, len(spans(path)) + 3)  # they go on after the last measurement
    trained = [spans(tmp_path / "one"), spans(tmp_path / "two")]
    measured = spans(tmp_path / "measured")
    assert len(measured) == 3
    assert overlaps(measured, trained[0]) == overlaps(measured, trained[1]) == 0
    assert overlaps(*trained) > 5


def test_measurements_wait_for_one_another(tmp_path: Path) -> None:
    with (
        process(MEASURER, tmp_path, tmp_path / "one", 3) as one,
        process(MEASURER, tmp_path, tmp_path / "two", 3) as two,
    ):
        assert (one.wait(60), two.wait(60)) == (0, 0)
    assert len(spans(tmp_path / "one")) == len(spans(tmp_path / "two")) == 3
    assert overlaps(spans(tmp_path / "one"), spans(tmp_path / "two")) == 0


@pytest.mark.parametrize("code", [TRAINER, MEASURER])
def test_a_process_that_is_killed_leaves_nothing_locked(tmp_path: Path, code: str) -> None:
    with process(code, tmp_path, tmp_path / "out", 10_000) as running:
        wait_for(tmp_path / "out")
        running.kill()
        running.wait()
    turn = Turn("cpu", tmp_path, patience=5)
    with turn.measuring():
        assert turn.trouble is None
    with turn.training():
        assert turn.trouble is None


def test_what_a_pause_lasted_is_known_and_the_device_is_idle_before_it(tmp_path: Path) -> None:
    idle: list[bool] = []
    trainer, measurer = Turn("cpu", tmp_path, idle=lambda: idle.append(True)), Turn("cpu", tmp_path)

    def measure() -> None:
        with measurer.measuring():
            time.sleep(0.05)

    with trainer.training():
        trainer.give_way()
        assert (idle, trainer.paused < 1) == ([], True)
        thread = threading.Thread(target=measure)
        thread.start()
        while not idle:  # until the other stands at the gate
            trainer.give_way()
    thread.join(10)
    assert trainer.paused > 0.04
    assert idle == [True]


def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    stubborn, patient = Turn("cpu", tmp_path), Turn("cpu", tmp_path, patience=0.05)
    with stubborn.training(), patient.measuring():
        assert patient.trouble == "the device was not given way to within 0.05 s"
    other = Turn("cpu", tmp_path, patience=0.05)
    with stubborn.measuring(), other.training():
        assert other.trouble == "the device was not given way to within 0.05 s"
    fresh = Turn("cpu", tmp_path, patience=0.05)
    with fresh.measuring():
        assert fresh.trouble is None


def test_devices_do_not_wait_for_each_other(tmp_path: Path) -> None:
    first, second = Turn("cuda-GPU/1", tmp_path, patience=0.05), Turn("cuda-GPU/2", tmp_path, patience=0.05)
    with first.measuring(), second.measuring(), Turn("cpu", tmp_path).training():
        assert (first.trouble, second.trouble) == (None, None)
    assert sorted(path.name for path in tmp_path.iterdir())[:2] == ["cpu.gate", "cpu.lock"]


def test_a_folder_that_cannot_be_used_is_said_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    turn = Turn("cpu", tmp_path / "file" / "locks")
    with turn.training():
        turn.give_way()
    with turn.measuring():
        pass
    turn.close()
    assert turn.trouble == f"no lock of the device: Not a directory ({tmp_path / 'file' / 'locks'})"


def test_the_files_are_open_to_every_user_and_named_by_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path / "locks"))
    mask = os.umask(0o077)
    try:
        Turn(identity(torch.device("cpu"))).close()
    finally:
        os.umask(mask)
    assert locks.folder() == tmp_path / "locks"
    assert (tmp_path / "locks").stat().st_mode & 0o7777 == 0o1777
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "locks").iterdir()} == {
        "cpu.gate": 0o666,
        "cpu.lock": 0o666,
    }
    monkeypatch.delenv("USHAPE_LOCKS")
    assert locks.folder() == Path("/tmp/ushape-locks")


def test_a_gpu_is_named_by_its_uuid(monkeypatch: pytest.MonkeyPatch) -> None:
    class Properties:
        uuid = "1b2c"

    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: Properties())
    assert identity(torch.device("cuda", 3)) == "cuda-1b2c"
