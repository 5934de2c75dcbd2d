"""How it was measured: everything a reader needs to trust the numbers or to get them again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from reports.analysis.trials import usable
from reports.metrics import METRICS, NARROW, significant
from reports.pages.charts import Charts

if TYPE_CHECKING:
    from studies.frame import StudyResults

_FEW = 3
"""Fewer trials show no spread."""
_ASKED = ("sampler", "trials", "seed", "include_base", "pruning", "screen_latency")
_PROTOCOL = {"objective": "Objective", "train": "Training", "evaluate": "Evaluation"}


def context(results: StudyResults, charts: Charts) -> dict[str, Any] | None:
    """Gather the protocol, the data, the machines and the commands."""
    del charts
    protocol = results.document.get("protocol") or {}
    groups = [("Data", _pairs(results.data))]
    groups += [(title, _pairs(protocol[key])) for key, title in _PROTOCOL.items() if key in protocol]
    groups += [("Measurement", _pairs(results.document.get("measure") or {}))]
    groups += [("Search", [*_search(results.document.get("search") or {}), *_screening(results)])]
    groups += [(_environment_title(i, results), _known(e)) for i, e in enumerate(results.environment)]
    groups += [("Trials", _trials(results)), ("Identity", _identity(results))]
    return {
        "groups": [(title, pairs) for title, pairs in groups if pairs],
        "spread": _spread(results.trials),
        "reference": _reference(results.trials),
        "source": results.source,
        "folder": str(results.folder),
        "out": _elsewhere(results),
    }


def _environment_title(index: int, results: StudyResults) -> str:
    return "Software and machine" if len(results.environment) == 1 else f"Software and machine {index + 1}"


def _pairs(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(str(key).replace("_", " "), _value(value)) for key, value in mapping.items()]


def _known(mapping: Mapping[str, Any]) -> list[tuple[str, str]]:
    """As `_pairs`, without what could not be found out."""
    return _pairs({key: value for key, value in mapping.items() if value is not None})


def _value(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items() if inner not in ({}, [], None))
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_value(inner) for inner in value)
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _trials(results: StudyResults) -> list[tuple[str, str]]:
    trials = results.trials
    if trials.empty:
        return []
    seeds = sorted({int(s) for s in trials["seed"].dropna()})
    started = sorted(str(s) for s in trials["started"].dropna())
    wall = float(trials["wall"].fillna(0.0).sum())
    pairs = [("training seeds", ", ".join(map(str, seeds))), ("wall time of all trials", _duration(wall))]
    return [*pairs, ("first started", moment(started[0])), ("last started", moment(started[-1]))] if started else pairs


def moment(text: str) -> str:
    """An ISO time as people write it, in the zone it was written in."""
    return text.replace("T", " ").replace("+00:00", " UTC")


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{significant(seconds, 3)}{NARROW}s"
    return f"{seconds / 60:.1f}{NARROW}min" if seconds < 7200 else f"{seconds / 3600:.1f}{NARROW}h"


def _search(search: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Space, sampler and budget of trials; objectives and budgets stand with the search itself."""
    space = [(str(name), _space(values)) for name, values in (search.get("space") or {}).items()]
    rest = {key: search[key] for key in _ASKED if search.get(key) is not None and search[key] is not False}
    return [*space, *_pairs(rest)]


def _screening(results: StudyResults) -> list[tuple[str, str]]:
    return [("screening by predicted latency", results.screening)] if results.screening else []


def _space(values: Any) -> str:
    """The values of one dimension; what is switched off is left out."""
    if not isinstance(values, Mapping):
        return _value(values)
    told = {str(k).replace("_", " "): v for k, v in values.items() if v is not None and v is not False}
    words = [_value(v) if k == "choice" else k if v is True else f"{k} {_value(v)}" for k, v in told.items()]
    return "; ".join(words)


def _identity(results: StudyResults) -> list[tuple[str, str]]:
    return [("protocol hash", results.protocol_hash), ("base fingerprint", results.base)]


def _elsewhere(results: StudyResults) -> str:
    """The folder as a shell takes it; empty where the commands find it by the study's name."""
    usual = Path("runs") / results.name
    return "" if Path(*results.folder.parts[-2:]) == usual else shlex.quote(str(results.folder))


def _reference(trials: pd.DataFrame) -> str:
    """How far the reference network's own time wandered from trial to trial, in words; empty if it was not timed."""
    rows = trials[trials["status"] == "finished"]
    if "latency_ratio" not in rows.columns or len(rows) < _FEW:
        return ""
    times = (rows["latency"] / rows["latency_ratio"]).dropna()
    if len(times) < _FEW:
        return ""
    metric = METRICS["latency"]
    low, middle, high = (metric.text(float(value)) for value in times.quantile([0.1, 0.5, 0.9]))
    return f"{middle} (the middle 80{NARROW}% of {len(times)} trials: {low} to {high})"


def _spread(trials: pd.DataFrame) -> str:
    """The typical spread of the latency within a trial, in words."""
    rows = usable(trials)
    if not {"latency_p10", "latency_p90"} <= set(rows.columns):
        return ""
    spread = ((rows["latency_p90"] - rows["latency_p10"]) / rows["latency"]).median()
    return "" if pd.isna(spread) else f"{spread * 100:.0f}{NARROW}%"
