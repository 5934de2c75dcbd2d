"""`ushape check`: is what these files say sound?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from archspec import Problem


def check(
    files: Annotated[list[Path], typer.Argument(help="Architecture or study files, or zoo/NAME.", show_default=False)],
    *,
    fix: Annotated[bool, typer.Option("--fix", help="Correct in the files what is certain, such as typos.")] = False,
    source: Annotated[bool, typer.Option(help="Show the line of each problem.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Problems as JSON on standard output.")] = False,
    sarif: Annotated[bool, typer.Option("--sarif", help="Problems as SARIF 2.1.0 on standard output.")] = False,
) -> None:
    r"""Check files: every problem of all of them, with its place and what would be right.

    Nothing is trained and nothing is built: rules are checked on the graph, shapes are inferred. A comment
    # ushape: ignore\[U501] silences a warning on its line; [bold]ushape explain U501[/bold] says what a rule is about.

    [bold]ushape check unet.yaml study.yaml[/bold]
    """
    from ushape.cli.checking import fix_file, problems_of
    from ushape.cli.console import err, print_json, problem_data

    if fix:
        for file in files:
            for problem in fix_file(file):
                err.print(f"fixed: {problem}", markup=False)
    found = {str(file): problems_of(file) for file in files}
    problems = [problem for of_file in found.values() for problem in of_file]
    if sarif:
        from ushape.cli.sarif import sarif_log

        print_json(sarif_log(problems))
    elif json:
        print_json({"files": {name: [problem_data(p) for p in of_file] for name, of_file in found.items()}})
    else:
        _print(found, source=source)
    if any(problem.severity == "error" for problem in problems):
        raise typer.Exit(2)


def _print(found: dict[str, tuple[Problem, ...]], *, source: bool) -> None:
    from ushape.cli.console import err, out, show_problems
    from ushape.cli.source import Sources

    problems = [problem for of_file in found.values() for problem in of_file]
    show_problems(problems, out, Sources() if source else None)
    errors = sum(problem.count for problem in problems if problem.severity == "error")
    warnings = sum(problem.count for problem in problems if problem.severity == "warning")
    sound = sum(all(problem.severity != "error" for problem in of_file) for of_file in found.values())
    (err if errors else out).print(
        f"{sound} of {len(found)} file{'s' * (len(found) != 1)} sound, {errors} error{'s' * (errors != 1)}, "
        f"{warnings} warning{'s' * (warnings != 1)}."
    )
