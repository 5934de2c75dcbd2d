"""Files that belong to a trial, such as a grid of its samples: beside its record, which names them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path

from archspec.text.atomic import write_bytes
from studies.records.record import TrialRecord

FOLDER = "artifacts"


def keep_files(folder: Path, record: TrialRecord, files: Mapping[str, str]) -> TrialRecord:
    """Write a trial's files (name -> content in base64) and name them in its record.

    Args:
        folder: the study's.
        record: of the trial; `detail.files` of the record that is returned holds name -> path in the study's folder.
        files: what the trial gave.
    """
    if not files:
        return record
    paths = {name: f"{FOLDER}/{record.part}-{record.trial}/{Path(name).name}" for name in files}
    for name, content in files.items():
        write_bytes(folder / paths[name], base64.b64decode(content))
    return record.model_copy(update={"detail": {**record.detail, "files": paths}})


def files_of(folder: Path, record: TrialRecord) -> dict[str, Path]:
    """Name -> path of the files that a record names, as far as they are there; of a replay those of its original."""
    named = {name: folder / path for name, path in (record.detail.get("files") or {}).items()}
    return {name: path for name, path in named.items() if path.is_file()}
