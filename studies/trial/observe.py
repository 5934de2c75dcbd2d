"""Who wants to know how a run goes."""

from __future__ import annotations

from typing import Protocol

from studies.records.record import Part, TrialRecord
from studies.trial.job import Progress


class Observer(Protocol):
    """Who wants to know how a run goes; every method may do nothing."""

    def planned(self, part: Part, done: int, total: int) -> None:
        """A part begins: `done` of `total` trainings are there already."""

    def began(self, record: TrialRecord) -> None:
        """A training begins."""

    def progressed(self, record: TrialRecord, progress: Progress) -> None:
        """A training went on."""

    def ended(self, record: TrialRecord) -> None:
        """A trial is recorded."""

    def said(self, text: str) -> None:
        """Something that a person should know."""
