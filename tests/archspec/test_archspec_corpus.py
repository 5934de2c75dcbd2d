"""Broken files, each with the whole of what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archspec
from archspec.text.rules import RULES

BROKEN = Path(__file__).parents[1] / "broken"
CASES = sorted(path.stem for path in BROKEN.glob("*.yaml"))
ROOM = Path(archspec.__file__).parent


@pytest.mark.parametrize("case", CASES)
def test_the_whole_message(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    checked = archspec.check_file(f"{case}.yaml")
    assert checked.graph is None
    assert checked.errors
    assert "".join(f"{problem}\n" for problem in checked.problems) == Path(f"{case}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES)
def test_loading_raises_all_of_it(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    with pytest.raises(archspec.UserError) as caught:
        archspec.load(f"{case}.yaml")
    assert f"{caught.value}\n" == Path(f"{case}.txt").read_text(encoding="utf-8")


def test_there_are_many_cases_and_no_expectation_without_one() -> None:
    assert len(CASES) >= 80
    assert sorted(path.stem for path in BROKEN.glob("*.txt")) == CASES


def test_every_rule_of_the_room_is_broken_somewhere_in_the_tests() -> None:
    used = {code for path in ROOM.rglob("*.py") if path.name != "rules.py" for code in codes(path)}
    assert used <= RULES.keys()
    tests = [*BROKEN.glob("*.txt"), *Path(__file__).parent.glob("test_archspec_*.py")]
    shown = {code for path in tests if path.name != Path(__file__).name for code in codes(path)}
    assert used - shown == set()


def test_severities_are_those_of_the_table() -> None:
    for path in BROKEN.glob("*.txt"):
        for severity, code in re.findall(r": (error|warning) (U\d{3}) ", path.read_text(encoding="utf-8")):
            assert (code, severity) == (code, RULES[code].severity)


def codes(path: Path) -> set[str]:
    return set(re.findall(r"\bU\d{3}\b", path.read_text(encoding="utf-8")))
