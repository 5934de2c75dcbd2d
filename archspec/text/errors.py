"""What goes wrong, said so that a person can act on it: where, what, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong (or doubtful) in something the user wrote.

    Attributes:
        code: the rule that was broken, such as ``U205``; see `archspec.text.rules.RULES`.
        message: what is wrong, in one sentence.
        hint: what would be right, or what to do.
        node: id of the node concerned.
        file: the file as the user named it.
        line: line in the file, from 1.
        column: column in the line, from 1.
        severity: errors refuse the file, warnings do not.
        count: how many nodes have this same problem; `node` is the first of them.
    """

    code: str
    message: str
    hint: str | None = None
    node: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: Severity = "error"
    count: int = 1

    @property
    def where(self) -> str:
        """``file:line:column``, as far as it is known."""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        more = f" (and {self.count - 1} more)" if self.count > 1 else ""
        node = f" {self.node}{more}:" if self.node else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{self.severity} {self.code}{node} {self.message}{hint}"


class UserError(Exception):
    """A mistake of the user's, with every problem that was found in one pass."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type[UserError], tuple[tuple[Problem, ...]]]:
        return (type(self), (self.problems,))


def user_error(message: str, hint: str | None = None, *, code: str = "U090", file: str | None = None) -> UserError:
    """A `UserError` with a single problem that has no place in a graph."""
    return UserError([Problem(code=code, message=message, hint=hint, file=file)])


def merged(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The same problems by place, equal ones at one place counted instead of repeated."""
    kept: dict[tuple[object, ...], Problem] = {}
    nodes: dict[tuple[object, ...], set[str | None]] = {}
    for problem in problems:
        key = (problem.code, problem.message, problem.file, problem.line, problem.column)
        kept.setdefault(key, problem)
        nodes.setdefault(key, set()).add(problem.node)
    counted = [replace(first, count=max(first.count, len(nodes[key]))) for key, first in kept.items()]
    return tuple(sorted(counted, key=lambda p: (p.file or "", p.line or 0, p.column or 0)))
