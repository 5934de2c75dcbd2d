"""The study's frame as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archspec.text.atomic import write_text

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
    write_text(path, results.trials.to_csv(index=False, lineterminator="\n"))
    return path
