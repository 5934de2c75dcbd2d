"""What a running study shows: bars with what is known so far, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from studies.records.record import TRAINED, WITH_RESULT, Part, TrialRecord
from studies.trial.job import Progress as TrialProgress
from ushape.cli.console import count, seconds

#: Seconds after which a run without a terminal says what it is at, if nothing has ended meanwhile.
QUIET = 30.0


class LiveObserver:
    """An `Observer` that draws on a console.

    Args:
        console: where.
        runs: what trials are called (`Protocol.runs`).
    """

    def __init__(self, console: Console, runs: str = "trainings") -> None:
        self._console, self._runs = console, runs
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[note]}"), console=console, disable=not console.is_terminal,
        )  # fmt: skip
        self._part: TaskID | None = None
        self._trials: dict[tuple[Part, int], TaskID] = {}
        self._total = 0
        self._done = 0
        self._best: float | None = None
        self._spoke = -QUIET

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def planned(self, part: Part, done: int, total: int) -> None:
        """A new bar for the part."""
        self._done, self._total, self._best = done, total, None
        self._part = self._bars.add_task(part, total=total, completed=done, note="")
        self._console.print(
            f"{part}: {done} of {total} {self._runs} are done" if done else f"{part}: {total} {self._runs}"
        )

    def began(self, record: TrialRecord) -> None:
        """A bar for the trial."""
        bar = self._bars.add_task(f"  {escape(_label(record))}", total=None, note="starting")
        self._trials[record.part, record.trial] = bar
        self._remark(f"{_label(record)}: starting")

    def progressed(self, record: TrialRecord, progress: TrialProgress) -> None:
        """Steps and training loss."""
        bar = self._trials.get((record.part, record.trial))
        if bar is not None:
            note = progress.stage if progress.loss is None else f"loss {progress.loss:.4f}"
            self._bars.update(bar, completed=progress.step, total=progress.steps or None, note=note)
            steps = f"step {progress.step:,} of {progress.steps:,}, " if progress.steps else ""
            self._remark(f"{_label(record)}: {steps}{note}")

    def _remark(self, text: str) -> None:
        """Where no bars are drawn, a line of what goes on, if nothing was said for a while."""
        if not self._console.is_terminal and time.monotonic() - self._spoke >= QUIET:
            self._print(f"  … {escape(text)}")

    def _print(self, text: str) -> None:
        self._spoke = time.monotonic()
        self._console.print(text)

    def ended(self, record: TrialRecord) -> None:
        """One line for the trial, and the best so far beside the part's bar."""
        bar = self._trials.pop((record.part, record.trial), None)
        if bar is not None:
            self._bars.remove_task(bar)
        self._done += record.status in TRAINED or record.part == "ablation"
        loss = record.metrics.get("loss")
        if record.status in WITH_RESULT and record.feasible and loss is not None:
            self._best = loss if self._best is None else min(self._best, loss)
        if self._part is not None:
            note = "" if self._best is None else f"best loss {self._best:.4f}"
            self._bars.update(self._part, completed=self._done, note=note)
        self._print(f"  [{self._done}/{self._total}] {escape(_label(record))}: {escape(_result(record))}")

    def said(self, text: str) -> None:
        """A line."""
        self._print(escape(text))


def _label(record: TrialRecord) -> str:
    if record.variant is not None:
        return f"{record.variant}, seed {record.seed}"
    values = (f"{name}={_value(value)}" for name, value in record.params.items())
    return f"#{record.trial} " + " ".join(values)


def _value(value: object) -> str:
    return "[" + ",".join(map(str, value)) + "]" if isinstance(value, list) else str(value)


def _result(record: TrialRecord) -> str:
    if record.status not in WITH_RESULT:
        return f"{record.status}: {record.reason}"
    parts = [f"loss {record.metrics['loss']:.4f}"] if "loss" in record.metrics else []
    if "latency" in record.metrics:
        parts.append(f"latency {seconds(record.metrics['latency'])}")
    parts.append(f"{count(record.metrics['parameters'])} parameters")
    parts.append(f"replayed from {record.replay_of}" if record.replay_of else seconds(record.wall))
    broken = [name for name, excess in record.violations.items() if excess > 0]
    return ", ".join(parts) + (f"; over budget: {', '.join(broken)}" if broken else "")
