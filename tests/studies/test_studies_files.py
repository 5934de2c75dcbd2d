"""Files of a trial: what a worker prints where there is no room, and which checkpoint it started from."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from studies.sections.protocol import Protocol
from studies.training import pretrained
from studies.training.pretrained import digest, shared_init
from studies.trial.log import BoundedLog


def printed(log: BoundedLog, chunks: int, size: int = 50_000) -> int:
    """How many chunks a process could print before it stood still: the pipe holds 64 KiB, the rest must be taken."""
    os.set_blocking(log.fileno(), False)
    for number in range(chunks):
        left = b"%d" % (number % 10) * size
        for _ in range(500):
            try:
                left = left[os.write(log.fileno(), left) :]
            except BlockingIOError:
                time.sleep(0.002)
            if not left:
                break
        else:
            return number
    log.close_ours()
    log.join()
    return chunks


def test_a_log_that_cannot_be_moved_aside_stops_no_process(tmp_path: Path) -> None:
    (tmp_path / "log.1").mkdir()
    assert printed(BoundedLog(tmp_path / "log", limit=100_000), 12) == 12
    assert (tmp_path / "log").read_bytes().startswith(b"0" * 50_000 + b"1" * 50_000)
    assert (tmp_path / "log").stat().st_size <= 100_000 + 65_536


def test_a_log_without_a_folder_stops_no_process_and_goes_on_when_there_is_one(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "gone" / "log")
    assert os.write(log.fileno(), b"lost") == 4
    time.sleep(0.05)
    (tmp_path / "gone").mkdir()
    assert printed(log, 3, 10) == 3
    assert (tmp_path / "gone" / "log").read_bytes().endswith(b"1" * 10 + b"2" * 10)


def test_a_process_that_prints_nothing_has_no_log(tmp_path: Path) -> None:
    assert printed(BoundedLog(tmp_path / "log"), 0) == 0
    assert list(tmp_path.iterdir()) == []


# checkpoints


def test_a_checkpoint_is_known_by_all_that_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "w.pt"
    file.write_bytes(b"weights")
    assert digest(file) == hashlib.sha256(b"7weights").hexdigest()[:16]
    moved = file.rename(tmp_path / "other.pt")
    assert digest(moved) == hashlib.sha256(b"7weights").hexdigest()[:16]
    assert digest(file) == hashlib.sha256(str(file).encode()).hexdigest()[:16]  # it is not there any more


def test_a_folder_is_known_by_all_of_its_files_wherever_it_lies(tmp_path: Path) -> None:
    def folder(name: str, **files: str) -> Path:
        for file, text in files.items():
            (tmp_path / name / "unet").mkdir(parents=True, exist_ok=True)
            (tmp_path / name / "unet" / file).write_text(text)
        return tmp_path / name

    one = digest(folder("one", a="1", b="22"))
    assert digest(folder("two", b="22", a="1")) == one
    assert len({one, digest(folder("three", a="12", b="2")), digest(folder("four", a="1", b="23"))}) == 3


@pytest.mark.parametrize(("at", "seen"), [(0, True), (9, True), (999, True), (495, True), (700, False)])
def test_of_a_large_file_blocks_from_its_beginning_to_its_end_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, seen: bool
) -> None:
    """Three blocks of 10 bytes of 1,000: they begin at 0, 495 and 990."""
    for name, value in (("_WHOLE", 100), ("_BLOCK", 10), ("_BLOCKS", 3)):
        monkeypatch.setattr(pretrained, name, value)
    content = bytearray(1000)
    (tmp_path / "a").write_bytes(content)
    content[at] = 1
    (tmp_path / "b").write_bytes(content)
    assert (digest(tmp_path / "a") != digest(tmp_path / "b")) is seen
    (tmp_path / "c").write_bytes(bytes(1001))
    assert digest(tmp_path / "c") != digest(tmp_path / "a")


def test_trials_share_what_their_weights_are_and_not_where_they_lie(tmp_path: Path) -> None:
    def shared(name: str, **more: Any) -> dict[str, Any]:
        (tmp_path / name).write_bytes(b"weights")
        return shared_init(Protocol.model_validate({"init": {"from": tmp_path / name, **more}}))

    assert shared("a.pt") == shared("b.pt")
    assert shared("a.pt")["init"]["digest"] == digest(tmp_path / "a.pt")
    assert str(tmp_path) not in str(shared("a.pt"))
    assert shared("a.pt", policy="exact") != shared("a.pt")
    assert shared_init(Protocol()) == {}
