"""What a worker prints, kept within bounds: a trial that prints without end neither fills the disk nor stands still."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import BinaryIO

#: Bytes of a log before it becomes the older one; the last of what was printed says most about a process that died.
LOG_LIMIT = 2_000_000
_CHUNK = 1 << 16


class BoundedLog:
    """A pipe whose end is read by a thread and written to a file, with at most one older file beside it.

    Args:
        path: the file; what goes over the limit moves to ``<name>.1``, which is replaced.
        limit: bytes of each of the two.
    """

    def __init__(self, path: Path, limit: int = LOG_LIMIT) -> None:
        self._path, self._limit = path, limit
        self._read, self._write = os.pipe()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """What the process is to write to."""
        return self._write

    def close_ours(self) -> None:
        """To be called when the process has its end; the log ends when the process and its children have gone."""
        os.close(self._write)

    def join(self, seconds: float = 2.0) -> None:
        """Wait until everything is written, at most so long."""
        self._thread.join(timeout=seconds)

    def _drain(self) -> None:
        file: BinaryIO | None = None
        while chunk := os.read(self._read, _CHUNK):
            try:
                file = self._room(file)
                file.write(chunk)
                file.flush()
            except OSError:
                continue  # no room on the disk: the process goes on, and its words are lost
        if file is not None:
            file.close()
        os.close(self._read)

    def _room(self, file: BinaryIO | None) -> BinaryIO:
        if file is None or file.closed:  # closed where the last one could not be moved, or no new one be opened
            file = self._path.open("ab")
        if file.tell() > self._limit:
            file.close()
            self._path.replace(self._path.with_name(self._path.name + ".1"))
            file = self._path.open("ab")
        return file
