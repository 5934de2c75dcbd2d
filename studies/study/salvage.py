"""What of a study file can be read though something in it is wrong, so that one pass finds what else is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archspec.text.positions import DataPath
from archspec.text.validate import faulty_places
from studies.study.document import StudyFile

Lost = frozenset[DataPath]

#: How deep what is left out stands: an entry of these mappings, a key of the others.
_ENTRIES: frozenset[DataPath] = frozenset({("ablation", "variants"), ("ablation", "one_factor"), ("search", "space")})
#: What is kept of a section whose keys do not go together; of others nothing.
_KEPT: Mapping[str, str] = {"ablation": "variants", "protocol": "data"}
#: Leaving out goes on so often at most: each time something is gone, others may be missed.
_ROUNDS = 10


def salvaged(data: dict[str, Any]) -> tuple[StudyFile | None, Lost]:
    """The study without what is wrong in it, and what was left out; None where that leaves none.

    The base is read apart from the rest, so none stands in the model.

    Args:
        data: the file as plain data.
    """
    kept: dict[str, Any] = {**data, "base": {}}
    lost: set[DataPath] = set()
    for _ in range(_ROUNDS):
        places = faulty_places(StudyFile, kept)
        if not places:
            return _model(kept), frozenset(lost)
        for place in places:
            gone = _cut(kept, place)
            lost.add(gone)
    return None, frozenset(lost)


def is_lost(lost: Lost, *path: str) -> bool:
    """Whether something was left out in or around this place."""
    return any(place[: len(path)] == path[: len(place)] for place in lost)


def _model(data: dict[str, Any]) -> StudyFile | None:
    try:
        return StudyFile.model_validate(data)
    except ValidationError:  # what cannot be placed in the data cannot be left out either
        return None


def _cut(data: dict[str, Any], place: DataPath) -> DataPath:
    """Leave out of `data` what is wrong at a place; returns what is gone, as a path."""
    if place[:1] in (("name",), ("version",)) or not place:
        data.update(name="unnamed", version=1)
        # Keys of the whole that do not go together: a tuned protocol beside a design.
        if not place and isinstance(data.get("protocol"), dict):
            data["protocol"] = {key: value for key, value in data["protocol"].items() if key != "tune"}
        return place or ("protocol", "tune")
    section = str(place[0])
    inside = data.get(section)
    if len(place) == 1 or not isinstance(inside, dict):
        return _cut_section(data, section, inside)
    if place[:2] in _ENTRIES and len(place) > 2 and isinstance(inside[place[1]], dict):
        entries = {key: value for key, value in inside[place[1]].items() if key != place[2]}
        data[section] = {**inside, place[1]: entries}
        return place[:3]
    data[section] = {key: value for key, value in inside.items() if key != place[1]}
    return place[:2]


def _cut_section(data: dict[str, Any], section: str, inside: Any) -> DataPath:
    key = _KEPT.get(section)
    rest = {key: inside[key]} if isinstance(inside, dict) and key in inside else None
    if rest is None or rest == inside:
        data.pop(section, None)
    else:
        data[section] = rest
    return (section,)
