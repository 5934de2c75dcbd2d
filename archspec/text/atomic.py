"""Writing files so that they are never half there."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one step: the file is there whole, or as it was before. Makes the folder if need be."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file in one step, as `write_text` does."""
    with _takes_files(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    beside = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _passed_on(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _takes_files(folder: Path) -> Iterator[None]:
    """Say which folder takes no new files; of `/proc` the system says only that the new file is not there."""
    try:
        yield
    except FileNotFoundError as error:
        raise OSError(errno.ENOTSUP, "no files can be made there", str(folder)) from error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new path beside `path`, with its ending, whose file takes its place when the block ends without an error.

    So the file (or folder, where there is none yet) at `path` is there whole, or as it was before.
    """
    with ExitStack() as made:
        with _takes_files(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
            folder = made.enter_context(temporary)
        beside = Path(folder) / path.name
        yield beside
        for file in [beside] if beside.is_file() else [one for one in beside.rglob("*") if one.is_file()]:
            with file.open("rb+") as opened:
                os.fsync(opened.fileno())
            _passed_on(file)
        beside.replace(path)


def _passed_on(file: Path) -> None:
    """Temporary files are made so that only their owner reads them; these are made to be passed on."""
    mask = os.umask(0)
    os.umask(mask)
    file.chmod(0o666 & ~mask)
