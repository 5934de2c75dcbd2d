"""The trials of a search as points: what they are worth, what they cost, and where they stand."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from reports.analysis.answer import best_trial
from reports.analysis.knee import search_knee
from reports.analysis.pareto import first_objective, objectives_of, pareto_kinds
from reports.analysis.trials import as_records, parameter_columns, part, replayed_trial
from reports.metrics import METRICS

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Point:
    """One trial of the search."""

    trial: int
    kind: str
    """front, dominated, infeasible or no result."""
    status: str
    reason: str
    values: dict[str, float]
    """Metric -> recorded value; NaN where there is none."""
    parameters: dict[str, object]
    """Parameter -> value, without those that do not exist in this trial."""
    base: bool
    best: bool
    knee: bool
    replay_of: tuple[str, int] | None = None
    """(part, trial) whose result it took over."""


def search_points(results: StudyResults) -> list[Point]:
    """Return the trials of the search in the order of their numbers, without those that repeat one of them.

    A replay of an ablation's trial stays, once: it is the search's only point of that architecture.
    """
    rows = part(results.trials, "search").sort_values("trial")
    if rows.empty:
        return []
    told = as_records(rows[["part", "replay_of"]])
    rows = rows[[(replayed_trial(row) or ("",))[0] != "search" for row in told]]
    # Of several points that replay one trial of the ablation the first stands for the architecture.
    rows = rows[rows["replay_of"].isna() | ~rows["replay_of"].duplicated()]
    kinds = pareto_kinds(rows, objectives_of(results), results.maximised)
    best = best_trial(results)
    best_number = None if best is None else int(best["trial"])
    bend, _ = search_knee(results)
    knee_number = None if bend is None else int(bend["trial"])
    columns = parameter_columns(rows)
    ratios = [metric.ratio for metric in METRICS.values() if metric.ratio]
    measured = dict.fromkeys([*METRICS, *results.objectives, *ratios])
    return [
        Point(
            trial=int(row["trial"]),
            kind=kind,
            status=str(row["status"]),
            reason=text_of(row["reason"]),
            values={name: _number(row.get(name)) for name in measured},
            parameters={c.removeprefix("param:"): row[c] for c in columns if not _absent(row[c])},
            base=row["fingerprint"] == results.base,
            best=int(row["trial"]) == best_number,
            knee=int(row["trial"]) == knee_number,
            replay_of=replayed_trial(row),
        )
        for kind, row in zip(kinds, as_records(rows), strict=True)
    ]


def objective_pairs(results: StudyResults) -> list[tuple[str, str]]:
    """Return (cost, first objective) for every other objective; empty for a search with one objective."""
    first = first_objective(results)
    return [(name, first) for name in results.objectives if name != first]


def best_so_far(points: Sequence[Point], metric: str, *, more_is_better: bool = False) -> list[float]:
    """Return the best value among the feasible trials up to each one; NaN before the first."""
    best, found = math.nan, []
    better = max if more_is_better else min
    for point in points:
        value = point.values.get(metric, math.nan)
        if point.kind in ("front", "dominated") and not math.isnan(value):
            best = value if math.isnan(best) else better(best, value)
        found.append(best)
    return found


def text_of(value: object) -> str:
    """Return a text, empty for the frame's several ways of saying none."""
    return "" if _absent(value) else str(value)


def value_text(value: object) -> str:
    """Write a parameter's value; a whole number that a frame holds as a float is written whole."""
    return f"{value:g}" if isinstance(value, float) and not math.isnan(value) else text_of(value)


def pieces(text: str) -> list[float | str]:
    """Split a text such as "1,2.5" into its numbers and what is between them."""
    found = re.findall(r"[0-9]+\.?[0-9]*|[^0-9]+", text)
    return [float(piece) if piece[0] in "0123456789" else piece for piece in found]


def natural(text: str) -> tuple[tuple[bool, float, str], ...]:
    """Sort key under which "2,10" comes before "10,2"."""
    return tuple((False, p, "") if isinstance(p, float) else (True, 0.0, p) for p in pieces(text))


def levels_of(values: Collection[object]) -> list[str] | None:
    """Return a parameter's values in order, for an axis of words; None if it is an axis of numbers."""
    distinct = set(values)
    numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in distinct)
    if numeric and (len(distinct) > 8 or any(float(str(v)) % 1 for v in distinct)):
        return None
    return sorted({value_text(v) for v in distinct}, key=natural)


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else math.nan


def _absent(value: object) -> bool:
    return bool(value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA)
