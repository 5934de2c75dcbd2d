"""Results of other studies that a search takes over: same architecture, seed, protocol and device."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archspec import UserError
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.study.document import Search
from studies.study.place import name_of, results_folder
from studies.study.study import Study

#: What must agree of the circumstances for latency and memory to compare.
_SAME = ("device", "device_type", "cores", "threads")


def folder_of(study: Study, named: str) -> Path:
    """The folder that a study named in `reuse` lies in: the folder itself, or that of a study file."""
    path = study.path.parent / named
    return results_folder(path, name_of(path)) if path.is_file() else path


def missing(study: Study, search: Search) -> Iterator[tuple[int, str]]:
    """(index, why) of every study in `reuse` that has no results to take over."""
    for index, named in enumerate(search.reuse):
        try:
            Store(folder_of(study, named))
        except UserError as error:
            yield index, error.problems[0].message


def reusable(study: Study, search: Search) -> list[TrialRecord]:
    """Finished trials of the studies in `reuse` that this study's protocol and this machine would repeat.

    Each says in its detail which study it is from. Finding out what the device is imports torch, here alone.
    """
    if not search.reuse:
        return []
    from studies.measure import device as devices

    device = devices.choose(study.file.measure.device)
    here = devices.describe(device)
    if study.file.measure.threads is not None:
        here["threads"] = study.file.measure.threads
    shared = study.protocol_hash()
    found: list[TrialRecord] = []
    for folder in dict.fromkeys(folder_of(study, named).resolve() for named in search.reuse):
        store = Store(folder)
        for part in store.parts():
            for record in store.records(part):
                agrees = all(record.environment.get(key) == here[key] for key in _SAME)
                if record.status == "finished" and record.protocol_hash == shared and agrees:
                    found.append(record.model_copy(update={"detail": {**record.detail, "study": store.name}}))
    return found
