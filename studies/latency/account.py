"""What screening by predicted latency did in a search: ``screening.json`` in the study's folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FILE = "screening.json"


@dataclass
class Account:
    """What screening by predicted latency did in a search.

    Attributes:
        predicted: fingerprints of the architectures that were predicted.
        refused: fingerprints of those that were refused by it, proposed or not.
        errors: metric -> the error of its predictions in words, as it was last known.
        why_not: why it takes no part; empty where it does.
    """

    predicted: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    why_not: str = "no architecture was predicted"

    def text(self) -> str:
        """In a sentence or two, for status and reports."""
        counted = f"{len(self.refused)} of {len(self.predicted)} predicted architectures refused before training"
        if not self.errors:
            return f"took no part: {self.why_not}"
        errors = "; ".join(f"{name}: {error}" for name, error in self.errors.items())
        return f"{counted}, each over its budget by more than the error bound ({errors})"


def account_of(folder: Path) -> Account | None:
    """What screening did in the search of a folder; None where it was not asked for."""
    path = folder / FILE
    if not path.is_file():
        return None
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Account(**data)


def keep_account(folder: Path, account: Account) -> None:
    """Write it down, if anything changed."""
    from archspec.text.atomic import write_text

    text, path = json.dumps(vars(account), indent=1), folder / FILE
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
