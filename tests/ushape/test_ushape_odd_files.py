"""Every command with a file that is none of its kind: one message with its place, exit code 2, nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command import Done, ushape
from tests.tiny_study import SEARCH, TINY

SAID = {
    "empty.yaml": "empty.yaml: error U011 the file is empty. `ushape init` writes one to start from.",
    "open.yaml": "open.yaml:2:1: error U002 not YAML: expected ',' or ']', but got '<stream end>' (in what begins in "
    "line 1).",
    "utf16.yaml": "utf16.yaml:1: error U001 this is not UTF-8 text. Save it as UTF-8.",
    "pipe": "pipe: error U001 this is not a regular file. Name a YAML file.",
}
NO_STUDY = "list.yaml:1:1: error U012 a study is a mapping of keys to values. See `ushape init`."
NO_NETWORK = (
    "list.yaml:1:1: error U012 an architecture is a mapping of keys to values. It starts with version:, name: and "
    "unet: or graph:."
)
OF_STUDIES = ("plan", "run", "confirm", "status", "report", "tables", "figures", "dashboard")
OF_NETWORKS = ("show", "profile", "export")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "open.yaml").write_text("a: [1\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "utf16.yaml").write_bytes(b"\xff\xfe\x00a")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize("command", [*OF_STUDIES, *OF_NETWORKS])
def test_a_file_that_cannot_be_read_is_named_by_every_command(command: str, place: Path) -> None:
    for file, message in SAID.items():
        assert ushape(command, file, cwd=place) == Done(2, "", f"{message}\n")


@pytest.mark.parametrize("command", [*OF_STUDIES, *OF_NETWORKS])
def test_a_list_is_neither_a_study_nor_a_network(command: str, place: Path) -> None:
    message = NO_STUDY if command in OF_STUDIES else NO_NETWORK
    assert ushape(command, "list.yaml", cwd=place) == Done(2, "", f"{message}\n")


@pytest.mark.parametrize("command", ["status", "report", "tables", "figures", "dashboard"])
def test_a_folder_without_results_is_named(command: str, place: Path) -> None:
    (place / "folder").mkdir()
    assert ushape(command, "folder", cwd=place) == Done(
        2, "", "error U001 there are no results in folder. `ushape run STUDY` makes one.\n"
    )


@pytest.mark.parametrize(("out", "why"), [(".", "Device or resource busy"), ("folder", "Is a directory")])
def test_a_folder_in_the_place_of_a_file_is_named(out: str, why: str, place: Path) -> None:
    (place / "folder").mkdir()
    assert ushape("schema", "architecture", "-o", out, cwd=place) == Done(
        2, "", f"error {out}: cannot be written: {why}. Name another place.\n"
    )
    assert (place / "folder").is_dir()


def test_a_study_without_variants_has_nothing_to_compare(place: Path) -> None:
    (place / "q.yaml").write_text(TINY + SEARCH)
    assert ushape("diff", "q.yaml", cwd=place) == Done(
        2, "", "q.yaml: error U090 the study has no variants to compare. Name a second file, to compare its base to.\n"
    )
