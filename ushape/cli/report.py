"""`ushape report`: the dashboard and the table of a study."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from studies.frame import StudyResults


def report(
    study: Annotated[
        list[Path],
        typer.Argument(help="The study file, or the folder of its results; several to compare.", show_default=False),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The HTML file to write; default dashboard.html in the folder.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the results lie, if `ushape run --out` put them elsewhere.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Write it again while the study runs; an open page refreshes itself.")
    ] = False,
) -> None:
    """Write the dashboard of a study, one self-contained HTML file, and results.csv beside its records.

    It can be written while the study runs. Several studies become one page that compares them (with --out).
    """
    from ushape.cli.console import out as console
    from ushape.cli.watch import follow

    if len(study) > 1:
        console.print(f"comparison: {_compare(study, out, single=folder is not None or watch)}")
        return
    place = folder or folder_of(study[0])
    if watch:
        written = follow(place, lambda refresh: write_report(place, out, refresh=refresh), console.print)
    else:
        written = write_report(place, out, say=True)
    console.print(f"results: {place / 'results.csv'}")
    console.print(f"dashboard: {written}")


def _compare(several: list[Path], out: Path | None, *, single: bool) -> Path:
    from archspec import user_error
    from reports.dashboard import write_comparison
    from studies.frame import load_results

    if single:
        raise user_error("--folder and --watch go with one study.", "Name one study, or leave them out.")
    if out is None:
        raise user_error("several studies need a file to be written to.", "Add `-o comparison.html`.")
    return write_comparison([load_results(folder_of(one)) for one in several], out)


def write_report(folder: Path, html: Path | None = None, *, refresh: int | None = None, say: bool = False) -> Path:
    """Write ``results.csv`` and the dashboard of a folder of results; returns the dashboard's path.

    With `refresh` an open page reads its file again after so many seconds; with `say` its answer is printed too.
    """
    from reports.dashboard import write_dashboard
    from reports.tables import write_results_csv
    from studies.frame import load_results

    results = load_results(folder)
    write_results_csv(results, folder / "results.csv")
    written = write_dashboard(results, html or folder / "dashboard.html", refresh=refresh)
    if say:
        _print_answer(results)
    return written


def _print_answer(results: StudyResults) -> None:
    """Say what the top of the dashboard says."""
    from reports.analysis.answer import answer
    from ushape.cli.console import out

    said = answer(results)
    for part, sentences in (("ablation", said.ablation), ("search", said.search)):
        for sentence in sentences:
            out.print(f"{part}: {sentence}", markup=False)


def folder_of(study: Path) -> Path:
    """The folder of results that a study file or a folder means; `UserError` if the file is not sound and has none."""
    if study.is_dir():
        return study
    from archspec import UserError, user_error
    from studies.study.place import name_of, results_folder

    # Where there are results the file's name is enough, and the rest of it may be in the middle of a change.
    with suppress(UserError):
        folder = results_folder(study, name_of(study))
        if folder.is_dir():
            return folder
    from studies.study.load import load_study

    loaded = load_study(study)
    if loaded.run.storage is not None and not loaded.folder.is_dir():
        where = f"{loaded.folder} is not here, the folder of the study's files, whose records lie in"
        raise user_error(
            f"{where} {loaded.run.storage.words()}.",
            "Name the folder where it is, or share it by a network file system. The first `ushape run STUDY` makes it.",
            code="U001",
        )
    return loaded.folder
