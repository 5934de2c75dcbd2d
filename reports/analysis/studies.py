"""Several studies beside each other: what differs in how they were made, and what they have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from archspec.text.wording import first_few
from reports.analysis.ablation import BASE
from reports.analysis.pareto import objectives_of
from reports.analysis.trials import has_values, part, usable
from reports.metrics import join_words

if TYPE_CHECKING:
    from studies.frame import StudyResults


@dataclass(frozen=True)
class Difference:
    """One setting that is not the same in all studies; `values` in the order of the studies, None where absent."""

    setting: str
    values: tuple[Any, ...]
    spoils: str
    """What does not compare because of it: "losses", "times and memory"."""


@dataclass(frozen=True)
class Mean:
    """A metric of one architecture in one study: the mean over its trials."""

    value: float
    trials: int


@dataclass(frozen=True)
class Common:
    """An architecture that several studies trained."""

    fingerprint: str
    names: tuple[str, ...]
    """What each study calls it; empty where it was not trained."""
    values: dict[str, tuple[Mean | None, ...]]
    """Metric -> its mean in each study."""


MEASURED = ("latency", "train_latency", "latency_ratio", "train_latency_ratio", "memory", "train_memory")
"""Metrics that depend on the device and on how they are measured; the reference network's share of them too."""

_SECTIONS = {"protocol": "losses", "measure": "times and memory"}
#: Settings that say how much was run, not under what circumstances.
_HARMLESS = {"protocol.seeds"}


def differences(studies: Sequence[StudyResults]) -> list[Difference]:
    """Every setting of protocol and measurement, data content and device that the studies do not share."""
    found = []
    for section, spoils in _SECTIONS.items():
        flat = [dict(_leaves(section, study.document.get(section) or {})) for study in studies]
        for setting in dict.fromkeys(key for one in flat for key in one):
            values = tuple(one.get(setting) for one in flat)
            if setting not in _HARMLESS and not _all_equal(values):
                found.append(Difference(setting, values, spoils))
    hashes = tuple(study.data.get("hash") for study in studies)
    if not _all_equal(hashes):
        found.append(Difference("content of the data", hashes, "losses"))
    devices = tuple(_devices(study) for study in studies)
    if not _all_equal(devices):
        found.append(Difference("device", devices, "times and memory"))
    return found


@dataclass(frozen=True)
class Searches:
    """The studies whose searches can stand on one scale, and why the others can't."""

    alike: tuple[StudyResults, ...]
    apart: tuple[tuple[str, str], ...]
    """(name, what differs from the first)."""


def searches(studies: Sequence[StudyResults]) -> Searches:
    """Sort out the studies whose search asks the same as the first one's; those without a search are left out."""
    searching = [study for study in studies if not part(study.trials, "search").empty]
    alike, apart = list(searching[:1]), []
    for study in searching[1:]:
        why = _unlike(searching[0], study)
        if why:
            apart.append((study.name, join_words(why)))
        else:
            alike.append(study)
    return Searches(tuple(alike), tuple(apart))


def _unlike(first: StudyResults, other: StudyResults) -> list[str]:
    """What keeps two searches from being compared by the volume they dominate."""
    asked: dict[str, Callable[[StudyResults], Any]] = {
        "objectives": lambda s: (s.objectives, s.maximised),
        "budgets": lambda s: s.budgets,
        "base": lambda s: s.base,
        "space": lambda s: (s.document.get("search") or {}).get("space"),
    }
    spoilt = {one.spoils for one in differences([first, other])}
    found = [name for name, of in asked.items() if of(first) != of(other)]
    if "losses" in spoilt:
        found.append("how losses were made (protocol, data)")
    if "times and memory" in spoilt and any(name in MEASURED for name in (*objectives_of(first), *first.budgets)):
        found.append("how times and memory were measured (settings, device)")
    return found


def common_architectures(studies: Sequence[StudyResults], metrics: Sequence[str]) -> list[Common]:
    """The architectures with a result in at least two studies, in the order of the first study that has them."""
    frames = [_without_repeats(usable(study.trials)) for study in studies]
    marks = dict.fromkeys(str(mark) for frame in frames for mark in frame["fingerprint"].dropna())
    found = []
    for mark in marks:
        rows = [frame[frame["fingerprint"] == mark] for frame in frames]
        if sum(len(one) > 0 for one in rows) < 2:
            continue
        values = {name: tuple(_mean(one, name) for one in rows) for name in metrics}
        found.append(Common(mark, tuple(_name(one) for one in rows), values))
    return found


def shared_metrics(studies: Sequence[StudyResults], names: Sequence[str]) -> list[str]:
    """Those of the metrics that every study has values of."""
    return [name for name in names if all(has_values(usable(study.trials), name) for study in studies)]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    else:
        yield path, value


def _all_equal(values: Sequence[Any]) -> bool:
    return all(value == values[0] for value in values)


def _devices(study: StudyResults) -> str:
    if study.trials.empty:
        return ""
    return ", ".join(sorted({str(name) for name in study.trials["device"].dropna() if name}))


def _without_repeats(rows: pd.DataFrame) -> pd.DataFrame:
    """Keep of all rows that hold one trial's result the first: a replay is no second measurement."""
    own = rows["part"].astype(str) + "/" + rows["trial"].astype(str)
    return rows[~rows["replay_of"].fillna(own).duplicated()]


def _mean(rows: pd.DataFrame, metric: str) -> Mean | None:
    values = rows[metric].dropna() if metric in rows.columns else rows.iloc[:0, 0]
    mean = float(values.mean()) if len(values) else math.nan
    return Mean(mean, len(values)) if len(values) else None


def _name(rows: pd.DataFrame) -> str:
    names = [
        (str(row["variant"]) if row["variant"] != BASE else "the base")
        if isinstance(row["variant"], str)
        else f"trial {row['trial']}"
        for _, row in rows.iterrows()
    ]
    return first_few(list(dict.fromkeys(names)))
