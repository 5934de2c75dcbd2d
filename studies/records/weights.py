"""The trained weights of the best trials, as many as a study says, beside their records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from search.objectives import Goals, Metric
from studies.records.artifacts import FOLDER
from studies.records.record import Part, TrialRecord

NAME = "weights.safetensors"
"""How the file is called, in the folder of its trial and in its record."""


class KeptWeights:
    """Which weights are kept: those of the best trials of each part.

    Args:
        folder: the study's.
        number: of how many trials of a part; 0: of none, and what is there stays.
        objectives: what the search optimises, and which way.
    """

    def __init__(self, folder: Path, number: int, objectives: Goals) -> None:
        self._folder, self._number = folder, number
        self._by: Metric = "loss" if "loss" in objectives or not objectives else next(iter(objectives))
        self._sign = -1.0 if objectives.get(self._by) == "maximize" else 1.0
        self._kept: dict[Part, list[tuple[float, int]]] = defaultdict(list)

    def place(self, record: TrialRecord) -> Path | None:
        """Where a training writes its weights when it ends; None if they are not wanted."""
        if self._number == 0 or record.part == "tuning":
            return None
        return (self._folder / self._path(record.part, record.trial)).absolute()

    def named(self, record: TrialRecord) -> TrialRecord:
        """The record, naming its weights if they were written."""
        path = self._path(record.part, record.trial)
        if not (self._folder / path).is_file():
            return record
        files = {**(record.detail.get("files") or {}), NAME: path}
        return record.model_copy(update={"detail": {**record.detail, "files": files}})

    def begin(self, records: Iterable[TrialRecord]) -> None:
        """Learn what an earlier run kept, and remove what nobody asks for. Nothing is being trained yet."""
        if self._number == 0:
            return
        for record in records:
            if NAME in (record.detail.get("files") or {}) and record.status == "finished":
                self.offer(record)
        known = {self._folder / self._path(part, trial) for part, kept in self._kept.items() for _, trial in kept}
        for file in (self._folder / FOLDER).glob(f"*/{NAME}"):
            if file not in known:
                file.unlink(missing_ok=True)

    def offer(self, record: TrialRecord) -> None:
        """A training has ended: its weights stay if it is among the best, and then those of another go."""
        if not (self._folder / self._path(record.part, record.trial)).is_file():
            return
        kept = self._kept[record.part]
        value = record.metrics.get(self._by if record.part == "search" else "loss")
        if record.status == "finished" and record.feasible and value is not None:
            sign = self._sign if record.part == "search" else 1.0
            kept.append((sign * value, record.trial))
            kept.sort()
        else:
            self._remove(record.part, record.trial)
        while len(kept) > self._number:
            self._remove(record.part, kept.pop()[1])

    def _remove(self, part: Part, trial: int) -> None:
        (self._folder / self._path(part, trial)).unlink(missing_ok=True)

    @staticmethod
    def _path(part: Part, trial: int) -> str:
        return f"{FOLDER}/{part}-{trial}/{NAME}"
