"""Files that cannot be read: said at once, and never waited for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import archspec
from archspec.text.files import MAX_BYTES


def test_a_directory(tmp_path: Path) -> None:
    assert said(tmp_path) == f"{tmp_path}: error U001 this is a directory, not a file. Name a YAML file."


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "unet.yaml").write_text("")
    assert said(tmp_path / "unett.yaml").endswith("error U001 there is no such file. Did you mean `unet.yaml`?")
    assert said(tmp_path / "none" / "unet.yaml").endswith(
        f"error U001 there is no such file. The folder {tmp_path / 'none'} cannot be read either."
    )


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert said(tmp_path / "pipe").endswith("error U001 this is not a regular file. Name a YAML file.")
    assert said(Path("/dev/zero")) == "/dev/zero: error U001 this is not a regular file. Name a YAML file."


def test_a_large_file(tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    assert said(tmp_path / "large.yaml").endswith("error U004 the file is too large. At most 1,000,000 bytes are read.")


@pytest.mark.parametrize("name", ["a" * 300, "a\0b", "unet.yaml/x", "zoo/" + "a" * 300, "zoo/a\0b"])
def test_names_that_no_file_has(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "unet.yaml").write_text("")
    checked = archspec.check_file(name)
    assert [problem.code for problem in checked.problems] == ["U001"]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "marked.yaml"
    file.write_text("version: 1\nname: n\nunet: {}\n", encoding="utf-8-sig")
    assert {problem.code for problem in archspec.check_file(file).problems} == {"U011"}


def said(path: Path) -> str:
    (problem,) = archspec.check_file(path).problems
    return str(problem)
