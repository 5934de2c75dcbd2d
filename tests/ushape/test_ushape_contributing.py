"""What CONTRIBUTING.md says to do is done in a copy of the code, section by section, and works."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documented import ROOT, Block, blocks

ROOMS = ("archspec", "builder", "search", "studies", "reports", "ushape")
PAGE = ROOT / "CONTRIBUTING.md"
TITLES = re.findall(r"^## (Add .+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def blocks_of(title: str, folder: Path) -> list[Block]:
    """The blocks of one section."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(f"\n## {title}\n")
    section = folder / "section.md"
    section.write_text(re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0], encoding="utf-8")
    return blocks(section)


def changed(text: str, diff: str) -> str:
    """`text` with a diff made in it; what is taken out, with its context, must stand there exactly once."""
    lines = diff.splitlines()
    before = "\n".join(line[1:] for line in lines if not line.startswith("+"))
    after = "\n".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(before) == 1, f"{text.count(before)} places have\n{before}"
    return text.replace(before, after)


def take(block: Block, copy: Path) -> None:
    """One step: a file is written or changed, or code is run in the copy."""
    name = block.value("file")
    if name is None:
        path = f"{copy}:{ROOT / 'tests' / 'reports'}"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", block.text],
            cwd=copy,
            env={"PYTHONPATH": path, "PATH": "", "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    elif block.language == "diff":
        file = copy / name
        file.write_text(changed(file.read_text(encoding="utf-8"), block.text), encoding="utf-8")
    else:
        assert not (copy / name).exists()
        (copy / name).write_text(block.text, encoding="utf-8")


@pytest.mark.parametrize("title", TITLES)
def test_the_steps_of_a_section_work(title, tmp_path):
    steps = blocks_of(title, tmp_path)
    assert steps[-1].language == "python"
    assert steps[-1].value("file") is None
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room)  # with what is compiled of it
    for block in steps:
        take(block, tmp_path)


def test_the_four_changes_are_there():
    assert TITLES == ["Add an operation", "Add a measurement", "Add a sampler", "Add a section to the report"]


def test_a_step_that_does_not_fit_is_found():
    assert changed("a\nb\nc\n", " b\n+d\n") == "a\nb\nd\nc\n"
    assert changed("a\nb\nc\n", "-b\n+d") == "a\nd\nc\n"
    for text in ("a\n", "b\nb\n"):
        with pytest.raises(AssertionError, match="places have"):
            changed(text, "-b\n+d")


def test_the_targets_and_the_rooms_are_those_of_the_house():
    text = PAGE.read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    layers = re.search(r"layers = \[(.+)\]", (ROOT / "pyproject.toml").read_text())
    assert layers is not None
    drawn = re.search(r"^ushape  ->.*$", text, re.MULTILINE)
    assert drawn is not None
    assert re.split(r"\s+->\s+", drawn[0]) == re.findall(r'"([^"]+)"', layers[1])
