"""`ushape init`: a commented study to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[Path, typer.Argument(help="The study file to write.")] = Path("study.yaml"),
    *,
    images: Annotated[
        Path | None, typer.Option("--images", help="A folder of images of your own to study.", show_default=False)
    ] = None,
    resolution: Annotated[
        int | None,
        typer.Option(
            "--resolution", min=8, help="Pixels per side, with --images; default by the files.", show_default=False
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented study to start from; it runs as it is, on handwritten digits, in a few minutes.

    With [bold]--images FOLDER[/bold] it is a study of your own images, whose channels and size fit them.
    """
    from archspec import user_error
    from archspec.text.atomic import write_text
    from ushape.cli.console import out
    from ushape.cli.starting import study_of_digits, study_of_images

    if file.exists() and not force:
        raise user_error(f"{file} is there already.", "Name another file, or say --force.")
    if not file.parent.is_dir():
        raise user_error(f"there is no folder {file.parent}.", "Make it first.")
    if images is None and resolution is not None:
        raise user_error("--resolution goes with --images.", "Name the folder: --images FOLDER.")
    write_text(file, study_of_digits() if images is None else study_of_images(file, images, resolution))
    out.print(f"wrote {file}; `ushape check {file}` checks it, `ushape run {file}` runs it")
