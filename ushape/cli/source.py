"""The line that a problem is about, with a caret under its place."""

from __future__ import annotations

import re
from contextlib import suppress

from archspec import Problem, UserError
from archspec.text.files import read_text, resolve

#: Letters of a line that are shown; of a longer one, those around the place.
_WIDTH = 110

_WORD = re.compile(r"[\w.*]+")


class Sources:
    """Reads each file once; files that cannot be read have no lines to show."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def excerpt(self, problem: Problem) -> list[str]:
        """The problem's line with its number, and a caret below; nothing where there is no line to show."""
        line = self._line(problem)
        if line is None or problem.column is None:
            return []
        at = problem.column - 1
        first = 0 if len(line) <= _WIDTH else max(min(at - _WIDTH // 2, len(line) - _WIDTH), 0)
        shown = line[first : first + _WIDTH].rstrip()
        word = _WORD.match(line, at)
        length = min(word.end() - at if word else 1, _WIDTH)
        number = str(problem.line)
        margin = " " * len(number)
        return [f"  {number} | {shown}", f"  {margin} | {' ' * (at - first)}^{'~' * (length - 1)}"]

    def _line(self, problem: Problem) -> str | None:
        if problem.file is None or problem.line is None:
            return None
        if problem.file not in self._lines:
            self._lines[problem.file] = []
            with suppress(UserError):
                text = read_text(resolve(problem.file), problem.file)
                self._lines[problem.file] = [line.replace("\t", " ") for line in text.split("\n")]
        lines = self._lines[problem.file]
        return lines[problem.line - 1] if problem.line <= len(lines) else None
