"""Which line a silence is about, in all that a YAML text can look like, and what becomes of it beside errors."""

from __future__ import annotations

import pytest

from archspec import Problem
from archspec.text.silence import Silence, silenced, silences_in, without_silenced


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("a: 1\n", []),
        ("a: 1 # ushape: ignore[U501]\n", [("U501", 1, 6, 1)]),
        ("a: 1 # ushape: ignore[U501]", [("U501", 1, 6, 1)]),
        ("a: 1\t#ushape:ignore[U501]\n", [("U501", 1, 6, 1)]),
        ("# ushape: ignore[U501]\na: 1\n", [("U501", 1, 1, 2)]),
        ("  # ushape: ignore[U501]\n\n\n# more\na: 1\n", [("U501", 1, 3, 5)]),
        ("a: 1\n# ushape: ignore[U501]\n", [("U501", 2, 1, 2)]),  # nothing comes after it
        ("a: 1\n# ushape: ignore[U501]\n# the end\n\n", [("U501", 2, 1, 2)]),
        ("# ushape: ignore[U501]\n# ushape: ignore[U502]\na: 1\n", [("U501", 1, 1, 3), ("U502", 2, 1, 3)]),
        ("a: 1 # ushape: ignore[ U501 ,U502]\n", [("U501", 1, 6, 1), ("U502", 1, 6, 1)]),
        ("a: 1 # ushape: ignore[U501,]\n", [("U501", 1, 6, 1), ("", 1, 6, 1)]),
        ("a: 1 # ushape: ignore\n", [("", 1, 6, 1)]),
        ("a: 1 # ushape: ignore[]\n", [("", 1, 6, 1)]),
        ("a: 1 # ushape: ignore[U501\n", [("", 1, 6, 1)]),  # a bracket that is not closed
        ("a: 1 # ushape: ignored[U501]\n", []),
        ("a: 1 # u shape: ignore[U501]\n", []),
        ("a: 1# ushape: ignore[U501]\n", []),  # to YAML no comment
        ("a: 1 # why: # ushape: ignore[U501]\n", [("U501", 1, 13, 1)]),
        ("a: 1 # ushape: ignore[U501] # ushape: ignore[U502]\n", [("U501", 1, 6, 1), ("U502", 1, 29, 1)]),
        ("a: '# ushape: ignore[U501]'\n", []),
        ('a: "x\n  # ushape: ignore[U501]"\n', []),
        ("a: |\n  # ushape: ignore[U501]\nb: 1\n", []),
        ("a: >\n  x # ushape: ignore[U501]\nb: 1 # ushape: ignore[U502]\n", [("U502", 3, 6, 3)]),
        ("a: 'it''s' # ushape: ignore[U501]\n", [("U501", 1, 12, 1)]),
        ("größe: 1 # ushape: ignore[U501]\n", [("U501", 1, 10, 1)]),
        ("a: 1\r\nb: 2 # ushape: ignore[U501]\r\n", [("U501", 2, 6, 2)]),
        ("a: [ # ushape: ignore[U501]\n", [("U501", 1, 6, 1)]),  # no YAML: read as well as can be
    ],
)
def test_where_a_silence_stands_and_which_line_it_is_about(text: str, found: list[tuple[str, int, int, int]]) -> None:
    assert list(silences_in(text)) == [Silence(*one) for one in found]


TEXT = "a: 1 # ushape: ignore[U501]\nb: 2\n"


def problem(code: str, line: int | None = 1, *, file: str = "f", severity: str = "warning") -> Problem:
    return Problem(code=code, message="m.", file=file, line=line, column=4, severity=severity)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kept",
    [
        problem("U502"),
        problem("U501", 2),
        problem("U501", None),
        problem("U501", file="other"),
        problem("U501", severity="error"),
    ],
)
def test_only_that_rule_on_that_line_of_that_file_is_silenced_and_no_error(kept: Problem) -> None:
    silent = problem("U501")
    assert silenced([silent], TEXT, "f") == ()
    assert without_silenced((silent, kept), TEXT, "f") == (kept,)
    assert kept in silenced([silent, kept], TEXT, "f")


def test_one_silence_takes_all_of_its_rule_on_the_line() -> None:
    assert silenced([problem("U501"), problem("U501")], TEXT, "f") == ()


def test_what_is_silenced_nowhere_is_left_as_it_is() -> None:
    found = (problem("U501"), problem("U501"))
    assert silenced(found, "a: 1\n", "f") == found
    assert without_silenced(found, "a: 1\n", "f") is found


@pytest.mark.parametrize(
    ("code", "beside_an_error", "alone"),
    [
        ("U502", [], ["this silences nothing: there is no U502 on line 1. Take it out."]),
        ("U204", *[["this silences nothing: U204 is an error. Mend what it is about instead."]] * 2),
        ("U5O1", *[["this silences nothing: there is no rule U5O1. Did you mean `U501`?"]] * 2),
        ("x" * 50, *[[f"this silences nothing: there is no rule {'x' * 40}. `ushape explain` lists the rules."]] * 2),
    ],
)
def test_beside_an_error_a_silence_of_a_warning_may_yet_have_an_effect(
    code: str, beside_an_error: list[str], alone: list[str]
) -> None:
    text = TEXT.replace("U501", code)
    error = problem("U010", 2, severity="error")
    for others, expected in (((), alone), ((error,), beside_an_error)):
        found = [one for one in silenced(others, text, "f") if one not in others]
        assert [f"{one.message} {one.hint}" for one in found] == expected
        assert all((one.code, one.severity, one.line, one.column) == ("U091", "warning", 1, 6) for one in found)
