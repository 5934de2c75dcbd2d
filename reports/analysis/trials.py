"""What a row of the frame means: its status, and which rows may be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Status:
    """How one status of a trial is told to a reader."""

    name: str
    """The status as the records spell it."""
    label: str
    """The status in words."""
    symbol: str
    """A sign that tells it apart without colour."""
    meaning: str
    """One sentence for those who meet it the first time."""


STATUSES: dict[str, Status] = {
    status.name: status
    for status in (
        Status("finished", "finished", "●", "trained and measured"),
        Status("replayed", "replayed", "↺", "the same architecture had been trained before; its result is reused"),
        Status("pruned", "pruned", "◐", "stopped at a rung: others had done better by then"),
        Status("refused", "refused", "⊘", "breaks a rule or a budget known beforehand; never trained"),
        Status("oom", "out of memory", "▣", "ran out of memory"),
        Status("diverged", "diverged", "∞", "the loss became NaN or infinite"),
        Status("failed", "failed", "✕", "raised an error, or its worker died"),
        Status("interrupted", "interrupted", "‖", "stopped while running; the next run repeats it"),
        Status("running", "running", "…", "not finished when this page was written"),
    )
}

USABLE = ("finished", "replayed")
"""Statuses whose metrics may be compared."""


def status_of(name: str) -> Status:
    """Return how a status is told; one that this version does not know stands for itself."""
    return STATUSES.get(name, Status(name, name, "?", "not known to this version of ushape"))


def part(trials: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows of one part of the study, "ablation" or "search"."""
    return trials[trials["part"] == name]


def usable(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose metrics may be compared."""
    return trials[trials["status"].isin(USABLE)]


def status_counts(trials: pd.DataFrame) -> dict[str, int]:
    """Count trials by status, in the order in which a reader wants to know; absent ones are left out."""
    counted = {str(name): int(number) for name, number in trials["status"].value_counts().items()}
    known = [name for name in STATUSES if name in counted]
    return {name: counted[name] for name in [*known, *sorted(set(counted) - set(known))]}


def parameter_columns(trials: pd.DataFrame) -> list[str]:
    """Return the columns of the search space that hold any value, in the frame's order."""
    return [
        column for column in trials.columns if str(column).startswith("param:") and bool(trials[column].notna().any())
    ]


def replayed_trial(row: pd.Series | Mapping[Any, Any]) -> tuple[str, int] | None:
    """Return (part, trial) of the trial whose result a row took over; None if it has its own.

    The frame names it as "part/number", or by its number alone within the same part.
    """
    value = row.get("replay_of")
    if value is None or pd.isna(value):
        return None
    name, slash, number = str(value).rpartition("/")
    return (name if slash else str(row["part"])), int(float(number))


def as_records(trials: pd.DataFrame) -> list[dict[Any, Any]]:
    """The rows as plain data, as ``to_dict("records")`` gives them, in a fraction of its time."""
    names = list(trials.columns)
    columns = [trials[name].tolist() for name in names]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def has_values(trials: pd.DataFrame, metric: str) -> bool:
    """Say whether any trial has a value of the metric."""
    return metric in trials.columns and bool(trials[metric].notna().any())
