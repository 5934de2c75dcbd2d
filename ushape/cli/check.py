"""`ushape check`: is what these files say sound?"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from archspec import Problem, UserError
from archspec.files import read_text, resolve
from archspec.parse import Document, read
from archspec.short_forms import SHORT_FORMS


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


def problems_of(file: Path) -> tuple[Problem, ...]:
    """Everything wrong or doubtful about one file, architecture or study."""
    try:
        return _problems_in(file, read_text(resolve(file), str(file)))
    except UserError as error:
        return error.problems


def _problems_in(file: Path, text: str) -> tuple[Problem, ...]:
    from archspec.build import check_document

    try:
        document, unread = read(text, str(file))
    except UserError as error:
        return error.problems
    if not is_study(document):
        return check_document(document, unread).problems
    return tuple(unread) or _study_problems(document, file)


def fix_file(file: Path) -> list[Problem]:
    """Correct in a file what is certain; the problems that this solved."""
    from archspec.atomic import write_text
    from archspec.fix import fixed

    try:
        text = read_text(resolve(file), str(file))
    except UserError:
        return []
    corrected, solved = fixed(text, partial(_problems_in, file), str(file))
    if solved:
        marked = file.read_bytes().startswith(b"\xef\xbb\xbf")
        write_text(file, "\N{ZERO WIDTH NO-BREAK SPACE}" * marked + corrected)
    return solved


def _study_problems(document: Document, file: Path) -> tuple[Problem, ...]:
    from studies.data.sources import check_fits
    from studies.load import check_study_document

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
    return bool(keys & {"base", "ablation", "search", "protocol"}) and not keys & {*SHORT_FORMS, "graph"}
