"""What all commands share: consoles, numbers for people, and how problems are shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from search.objectives import shortened

if TYPE_CHECKING:
    from archspec.text.errors import Problem
    from ushape.cli.source import Sources

#: Tables keep their width where nobody looks at a screen: in a pipe or a file nothing is cut.
_WIDTH = None if sys.stdout.isatty() else 400

out = Console(highlight=False, soft_wrap=True, width=_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_STYLE = {"error": "bold red", "warning": "yellow"}


def show_problems(problems: Iterable[Problem], console: Console = err, sources: Sources | None = None) -> None:
    """One line a problem: where, severity and code, node, what is wrong, what to do; with `sources` also its line."""
    for problem in problems:
        head, code, tail = str(problem).partition(f"{problem.severity} {problem.code}")
        console.print(Text.assemble(head, (code, _STYLE[problem.severity]), tail))
        for line in sources.excerpt(problem) if sources is not None else ():
            console.print(Text(line, style="dim"))


def problem_data(problem: Problem) -> dict[str, Any]:
    """A problem as plain data."""
    return {
        "code": problem.code, "severity": problem.severity, "file": problem.file, "line": problem.line,
        "column": problem.column, "node": problem.node, "count": problem.count, "message": problem.message,
        "hint": problem.hint,
    }  # fmt: skip


def print_json(data: Any) -> None:
    """Plain data to standard output, for other programs."""
    print(json.dumps(data, indent=2, ensure_ascii=False, default=str))  # noqa: T201


#: A count for people: 75.38 M.
count = shortened


def change(share: float) -> str:
    """A share as a change in percent; nothing where there is none."""
    return f"{share:+.1%}" if share else ""


def seconds(number: float) -> str:
    """A duration: 6.6 ms, 1.2 s, 3 min 20 s, 2 h 5 min."""
    if number < 0.9995:
        return f"{number * 1e3:.3g} ms"
    if number < 59.95:
        return f"{number:.3g} s"
    minutes, rest = divmod(round(number), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def mebibytes(number: float) -> str:
    """Bytes as MiB, from a thousand of them on as GiB."""
    return f"{number / 2**20:.3g} MiB" if number < 999.5 * 2**20 else f"{number / 2**30:,.4g} GiB"
