"""`ushape init`: a commented study to start from."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer


def init(
    file: Annotated[Path, typer.Argument(help="The study file to write.")] = Path("study.yaml"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a commented study to start from; it runs as it is, on handwritten digits, in a few minutes."""
    from archspec import user_error
    from archspec.text.atomic import write_text
    from ushape.cli.console import out

    if file.exists() and not force:
        raise user_error(f"{file} is there already.", "Name another file, or say --force.")
    if not file.parent.is_dir():
        raise user_error(f"there is no folder {file.parent}.", "Make it first.")
    write_text(file, (resources.files("ushape") / "templates" / "study.yaml").read_text(encoding="utf-8"))
    out.print(f"wrote {file}; `ushape check {file}` checks it, `ushape run {file}` runs it")
