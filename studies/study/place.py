"""Where the results of a study file lie. Reads no more of it than its name."""

from __future__ import annotations

from pathlib import Path

from archspec import UserError
from archspec.text.files import read_text
from archspec.text.parse import parse


def results_folder(path: Path, name: str) -> Path:
    """Where the results of a study file lie, unless the user says otherwise: ``runs/NAME`` beside it."""
    return path.parent / "runs" / name


def name_of(path: Path) -> str:
    """The name that a study file gives itself; whether the rest of it is sound does not matter here.

    Raises:
        UserError: the file cannot be read, is no YAML, or has no name.
    """
    document = parse(read_text(path), str(path))
    name = document.data.get("name") if isinstance(document.data, dict) else None
    if isinstance(name, str):
        return name
    raise UserError([document.positions.problem("U012", f"{path} is no study: it has no name.", None)])
