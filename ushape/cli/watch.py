"""A report that follows its study: written again whenever a trial has ended, until the run is over."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from archspec import user_error

#: Seconds between two looks at the study, and after which an open page reads its file again.
INTERVAL = 5


def follow(folder: Path, write: Callable[[int | None], Path], said: Callable[[str], None]) -> Path:
    """Write a report again and again while a run works on a folder; the last time as a page that stands still.

    Args:
        folder: the study's folder.
        write: writes the report with this many seconds between two readings of the open page (None: read once).
        said: told of every writing.

    Returns:
        The report.

    Raises:
        UserError: nothing runs there.
    """
    from studies.frame import progress_of
    from studies.records.locks import is_driven

    if not is_driven(folder):
        raise user_error(f"no run is working on {folder}.", "Start `ushape run` first, or leave out --watch.")
    seen = None
    while is_driven(folder):
        counts = progress_of(folder).counts
        if counts != seen:
            seen = counts
            said(f"written: {write(INTERVAL)}")
        time.sleep(INTERVAL)
    return write(None)
