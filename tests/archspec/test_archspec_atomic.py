"""Files that are written in one step: there whole, or as they were before, with nothing left beside them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from archspec.text.atomic import replacing, write_bytes, write_text


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        assert os.umask(before) == mask  # as it was found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    "text", ["", "a\nb", "a\r\nb\r\n", "\N{ZERO WIDTH NO-BREAK SPACE}größer: 日本語 \N{BLACK CHESS KNIGHT}\n", "\0"]
)
def test_a_text_is_written_as_utf8_and_its_ends_of_lines_stay(text: str, tmp_path: Path) -> None:
    write_text(tmp_path / "a.yaml", text)
    assert (tmp_path / "a.yaml").read_bytes() == text.encode("utf-8")
    assert names(tmp_path) == ["a.yaml"]


def test_folders_are_made_and_what_was_there_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet there" / "a.bin"
    write_bytes(path, b"long content")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert names(path.parent) == ["a.bin"]


def test_a_name_alone_is_written_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_text(Path("a.yaml"), "a: 1\n")
    assert (tmp_path / "a.yaml").read_text() == "a: 1\n"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_who_may_read_it_is_what_the_umask_says(mask: int, mode: int, tmp_path: Path) -> None:
    with umask(mask):
        write_text(tmp_path / "a", "a")
        with replacing(tmp_path / "b") as beside:
            beside.touch(mode=0o600)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in "ab"] == [mode, mode]


def test_a_text_that_cannot_be_encoded_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a.yaml", "new \ud800")
    assert (tmp_path / "a.yaml").read_text() == "old"
    assert names(tmp_path) == ["a.yaml"]


def test_a_disk_that_is_full_leaves_the_old_one_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (tmp_path / "a").write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_text(tmp_path / "a", "new")
    with pytest.raises(OSError, match="No space left"), replacing(tmp_path / "a") as beside:
        beside.write_text("new")
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"old")

    def fail(path: Path) -> None:
        with replacing(path) as beside:
            beside.write_bytes(b"half")
            raise ArithmeticError

    for name in ("a.bin", "new.bin"):
        with pytest.raises(ArithmeticError):
            fail(tmp_path / name)
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_what_writes_by_name_is_given_the_same_name_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "in" / "net.safetensors"
    with replacing(path) as beside:
        assert beside.name == path.name
        assert not beside.exists()
        assert beside.parent.parent == path.parent
        beside.write_bytes(b"weights")
        assert not path.exists()
    assert path.read_bytes() == b"weights"
    assert names(path.parent) == ["net.safetensors"]


def test_a_folder_appears_whole_with_all_that_is_in_it(tmp_path: Path) -> None:
    with replacing(tmp_path / "net") as beside:
        (beside / "v1.5").mkdir(parents=True)
        (beside / "v1.5" / "config.json").write_text("{}")
        (beside / "README").write_text("read")
    assert names(tmp_path) == ["net"]
    assert (tmp_path / "net" / "v1.5" / "config.json").read_text() == "{}"
    assert (tmp_path / "net" / "README").read_text() == "read"


@pytest.mark.parametrize("path", ["/proc/x.yaml", "/proc/no/x.yaml"])
def test_a_folder_that_takes_no_files_is_named(path: str) -> None:
    with pytest.raises(OSError, match="no files can be made there") as caught:
        write_text(Path(path), "x")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOTSUP, str(Path(path).parent))
    with pytest.raises(OSError, match="no files can be made there"), replacing(Path(path)):
        raise AssertionError  # it does not come so far


def test_a_file_cannot_take_the_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_text(tmp_path / "there", "x")
    assert caught.value.filename2 == str(tmp_path / "there")
    assert names(tmp_path) == ["there"]
