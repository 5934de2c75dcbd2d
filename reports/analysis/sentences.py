"""Sentences of the answer: what is said first, and the numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sentence:
    """One statement: a head that can be read alone, and the numbers behind it."""

    kind: str
    """better, worse, equivalent, inconclusive, few, best, cheapest, knee or note."""
    head: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.head} {self.text}".strip()
