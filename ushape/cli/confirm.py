"""`ushape confirm`: a search's winners trained again with fresh seeds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from studies.driver.ledger import Ledger
    from studies.driver.loop import Question


def confirm(
    study: Annotated[Path, typer.Argument(help="The study file, whose search has been run.", show_default=False)],
    *,
    top: Annotated[int, typer.Option("--top", min=1, max=50, help="How many of the best architectures.")] = 3,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=1000, help="Fresh seeds for each; below 5 there is no verdict.")
    ] = 8,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the results; default runs/NAME beside the file.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed trials again.")] = False,
) -> None:
    """Train a search's winners again with fresh seeds, beside the base, and write the report.

    The best of many trials is partly the luckiest; the report claims a winner only when fresh seeds confirm it, and
    shows its search value beside the confirmed one.
    """
    from studies.driver.confirm import ConfirmQuestion, fresh_seeds, winners
    from studies.driver.run import run_study
    from studies.records.store import Store
    from studies.study.load import load_study
    from ushape.cli.console import err
    from ushape.cli.console import out as console
    from ushape.cli.live import LiveObserver
    from ushape.cli.report import write_report
    from ushape.cli.run import INTERRUPTED

    loaded = load_study(study)
    folder = out or loaded.folder
    chosen = winners(loaded, Store(folder), top)
    fresh = fresh_seeds(loaded, Store(folder), seeds)

    def questions(ledger: Ledger) -> Iterator[Question]:
        yield ConfirmQuestion(ledger, chosen, fresh, retry_failed=retry_failed)

    try:
        with LiveObserver(console) as observer:
            run_study(loaded, folder, observer, questions=questions)
    except KeyboardInterrupt:
        err.print("Interrupted. What is finished is kept; the same command goes on from there.")
        raise typer.Exit(INTERRUPTED) from None
    console.print(f"dashboard: {write_report(folder, say=True)}")
