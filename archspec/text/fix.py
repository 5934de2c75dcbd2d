"""Corrections that are certain, made in the text itself; all the rest of it stays byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from archspec.text.errors import Problem
from archspec.text.suggest import Suggestion

#: A part of a text, from and to an offset, and what comes in its place.
Replacement = tuple[int, int, str]

_PASSES = 20


def fixed(text: str, check: Callable[[str], Iterable[Problem]], file: str) -> tuple[str, list[Problem]]:
    """The text with what is certain corrected, and the problems that this solved.

    Corrected are words with exactly one close candidate, edits of `unet` that stand behind others, and silences without
    effect. After each step the text is checked again; a step that leaves as many problems as before is not made.
    """
    solved: list[Problem] = []
    found = [problem for problem in check(text) if problem.file == file]
    for _ in range(_PASSES):
        step = _step(text, found)
        if step is None:
            break
        changed, about = step
        left = [problem for problem in check(changed) if problem.file == file]
        if _weight(left) >= _weight(found):
            break
        solved += about
        text, found = changed, left
    return text, solved


def _weight(problems: list[Problem]) -> tuple[int, int]:
    """Errors first. What an error hid can come to light when it is gone, so equal ones count once."""
    return len({p.line for p in problems if p.severity == "error"}), len(problems)


def _step(text: str, problems: list[Problem]) -> tuple[str, list[Problem]] | None:
    """All words at once; else one edit moved; else the silences."""
    words = [(problem, change) for problem in problems if (change := _word(text, problem)) is not None]
    if words:
        return _applied(text, [change for _, change in words]), [problem for problem, _ in words]
    for problem in problems:
        if problem.code == "U307" and problem.hint == "Move it up." and (moved := _moved_up(text, problem)):
            return moved, [problem]
    silences = [(problem, change) for problem in problems if (change := _silence(text, problem)) is not None]
    if silences:
        return _applied(text, [change for _, change in silences]), [problem for problem, _ in silences]
    return None


def _applied(text: str, changes: list[Replacement]) -> str:
    for start, end, new in sorted(set(changes), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _line_start(text: str, line: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = text.index("\n", start) + 1
    return start


def _rest_of_line(text: str, problem: Problem) -> tuple[int, int] | None:
    """Offsets of the problem's place and of the end of its line."""
    if problem.line is None or problem.column is None or text.count("\n") < problem.line - 1:
        return None
    start = _line_start(text, problem.line) + problem.column - 1
    end = text.find("\n", start)
    return start, len(text) if end < 0 else end


def _word(text: str, problem: Problem) -> Replacement | None:
    """The word to correct: the one at the problem's place, or the only one like it behind on the line."""
    place = _rest_of_line(text, problem)
    if place is None or not isinstance(problem.hint, Suggestion):
        return None
    start, end = place
    pattern = re.compile(rf"(?<![\w.]){re.escape(problem.hint.written)}(?![\w.])")
    here = pattern.match(text, start, end)
    found = [here] if here is not None else list(pattern.finditer(text, start, end))
    return (found[0].start(), found[0].end(), problem.hint.meant) if len(found) == 1 else None


def _silence(text: str, problem: Problem) -> Replacement | None:
    """A comment that silences nothing, with the space before it; with its line if it stands alone."""
    place = _rest_of_line(text, problem)
    if problem.code != "U091" or place is None or "," in text[slice(*place)].partition("]")[0]:
        return None
    start, end = place
    comment = re.compile(r"#\s*ushape:\s*ignore\s*(\[[^\]\n]*\])?[ \t]*(?=\r?$)", re.MULTILINE).match(text, start, end)
    if comment is None:
        return None
    before = text.rfind("\n", 0, start) + 1
    kept = len(text[before:start].rstrip())
    if kept:
        return before + kept, comment.end(), ""
    return before, min(end + 1, len(text)), ""


def _moved_up(text: str, problem: Problem) -> str | None:
    """The text with the list item at the problem's line put behind the edits of `unet` that the list begins with."""
    assert problem.line is not None
    lines, at = text.splitlines(keepends=True), problem.line - 1
    dash = re.match(r"( *)- +unet:", lines[at])
    if dash is None or not lines[at].endswith("\n"):
        return None
    indent = dash[1]
    end = at + 1
    while end < len(lines) and (not lines[end].strip() or lines[end].startswith(f"{indent} ")):
        end += 1
    while not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#"):
        end -= 1
    if not lines[end - 1].endswith("\n"):  # the last line of a file that has no end of line
        return None
    target = _first_other(lines, at, indent)
    if target is None:
        return None
    return "".join([*lines[:target], *lines[at:end], *lines[target:at], *lines[end:]])


def _first_other(lines: list[str], at: int, indent: str) -> int | None:
    """The first item of the list that is no edit of `unet`."""
    items: list[int] = []
    for number in range(at - 1, -1, -1):
        line = lines[number]
        if line.startswith(f"{indent}- "):
            items.append(number)
        elif line.strip() and not line.startswith(f"{indent} ") and not line.lstrip().startswith("#"):
            break
    return next((item for item in sorted(items) if not re.match(r" *- +unet:", lines[item])), None)
