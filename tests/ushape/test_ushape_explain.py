"""Every rule has a page, its wrong example breaks it, and the mended one is sound."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

import archspec
from archspec.text.explain import page, pages_folder
from archspec.text.rules import RULES
from tests.command import ushape


def problems(text: str, tmp_path: Path) -> set[str]:
    """The codes that checking a file of this text gives, or running these commands."""
    from studies.study.load import check_study
    from studies.training.data.sources import check_fits
    from ushape.cli.checking import problems_of

    file = tmp_path / "example.yaml"
    file.write_text(text, encoding="utf-8")
    found = {problem.code for problem in problems_of(file)}
    study = check_study(file)[0] if "\nbase:" in text else None
    try:
        if study is not None:
            check_fits(study.base, study.protocol.data)
    except archspec.UserError as error:
        found |= {problem.code for problem in error.problems}
    return found


def output(commands: str, tmp_path: Path) -> str:
    said = ""
    for line in commands.splitlines():
        command, *arguments = shlex.split(line)
        assert command == "ushape"
        done = ushape(*arguments, cwd=tmp_path)
        said += done.stdout + done.stderr
    return said


@pytest.mark.parametrize("code", RULES)
def test_the_wrong_example_breaks_the_rule_and_the_right_one_is_sound(code: str, tmp_path: Path) -> None:
    found = page(code)
    assert found.rule is RULES[code]
    assert len(found.why) > 40
    if found.language == "sh":
        assert code in output(found.wrong, tmp_path)
        assert code not in output(found.right, tmp_path)
        return
    assert code in problems(found.wrong, tmp_path)
    assert problems(found.right, tmp_path) == set()


def test_no_page_is_without_a_rule() -> None:
    assert sorted(path.stem for path in pages_folder().glob("*.md")) == sorted(RULES)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("U9999", "error U090 there is no rule U9999. Rules: U0xx, U1xx, U2xx, U3xx, U4xx, U5xx; `ushape explain` "
         "lists all."),
        ("u50x", "error U090 there is no rule U50X. Did you mean `U504`?"),
    ],
)  # fmt: skip
def test_no_such_rule(code: str, message: str) -> None:
    with pytest.raises(archspec.UserError) as caught:
        page(code)
    assert str(caught.value) == message
