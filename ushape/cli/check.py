"""`ushape check`: is what these files say sound?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archspec import Problem, UserError
from archspec.files import read_text, resolve
from archspec.parse import Document, parse


def check(
    files: Annotated[list[Path], typer.Argument(help="Architecture or study files, or zoo/NAME.", show_default=False)],
    *,
    json: Annotated[bool, typer.Option("--json", help="Problems as JSON on standard output.")] = False,
) -> None:
    """Check files: every problem of all of them, with its place and what would be right.

    Nothing is trained and nothing is built: rules are checked on the graph, shapes are inferred.

    [bold]ushape check unet.yaml study.yaml[/bold]
    """
    from ushape.cli.console import err, out, print_json, problem_data, show_problems

    found = {str(file): problems_of(file) for file in files}
    problems = [problem for of_file in found.values() for problem in of_file]
    errors = sum(problem.count for problem in problems if problem.severity == "error")
    if json:
        print_json({"files": {name: [problem_data(p) for p in of_file] for name, of_file in found.items()}})
    else:
        show_problems(problems, out)
        warnings = sum(problem.count for problem in problems if problem.severity == "warning")
        sound = sum(all(problem.severity != "error" for problem in of_file) for of_file in found.values())
        (err if errors else out).print(
            f"{sound} of {len(found)} file{'s' * (len(found) != 1)} sound, {errors} error{'s' * (errors != 1)}, "
            f"{warnings} warning{'s' * (warnings != 1)}."
        )
    if errors:
        raise typer.Exit(2)


def problems_of(file: Path) -> tuple[Problem, ...]:
    """Everything wrong or doubtful about one file, architecture or study."""
    from archspec.build import check_data

    try:
        document = parse(read_text(resolve(file)), str(file))
    except UserError as error:
        return error.problems
    if is_study(document):
        return _study_problems(document, file)
    return check_data(document.data, document.positions).problems


def _study_problems(document: Document, file: Path) -> tuple[Problem, ...]:
    from studies.data.sources import check_fits
    from studies.study import check_study_document

    study, problems = check_study_document(document, file)
    if study is None:
        return problems
    try:
        check_fits(study.base, study.protocol.data)
    except UserError as error:
        at = document.positions
        told = [at.problem(p.code, p.message, p.hint, path=("protocol", "data"), node=p.node) for p in error.problems]
        return (*problems, *told)
    return problems


def is_study(document: Document) -> bool:
    """Whether a document is a study rather than an architecture."""
    keys = set(document.data) if isinstance(document.data, dict) else set()
    return bool(keys & {"base", "ablation", "search", "protocol"}) and not keys & {"unet", "graph"}
