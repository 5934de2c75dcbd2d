"""Broken study files, each with the whole of what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from archspec import UserError
from studies.study.load import check_study, load_study

BROKEN = Path(__file__).parents[1] / "broken_studies"
CASES = sorted(path.stem for path in BROKEN.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_the_whole_message(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BROKEN)
    expected = Path(f"{case}.txt").read_text(encoding="utf-8")
    said = "".join(f"{problem}\n" for problem in check_study(f"{case}.yaml")[1])
    assert said.replace(f"{BROKEN}/", "") == expected
    assert ": error U" in expected
    with pytest.raises(UserError):
        load_study(f"{case}.yaml")


def test_there_are_many_cases_and_no_expectation_without_one() -> None:
    assert len(CASES) >= 30
    assert sorted(path.stem for path in BROKEN.glob("*.txt")) == CASES
