"""`ushape schema`: JSON Schema of the files, for editors."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Kind(StrEnum):
    """Which file."""

    architecture = "architecture"
    study = "study"


def schema(
    kind: Annotated[Kind, typer.Argument(help="Which file's schema.")] = Kind.study,
    *,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write; default standard output.")] = None,
) -> None:
    """Print the JSON Schema of architecture or study files, so that editors complete and check them while you type.

    With yaml-language-server, put [bold]# yaml-language-server: $schema=study.schema.json[/bold] into the first line.
    """
    import json

    from archspec.schema import architecture_schema
    from archspec.text.atomic import write_text
    from studies.study.schema import study_schema
    from ushape.cli.console import print_json

    made = architecture_schema() if kind is Kind.architecture else study_schema()
    if out is None:
        print_json(made)
    else:
        write_text(out, json.dumps(made, indent=2, ensure_ascii=False) + "\n")
