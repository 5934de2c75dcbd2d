"""What may change in a study file between two runs, and what may not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec import Problem, UserError
from studies.records.record import SETTLED
from studies.records.store import Store
from studies.study.study import Study

#: Paths in the resolved study whose change would make earlier and later trials incomparable.
FIXED: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("protocol", "data"),
    ("protocol", "objective"),
    ("protocol", "init"),
    ("protocol", "train"),
    ("protocol", "evaluate"),
    ("protocol", "tune"),
    ("measure",),
    ("search", "space"),
    ("search", "objectives"),
    ("search", "seed"),
)


def refuse_changes(store: Store, study: Study) -> None:
    """`UserError` with every difference to the last run that would mix incomparable trials.

    Seeds, variants, budgets and the number of trials may change: what is there is kept, what is missing is run. As long
    as no trial has come to an end, everything may change but a search that has begun, whose database knows its space.
    """
    before = store.remembered_study()
    if before is None:
        return
    # A search that was taken out and is asked for again is held against how it was.
    searched = store.reader.document_of("search") or before
    changed = list(_differences({**before, "search": searched.get("search")}, study.document()))
    if changed and not _has_ended(store):
        changed = [one for one in changed if one[0][0] == "search" and "search" in store.parts()]
    problems = [
        Problem(
            code="U090",
            message=f"`{'.'.join(path)}` was {_shown(old)} and is now {_shown(new)}.",
            hint="Trials before and after could not be compared: give the study another name, or change it back.",
            file=str(study.path),
        )
        for path, old, new in changed
    ]
    if problems:
        raise UserError(problems)


def _has_ended(store: Store) -> bool:
    return any(one.status in SETTLED for part in store.parts() for one in store.glances(part))


def _differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    for path in FIXED:
        old, new = _get(before, path), _get(after, path)
        # A part that was not asked for before may be added, and one that is done may be taken out.
        if path[0] == "search" and (before.get("search") is None or after.get("search") is None):
            continue
        yield from _leaves(path, old, new)


def _leaves(path: tuple[str, ...], old: Any, new: Any) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _leaves((*path, str(key)), old.get(key), new.get(key))
    elif old != new:
        yield path, old, new


def _get(document: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = document
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _shown(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
