"""Figures to files, as SVG, PDF and PNG."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from archspec import user_error
from archspec.text.atomic import write_text
from reports.figures.standalone import PIXELS
from reports.paper.browser import NAMES, VARIABLE, Browser, browser, find_browser, size_of
from reports.paper.content import drawings
from reports.paper.drawing import Drawing, in_print

if TYPE_CHECKING:
    from studies.frame import StudyResults

FORMATS = ("svg", "pdf", "png")
_NO_BROWSER = f"Install Chromium or Chrome, or name one with {VARIABLE}."


def write_figures(
    results: StudyResults, folder: Path, formats: Sequence[str] | None = None, width: float | None = None
) -> tuple[list[Path], list[str]]:
    """Write every figure that the study has something to show in.

    Args:
        results: the study.
        folder: where to; made if it is missing.
        formats: of `FORMATS`; None: all.
        width: in inches; None: each as wide as suits it, a column or a page.

    Returns:
        The files, and the names of figures that were left out because a browser has to draw them and none is there.

    Raises:
        UserError: an unknown format or width, nothing to draw, or no browser where PDF or PNG are asked for.
    """
    wanted = _checked(formats, width)
    found = drawings(results)
    if not found:
        raise user_error(f"{results.name} has nothing to draw yet.", "Figures need trials with a result.", code="U001")
    path = find_browser()
    if path is None and set(wanted) - {"svg"}:
        looked = f"none of {', '.join(NAMES)} is on PATH"
        raise user_error(f"PDF and PNG need a browser: {looked}.", f"{_NO_BROWSER} `--format svg` needs none.")
    with browser(path) if path is not None else nullcontext() as running:
        files = _svgs(found, running, width)
        written = [_written(svg, folder / f"{name}.{kind}", running) for name, svg in files.items() for kind in wanted]
    return written, [drawing.name for drawing in found if drawing.name not in files]


def _checked(formats: Sequence[str] | None, width: float | None) -> list[str]:
    wanted = list(dict.fromkeys(formats)) if formats else list(FORMATS)
    unknown = [one for one in wanted if one not in FORMATS]
    if unknown:
        raise user_error(f"`{unknown[0]}` is no format of figures.", f"Formats: {', '.join(FORMATS)}.")
    if width is not None and not 1.0 <= width <= 40.0:
        raise user_error(f"a figure cannot be {width:g} in wide.", "A column has 3.3 in, a page 7; from 1 to 40.")
    return wanted


def _svgs(found: Sequence[Drawing], running: Browser | None, width: float | None) -> dict[str, str]:
    """Name -> SVG file, in order; without a browser only what we draw ourselves."""
    plotted = {d.name: in_print(d.figure, width or d.width, d.height) for d in found if d.figure is not None}
    drawn = running.drawn(plotted) if running is not None else {}
    ours = {d.name: d.svg(width or d.width) for d in found if d.svg is not None}
    both = ours | {name: _in_inches(svg) for name, svg in drawn.items()}
    return {d.name: both[d.name] for d in found if d.name in both}


def _in_inches(svg: str) -> str:
    """The width and height of plotly's SVG, which counts in pixels, as inches of print."""
    wide, high = size_of(svg)
    head, end, rest = svg.partition(">")
    if " viewBox=" not in head:
        head = head.replace("<svg", f'<svg viewBox="0 0 {wide * PIXELS:g} {high * PIXELS:g}"', 1)
    for side, inches in (("width", wide), ("height", high)):
        head = re.sub(rf' {side}="[0-9.]+"', f' {side}="{inches:.3f}in"', head)
    return f"{head}{end}{rest}"


def _written(svg: str, target: Path, running: Browser | None) -> Path:
    if target.suffix == ".svg":
        write_text(target, svg)
        return target
    assert running is not None
    (running.pdf if target.suffix == ".pdf" else running.png)(svg, target)
    return target
