"""Files: which one a path names, and its text."""

from __future__ import annotations

import os
from importlib import resources
from itertools import islice
from pathlib import Path

from archspec.text.errors import Problem, UserError, user_error
from archspec.text.suggest import did_you_mean

MAX_BYTES = 1_000_000

_MOST_NEIGHBOURS = 2_000


def zoo_folder() -> Path:
    """The folder of the architectures that ship with the package."""
    return Path(str(resources.files("archspec"))) / "zoo"


def zoo_names() -> list[str]:
    """The architectures that ship with the package; each can be named as ``zoo/NAME``."""
    return sorted(path.stem for path in zoo_folder().glob("*.yaml"))


def resolve(path: str | Path) -> Path:
    """The file that a path names; ``zoo/NAME`` is a file of the package unless such a file exists here."""
    found = Path(path)
    if found.parent == Path("zoo") and not os.path.lexists(_without_nul(found)):
        return zoo_folder() / (found.name if found.suffix else f"{found.name}.yaml")
    return found


def read_text(path: Path, shown: str | None = None) -> str:
    """The text of a UTF-8 file, named `shown` in messages; `UserError` if there is none, or it is too large or no text.

    Only regular files are read, so that reading ends.
    """
    name = str(path) if shown is None else shown
    try:
        content = _content(path, name)
    except FileNotFoundError:
        raise user_error("there is no such file.", _near(path), code="U001", file=name) from None
    except OSError as error:
        raise user_error(f"it cannot be read: {error.strerror}.", code="U001", file=name) from None
    if len(content) > MAX_BYTES:
        hint = f"At most {MAX_BYTES:,} bytes are read."
        raise user_error("the file is too large.", hint, code="U004", file=name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem(
            code="U001", message="this is not UTF-8 text.", hint="Save it as UTF-8.", file=name, line=line
        )
        raise UserError([problem]) from None


def _content(path: Path, name: str) -> bytes:
    real = _without_nul(path)
    if real.is_dir():
        raise user_error("this is a directory, not a file.", "Name a YAML file.", code="U001", file=name)
    real.stat()
    if not real.is_file():
        raise user_error("this is not a regular file.", "Name a YAML file.", code="U001", file=name)
    with real.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _without_nul(path: Path) -> Path:
    """The path, which no file has if there is a NUL in it (the system would raise ValueError)."""
    return Path(str(path).replace("\0", "\N{REPLACEMENT CHARACTER}"))


def _near(path: Path) -> str | None:
    try:
        names = [found.name for found in islice(_without_nul(path).parent.iterdir(), _MOST_NEIGHBOURS)]
    except OSError:
        return f"The folder {path.parent} cannot be read either."
    return did_you_mean(path.name, names)
