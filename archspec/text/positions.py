"""Where things stand in the text that they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.text.errors import Problem, Severity

DataPath = tuple[str | int, ...]


@dataclass(frozen=True)
class Positions:
    """Where each value of a document stands: path -> (line, column), both from 1."""

    file: str
    at: Mapping[DataPath, tuple[int, int]] = field(default_factory=dict)

    def find(self, path: DataPath) -> tuple[int, int] | None:
        """The position of a path, or of the nearest enclosing one that stands in the text."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.at:
                return self.at[path[:end]]
        return None

    def problem(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        path: DataPath = (),
        node: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem at the place where `path` stands."""
        line, column = self.find(path) or (None, None)
        return Problem(
            code=code,
            message=message,
            hint=hint,
            node=node,
            file=self.file,
            line=line,
            column=column,
            severity=severity,
        )


@dataclass(frozen=True)
class Place:
    """One place in one document: what a node, a parameter or an edit comes from."""

    positions: Positions
    path: DataPath = ()

    def at(self, *more: str | int) -> Place:
        """A place inside this one."""
        return Place(self.positions, (*self.path, *more)) if more else self

    def holds(self, other: Place) -> bool:
        """Whether the other place is this one or stands inside it."""
        return other.positions is self.positions and other.path[: len(self.path)] == self.path

    def problem(
        self,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        node: str | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem that stands here."""
        return self.positions.problem(code, message, hint, path=self.path, node=node, severity=severity)


#: For graphs that come from no text.
NOWHERE = Place(Positions("<graph>"))
