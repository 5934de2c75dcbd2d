"""Comments that silence a warning: ``# ushape: ignore[U501]`` on its line, or alone on the line above it.

Errors cannot be silenced, since what they refuse cannot be built. A silence without effect is a warning itself (U091).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from archspec.text.errors import Problem, merged
from archspec.text.rules import RULES
from archspec.text.suggest import did_you_mean

_COMMENT = re.compile(r"(?:^|(?<=[\s]))#\s*ushape:\s*ignore\b[ ]*(?:\[(?P<codes>[^\]\n]*)\])?", re.MULTILINE)
_MARK = re.compile(r"ushape:\s*ignore")


@dataclass(frozen=True)
class Silence:
    """One code in one comment.

    Attributes:
        code: the rule that is silenced; empty where the comment names none.
        line: where the comment stands.
        column: where the comment begins.
        about: the line whose warnings it silences.
    """

    code: str
    line: int
    column: int
    about: int


def silenced(problems: Iterable[Problem], text: str, file: str) -> tuple[Problem, ...]:
    """The problems without the warnings that the text of `file` silences, and with those about its silences."""
    kept = tuple(problems)
    if _MARK.search(text) is None:
        return kept
    silences = list(silences_in(text))
    rest, used = _heeded(kept, silences, file)
    refused = any(problem.severity == "error" for problem in kept)
    unused = [s for s in silences if s not in used and not (refused and _is_of_a_warning(s))]
    return merged([*rest, *(_unused(silence, file) for silence in unused)])


def without_silenced(problems: tuple[Problem, ...], text: str, file: str) -> tuple[Problem, ...]:
    """The problems without the warnings that the text of `file` silences, and nothing about its silences."""
    if _MARK.search(text) is None:
        return problems
    return tuple(_heeded(problems, list(silences_in(text)), file)[0])


def _heeded(problems: Iterable[Problem], silences: list[Silence], file: str) -> tuple[list[Problem], set[Silence]]:
    """The problems that are left, and the silences that had an effect."""
    used: set[Silence] = set()
    rest: list[Problem] = []
    for problem in problems:
        about = [s for s in silences if problem.file == file and (s.about, s.code) == (problem.line, problem.code)]
        if about and problem.severity == "warning":
            used.update(about)
        else:
            rest.append(problem)
    return rest, used


def _is_of_a_warning(silence: Silence) -> bool:
    """Whether it may have an effect once the errors are mended, which keep warnings from being looked for."""
    return silence.code in RULES and RULES[silence.code].severity == "warning"


def silences_in(text: str) -> Iterator[Silence]:
    """Every silence in a YAML text, in order."""
    lines = text.splitlines()
    starts = [0, *accumulate(len(line) for line in text.splitlines(keepends=True))]
    inside = _quoted(text)
    for match in _COMMENT.finditer(text):
        if any(start <= match.start() < end for start, end in inside):
            continue
        line = next(number for number, start in enumerate(starts[1:], 1) if match.start() < start)
        column = match.start() - starts[line - 1] + 1
        alone = not lines[line - 1][: column - 1].strip()
        about = _next_line(lines, line) if alone else line
        codes = [code.strip() for code in (match["codes"] or "").split(",")]
        yield from (Silence(code, line, column, about) for code in codes)


def _next_line(lines: list[str], line: int) -> int:
    """The next line that holds more than a comment."""
    for number in range(line + 1, len(lines) + 1):
        if lines[number - 1].strip() and not lines[number - 1].lstrip().startswith("#"):
            return number
    return line


def _quoted(text: str) -> list[tuple[int, int]]:
    """Where text stands in quotes or in a block, so that a # in it begins no comment."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.tokens import ScalarToken

    try:
        tokens = list(YAML(typ="safe", pure=True).scan(text))
    except (YAMLError, ValueError):
        return []
    scalars = [token for token in tokens if isinstance(token, ScalarToken) and not token.plain]
    return [(token.start_mark.index, token.end_mark.index) for token in scalars]


def _unused(silence: Silence, file: str) -> Problem:
    message, hint = f"this silences nothing: there is no {silence.code} on line {silence.about}.", "Take it out."
    if not silence.code:
        message, hint = "this silences nothing: it names no rule.", "Write # ushape: ignore[U501]."
    elif silence.code not in RULES:
        message = f"this silences nothing: there is no rule {silence.code[:40]}."
        hint = did_you_mean(silence.code, RULES) or "`ushape explain` lists the rules."
    elif RULES[silence.code].severity == "error":
        message, hint = f"this silences nothing: {silence.code} is an error.", "Mend what it is about instead."
    return Problem(
        code="U091", message=message, hint=hint, file=file, line=silence.line, column=silence.column, severity="warning"
    )
