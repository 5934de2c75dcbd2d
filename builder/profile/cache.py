"""What was measured of operations, remembered on disk: one JSON file per device, torch version and threads."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from filelock import FileLock

from archspec.text.atomic import write_text
from builder.profile.signature import Signature
from builder.profile.workspace import Need

#: Of the file's layout and of how it is measured; another number starts another file.
_VERSION = 1


def cache_folder(of: str = "workspaces") -> Path:
    """``ushape/workspaces`` (or ``ushape/<of>``) under `XDG_CACHE_HOME`, else under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "ushape" / of


def place(device: str) -> dict[str, str | int]:
    """What measured needs depend on beside the operation."""
    facts: dict[str, str | int] = {"version": _VERSION, "torch": torch.__version__, "device": device}
    if device == "cuda":
        facts |= {
            "name": torch.cuda.get_device_name(),
            "cuda": str(torch.version.cuda),
            "cudnn": torch.backends.cudnn.version() or 0,  # type: ignore[no-untyped-call]
        }
        return facts
    return facts | {
        "name": _cpu_model(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


Row = Sequence[float]


class Rows:
    """A row of numbers by signature for one device. Several processes may read and add at the same time.

    Args:
        device: cpu or cuda.
        folder: where the files lie.
    """

    def __init__(self, device: str, folder: Path) -> None:
        self.place = place(device)
        mark = hashlib.sha256(json.dumps(self.place, sort_keys=True).encode()).hexdigest()[:12]
        self.path = folder / f"{device}-{mark}.json"

    def known(self, signatures: Iterable[Signature]) -> dict[Signature, Row]:
        """The rows of those signatures that were measured before."""
        kept = self._read()
        marks = {signature: _mark(signature) for signature in signatures}
        return {signature: kept[mark] for signature, mark in marks.items() if mark in kept}

    def add(self, rows: Mapping[Signature, Row]) -> None:
        """Remember rows beside what others have added meanwhile."""
        new = {_mark(signature): list(row) for signature, row in rows.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            data = {"place": self.place, "needs": {**self._read(), **new}}
            write_text(self.path, json.dumps(data, separators=(",", ":")))

    def _read(self) -> dict[str, Row]:
        try:
            needs = json.loads(self.path.read_text(encoding="utf-8"))["needs"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # not there yet, or spoilt: measured anew
        return {mark: row for mark, row in needs.items() if self._is_row(row)} if isinstance(needs, dict) else {}

    @staticmethod
    def _is_row(row: object) -> bool:
        return isinstance(row, list) and bool(row) and all(isinstance(number, int | float) for number in row)


class Cache:
    """Needs by signature for one device.

    Args:
        device: cpu or cuda.
        folder: where the files lie; default `cache_folder()`.
    """

    def __init__(self, device: str, folder: Path | None = None) -> None:
        self._rows = Rows(device, folder or cache_folder())
        self.place, self.path = self._rows.place, self._rows.path

    def known(self, signatures: Iterable[Signature]) -> dict[Signature, Need]:
        """Those of the signatures that were measured before."""
        return {signature: _need(row) for signature, row in self._rows.known(signatures).items() if _is_whole(row)}

    def add(self, needs: Mapping[Signature, Need]) -> None:
        """Remember needs beside what others have added meanwhile."""
        self._rows.add({signature: [need.peak, *need.outputs] for signature, need in needs.items()})


def _is_whole(row: Row) -> bool:
    return all(isinstance(number, int) for number in row)


def _need(row: Row) -> Need:
    return Need(int(row[0]), tuple(map(int, row[1:])))


def _mark(signature: Signature) -> str:
    return hashlib.sha256(signature.text().encode()).hexdigest()[:24]
