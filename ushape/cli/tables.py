"""`ushape tables`: a study's tables for a paper and for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def tables(
    study: Annotated[Path, typer.Argument(help="The study file, or the folder of its results.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the tables; default tables in the study's folder.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", "-f", help="csv, parquet, markdown or latex; several times for several. Default: all."
        ),
    ] = None,
) -> None:
    """Write the tables of a study: all trials, the ablation's effects and the search's front.

    LaTeX tables use booktabs and show each difference with its interval.
    """
    from reports.tables import write_tables
    from studies.frame import load_results
    from ushape.cli.console import out as console
    from ushape.cli.report import folder_of

    folder = folder_of(study)
    for path in write_tables(load_results(folder), out or folder / "tables", tuple(formats) if formats else None):
        console.print(f"{path.stem}: {path}", soft_wrap=True)
