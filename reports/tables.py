"""The study's frame as a file for other programs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studies.frame import StudyResults


def write_results_csv(results: StudyResults, path: Path) -> Path:
    """Write one row per trial with every digit (reading the file back gives the same floats).

    Args:
        results: the study.
        path: file to write; its folder is made if it is missing, and a file that is there is replaced at once or not
            at all.

    Returns:
        The path.
    """
    write_atomically(path, results.trials.to_csv(index=False, lineterminator="\n"))
    return path


def write_atomically(path: Path, text: str) -> None:
    """Write a text beside its place and move it there, so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that only their owner reads; a report is made to be passed on.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
