"""Numbers for people, problems as data and with their lines, and what the system did not let us do."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from archspec import Problem
from ushape.cli.app import _refused
from ushape.cli.console import count, mebibytes, print_json, problem_data, seconds, show_problems
from ushape.cli.source import Sources


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 ms"),
        (0.0000123, "0.0123 ms"),
        (0.0066, "6.6 ms"),
        (0.9994, "999 ms"),
        (0.9999, "1 s"),
        (1, "1 s"),
        (1.234, "1.23 s"),
        (59.94, "59.9 s"),
        (59.99, "1 min 0 s"),
        (60, "1 min 0 s"),
        (119.4, "1 min 59 s"),
        (200, "3 min 20 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (7525, "2 h 5 min"),
        (36e5, "1,000 h 0 min"),
    ],
)
def test_durations(number: float, text: str) -> None:
    assert seconds(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 MiB"),
        (2**19, "0.5 MiB"),
        (999 * 2**20, "999 MiB"),
        (1000 * 2**20, "0.9766 GiB"),
        (12.5 * 2**30, "12.5 GiB"),
        (2**40, "1,024 GiB"),
    ],
)
def test_memory_has_no_power_of_ten(number: float, text: str) -> None:
    assert mebibytes(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(512, "512"), (999, "999"), (1000, "1 k"), (75_376_643, "75.38 M"), (2.5e9, "2.5 G")]
)
def test_counts(number: float, text: str) -> None:
    assert count(number) == text


def test_data_for_programs_keeps_letters_and_says_what_it_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"größe": [1, None, True, 0.1], "path": Path("a/b")})
    said = capsys.readouterr().out
    assert json.loads(said) == {"größe": [1, None, True, 0.1], "path": "a/b"}
    assert "größe" in said


WARNING = Problem(code="U501", message="m [bold]", hint="h.", node="n", file="f", line=3, column=5, severity="warning")


def test_a_problem_as_data_has_all_that_is_known() -> None:
    assert problem_data(WARNING) == {
        "code": "U501", "severity": "warning", "file": "f", "line": 3, "column": 5, "node": "n", "count": 1,
        "message": "m [bold]", "hint": "h.",
    }  # fmt: skip


def printed(problems: list[Problem], sources: Sources | None = None, *, terminal: bool = False) -> str:
    file = io.StringIO()
    show_problems(problems, Console(file=file, force_terminal=terminal, soft_wrap=True, width=40), sources)
    return file.getvalue()


def test_a_problem_is_one_line_whose_brackets_are_no_markup() -> None:
    long = Problem(code="U001", message="x" * 100 + " error U001 [red]", file="a[b].yaml")
    assert printed([WARNING, long]) == f"{WARNING}\n{long}\n"
    assert "\x1b[33mwarning U501\x1b[0m" in printed([WARNING], terminal=True)


def test_the_line_of_a_problem_stands_below_it_with_a_caret(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\n  größe: [x,\ty.z*]\n", encoding="utf-8")

    def excerpt(line: int, column: int | None, name: str = str(file)) -> list[str]:
        return Sources().excerpt(Problem(code="U001", message="m.", file=name, line=line, column=column))

    assert excerpt(1, 1) == ["  1 | a: 1", "    | ^"]
    assert excerpt(2, 3) == ["  2 |   größe: [x, y.z*]", "    |   ^~~~~"]
    assert excerpt(2, 14) == ["  2 |   größe: [x, y.z*]", "    |              ^~~~"]
    assert excerpt(2, 10) == ["  2 |   größe: [x, y.z*]", "    |          ^"]
    assert excerpt(1, 5) == ["  1 | a: 1", "    |     ^"]  # behind its end
    assert excerpt(3, 1) == ["  3 | ", "    | ^"]
    assert excerpt(4, 1) == []
    assert excerpt(1, None) == []
    assert excerpt(1, 1, str(tmp_path / "none.yaml")) == []


@pytest.mark.parametrize("column", [1, 56, 60, 150, 245, 250])
def test_of_a_long_line_the_letters_around_the_place_are_shown(column: int, tmp_path: Path) -> None:
    line = "".join(f"{number:>5}" for number in range(50))
    (tmp_path / "long.yaml").write_text(line)
    problem = Problem(code="U001", message="m.", file=str(tmp_path / "long.yaml"), line=1, column=column)
    shown, caret = Sources().excerpt(problem)
    letters = shown.removeprefix("  1 | ")
    assert len(letters) <= 110
    assert letters in line
    assert letters[caret.index("^") - 6] == line[column - 1]


def test_lines_are_numbered_with_a_margin_of_their_width(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a\n" * 1234)
    problem = Problem(code="U001", message="m.", file=str(tmp_path / "a.yaml"), line=1000, column=1)
    assert Sources().excerpt(problem) == ["  1000 | a", "       | ^"]


@pytest.mark.parametrize(
    ("file", "other", "text"),
    [
        ("x/y.yaml", None, "x/y.yaml: cannot be written: Permission denied. Name another place."),
        ("x/.y.yaml.abc.tmp", None, "x: cannot be written: Permission denied. Name another place."),
        ("x/.y.yaml.abc.tmp", "x/y.yaml", "x/y.yaml: cannot be written: Permission denied. Name another place."),
        (".y.tmp", None, ".: cannot be written: Permission denied. Name another place."),
        (".hidden", None, ".hidden: cannot be written: Permission denied. Name another place."),
        ("y.tmp", None, "y.tmp: cannot be written: Permission denied. Name another place."),
    ],
)
def test_the_place_that_was_named_is_told_and_not_our_own_file_beside_it(
    file: str, other: str | None, text: str
) -> None:
    assert _refused(OSError(errno.EACCES, "Permission denied", file, None, other)) == text
