"""`ushape export`: what the compiler makes of an architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    file: Annotated[Path, typer.Argument(help="An architecture file, or zoo/NAME.", show_default=False)],
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; default standard output.")] = None,
) -> None:
    """Print the compiled model's generated code: its forward, with the node names as variable names."""
    from archspec import build, load
    from archspec.atomic import write_text
    from builder.export import source

    code = source(build(load(file)))
    if out is None:
        print(code)  # noqa: T201
    else:
        write_text(out, code + "\n")
