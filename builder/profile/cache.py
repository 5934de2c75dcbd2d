"""What operations were measured to need, remembered on disk: one JSON file per device, torch version and threads."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from filelock import FileLock

from archspec.atomic import write_text
from builder.profile.signature import Signature
from builder.profile.workspace import Need

#: Of the file's layout and of how it is measured; another number starts another file.
_VERSION = 1


def cache_folder() -> Path:
    """``ushape/workspaces`` under `XDG_CACHE_HOME`, else under ``~/.cache``."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    root = Path(base) if Path(base).is_absolute() else Path.home() / ".cache"
    return root / "ushape" / "workspaces"


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


class Cache:
    """Needs by signature for one device. Several processes may read and add at the same time.

    Args:
        device: cpu or cuda.
        folder: where the files lie; default `cache_folder()`.
    """

    def __init__(self, device: str, folder: Path | None = None) -> None:
        self.place = place(device)
        mark = hashlib.sha256(json.dumps(self.place, sort_keys=True).encode()).hexdigest()[:12]
        self.path = (folder or cache_folder()) / f"{device}-{mark}.json"

    def known(self, signatures: Iterable[Signature]) -> dict[Signature, Need]:
        """Those of the signatures that were measured before."""
        kept = self._read()
        marks = {signature: _mark(signature) for signature in signatures}
        return {signature: _need(kept[mark]) for signature, mark in marks.items() if mark in kept}

    def add(self, needs: Mapping[Signature, Need]) -> None:
        """Remember needs beside what others have added meanwhile."""
        new = {_mark(signature): [need.peak, *need.outputs] for signature, need in needs.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.path}.lock"):
            data = {"place": self.place, "needs": {**self._read(), **new}}
            write_text(self.path, json.dumps(data, separators=(",", ":")))

    def _read(self) -> dict[str, list[int]]:
        try:
            needs = json.loads(self.path.read_text(encoding="utf-8"))["needs"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # not there yet, or spoilt: measured anew
        return {mark: row for mark, row in needs.items() if _is_row(row)} if isinstance(needs, dict) else {}


def _is_row(row: object) -> bool:
    return isinstance(row, list) and bool(row) and all(isinstance(number, int) for number in row)


def _need(row: list[int]) -> Need:
    return Need(row[0], tuple(row[1:]))


def _mark(signature: Signature) -> str:
    return hashlib.sha256(signature.text().encode()).hexdigest()[:24]
