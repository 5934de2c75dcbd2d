"""What a study stated before it saw results, with the time: margins of equivalence, in ``stated.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from archspec.text.atomic import write_text
from studies.records.store import now

FILE = "stated.json"


def stated_margins(folder: Path) -> list[dict[str, Any]]:
    """Every margin that the study in a folder has stated, oldest first: margin, stated (ISO time), results."""
    path = folder / FILE
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return found


def state_margin(folder: Path, margin: dict[str, Any] | None, results: int) -> None:
    """Note the margin that a run goes by, unless it is noted already.

    Args:
        folder: the study's folder.
        margin: the margin as plain data; None: none is stated, and nothing is noted.
        results: trials of the ablation that have a result by now; with any, the margin is not stated beforehand.
    """
    known = stated_margins(folder)
    if margin is None or any(one["margin"] == margin for one in known):
        return
    write_text(folder / FILE, json.dumps([*known, {"margin": margin, "stated": now(), "results": results}], indent=1))
