"""`ushape run`: run a study from wherever it is, and write its report."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

INTERRUPTED = 130


def run(
    study: Annotated[Path, typer.Argument(help="The study file.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the results; default runs/NAME beside the file.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Run the ablation's failed trials again.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Trials at once; default as the study says.")
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Do not write the dashboard at the end.")] = False,
) -> None:
    """Run a study: its ablation, then its search; then write the dashboard.

    Every trial is recorded as soon as it ends. Stopped (Ctrl-C) or killed, the same command goes on where it was.
    """
    from rich.markup import escape

    from studies.driver.run import run_study
    from studies.frame import progress_of
    from studies.study.load import load_study
    from studies.study.study import with_workers
    from ushape.cli.console import err, show_problems
    from ushape.cli.console import out as console
    from ushape.cli.live import LiveObserver

    loaded = with_workers(load_study(study), workers)
    folder = out or loaded.folder
    show_problems(loaded.warnings)
    console.print(f"{escape(loaded.name)}: records in {folder}", highlight=False)
    # A scheduler that ends a job sends SIGTERM: what runs is recorded as interrupted, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with LiveObserver(console, loaded.protocol.runs) as observer:
            run_study(loaded, folder, observer, retry_failed=retry_failed)
    except KeyboardInterrupt:
        err.print("Interrupted. What is finished is kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    progress = progress_of(folder)
    for part, by_status in progress.counts.items():
        console.print(f"{part}: " + ", ".join(f"{number} {status}" for status, number in by_status.items()))
    if not no_report:
        from ushape.cli.report import write_report

        written = write_report(folder, say=True)
        console.print(f"results: {(folder / 'results.csv')}")
        console.print(f"dashboard: {written}")
    if progress.lost:
        err.print(f"{progress.without_result} trial(s) have no result; the dashboard says why.")
        raise typer.Exit(1)
