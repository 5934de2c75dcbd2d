"""`ushape figures`: a study's figures for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_WIDTHS = {"single": 3.3, "double": 7.0}


def figures(
    study: Annotated[Path, typer.Argument(help="The study file, or the folder of its results.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the figures; default figures in the study's folder.")
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option("--format", "-f", help="svg, pdf or png; several times or with commas for several. Default: all."),
    ] = None,
    width: Annotated[
        str | None,
        typer.Option(help="single (3.3 in), double (7 in) or inches. Default: each as wide as suits it."),
    ] = None,
) -> None:
    """Write the figures of a study for a paper: forest plot, factors, front, importances, curves, architectures.

    White paper, type of 7.5 points, no titles. PDF, PNG and plots of points or curves need a Chromium or Chrome.
    """
    from reports.paper import write_figures
    from studies.frame import load_results
    from ushape.cli.console import err
    from ushape.cli.console import out as console
    from ushape.cli.report import folder_of

    wanted = [one.strip() for text in formats for one in text.split(",") if one.strip()] if formats else None
    folder = folder_of(study)
    written, left_out = write_figures(load_results(folder), out or folder / "figures", wanted, inches(width))
    for path in written:
        console.print(f"{path.stem}: {path}", soft_wrap=True)
    if left_out:
        err.print(f"warning: left out, since a browser has to draw them and none is there: {', '.join(left_out)}")


def inches(text: str | None) -> float | None:
    """A width as the command takes it; None: each figure's own."""
    from archspec import user_error

    if text is None or text in _WIDTHS:
        return _WIDTHS[text] if text else None
    try:
        return float(text.removesuffix("in"))
    except ValueError:
        raise user_error(
            f"`{text}` is no width.", "Write single (3.3 in), double (7 in) or a number of inches."
        ) from None
