"""Plain data to models: every problem at once, each at its place in the text."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from archspec.text.errors import Problem
from archspec.text.fields import Harmless
from archspec.text.positions import DataPath, Place, Positions
from archspec.text.suggest import Location, field_at, known_keys, unknown_key_hint
from archspec.text.wording import sentence, shown

M = TypeVar("M", bound=BaseModel)
Fault = Mapping[str, Any]

#: Where more is wrong than this, the rest is not said.
MAX_FAULTS = 200

_OWN_CHECKS = ("value_error", "U")


def validate(model: type[M], data: Any, positions: Positions, *, path: DataPath = ()) -> tuple[M | None, list[Problem]]:
    """A model from plain data, or every problem that keeps it from being one.

    If nothing is wrong but unknown keys and values that no rule looks at (see `Harmless`), the model is returned
    without them, so that later checks can add what they find; the problems still refuse the file. Checks of several
    values together run on the values that are right.
    """
    place = Place(positions, path)
    result, faults = _attempt(model, data)
    if result is not None:
        return result, []
    repaired = reduce(lambda kept, fault: _repaired(model, kept, fault), faults, data)
    result, more = _attempt(model, repaired)
    touched = {_document_path(data, fault["loc"])[:-1] for fault in faults}
    for fault in more:
        if fault["type"].startswith(_OWN_CHECKS) and _document_path(data, fault["loc"]) not in touched:
            faults.append(fault)
    problems = _without_twins([_problem(fault, model, data, place) for fault in _without_lists(faults, data)])
    usable = all(_is_harmless(model, fault) for fault in faults)
    return (result if usable else None), list(dict.fromkeys(problems))


def faulty_places(model: type[BaseModel], data: Any) -> list[DataPath]:
    """Where in plain data something keeps it from being a model: paths, as far as they exist there."""
    return list(dict.fromkeys(_document_path(data, fault["loc"]) for fault in _attempt(model, data)[1]))


def _without_twins(problems: list[Problem]) -> list[Problem]:
    """Without the missing keys that stand there under a wrong name already."""
    hints = [problem.hint for problem in problems if problem.code == "U010" and problem.hint]
    return [problem for problem in problems if problem.code != "U011" or not _is_meant(problem, hints)]


def _without_lists(faults: list[Fault], data: Any) -> list[Fault]:
    """Without "must be a list" of a single word where a number may stand too: the word in brackets is as wrong."""
    numbers = {_document_path(data, fault["loc"]) for fault in faults if fault["type"].startswith(("int_", "float_"))}
    return [
        fault
        for fault in faults
        if fault["type"] not in ("tuple_type", "list_type")
        or not isinstance(fault["input"], str)
        or "," in fault["input"]
        or _document_path(data, fault["loc"]) not in numbers
    ]


def _is_meant(missing: Problem, hints: list[str]) -> bool:
    key = missing.message.split("`")[1].rpartition(".")[2]
    return any(f"`{key}`" in hint for hint in hints if not hint.startswith("Known keys"))


def _attempt(model: type[M], data: Any) -> tuple[M | None, list[Fault]]:
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        return None, [fault for fault in error.errors(include_url=False)[:MAX_FAULTS] if not _is_of_its_items(fault)]


def _is_of_its_items(fault: Fault) -> bool:
    """Whether a list is called too short only because items in it are wrong, which are told by themselves."""
    if fault["type"] != "too_short" or not isinstance(fault["input"], list | tuple):
        return False
    return len(fault["input"]) >= int(fault["ctx"]["min_length"])


def _is_harmless(model: type[BaseModel], fault: Fault) -> bool:
    return fault["type"] == "extra_forbidden" or _marker(model, fault["loc"]) is not None


def _marker(model: type[BaseModel], loc: Location) -> Harmless | None:
    field = field_at(model, loc)
    return next((mark for mark in field.metadata if isinstance(mark, Harmless)), None) if field else None


def _repaired(model: type[BaseModel], data: Any, fault: Fault) -> Any:
    """The data without a value that is wrong, or with another one in its place."""
    mark = _marker(model, fault["loc"]) if fault["type"] != "extra_forbidden" else None
    if mark is not None and mark.instead is not None:
        return _replaced(data, fault["loc"], [mark.instead])
    return _replaced(data, fault["loc"], [])


def _replaced(data: Any, loc: Location, by: list[Any]) -> Any:
    """A copy of `data` with the value at `loc` left out, or replaced by the one in `by`.

    Parts of `loc` that are names of union members are passed over.
    """
    if isinstance(data, dict) and len(loc) == 1:
        kept = {key: value for key, value in data.items() if key != loc[0]}
        return {**kept, loc[0]: by[0]} if by else kept
    if isinstance(data, dict) and loc and loc[0] in data:
        return {key: _replaced(value, loc[1:], by) if key == loc[0] else value for key, value in data.items()}
    if isinstance(data, list | tuple) and loc and isinstance(loc[0], int):
        return [_replaced(item, loc[1:], by) if index == loc[0] else item for index, item in enumerate(data)]
    return _replaced(data, loc[1:], by) if loc else data


def _document_path(data: Any, loc: Location) -> DataPath:
    """The part of a validation location that exists in the document (it also names union members and functions)."""
    return _walked(data, loc)[1]


def _walked(data: Any, loc: Location) -> tuple[bool, DataPath]:
    """(whether the last part of a location was met, the parts that exist in the data).

    A part may be both a key that is there and the name of a union's member; it is the one from which the rest is met.
    """
    for index, part in enumerate(loc):
        if _has(data, part):
            rest = loc[index + 1 :]
            met, inside = _walked(data[part], rest) if rest else (True, ())
            passed, beside = _walked(data, rest)
            return (True, beside) if passed and not met else (met, (part, *inside))
    return False, ()


def _has(data: Any, part: str | int) -> bool:
    if isinstance(data, list | tuple):
        return isinstance(part, int) and part < len(data)
    return isinstance(data, dict) and part in data


def _problem(fault: Fault, model: type[BaseModel], data: Any, place: Place) -> Problem:
    loc: Location = fault["loc"]
    here = place.at(*_document_path(data, loc), *_named_in(fault))
    name = dotted(here.path)
    match fault["type"]:
        case "invalid_key":
            key = fault["input"]
            around = place.at(*_document_path(data, loc[:-1]))
            message = f"`{dotted((*around.path, shown(key)))}` is not a known key."
            return around.at(key).problem("U010", message, unknown_key_hint(model, loc))
        case "extra_forbidden":
            return here.problem("U010", f"`{name}` is not a known key.", unknown_key_hint(model, loc))
        case "missing":
            field = field_at(model, loc)
            hint = f"That is: {field.description.rstrip('.')}." if field is not None and field.description else None
            return here.problem("U011", f"`{dotted((*here.path, loc[-1]))}` is missing.", hint)
        case "value_error":
            prefix = f"`{name}`: " if name else ""
            return here.problem("U012", f"{prefix}{fault['ctx']['error']}.")
    must, hint = sentence(fault)
    hint = hint or _what_it_is(fault["type"], model, loc)
    code = fault["type"] if fault["type"].startswith("U") else "U012"
    if loc[-1:] == ("[key]",) and here.path[-1:] == loc[-2:-1]:
        name = f"{dotted(here.path[:-1])}` has a key that is not right: `{here.path[-1]}"
    subject = f"`{name}`" if name else "the document"
    return here.problem(code, f"{subject} {must}{'' if must.endswith('?') else '.'}", hint)


def _what_it_is(kind: str, model: type[BaseModel], loc: Location) -> str | None:
    """A hint for a value of a wrong form: the keys that its mapping has, or what its field is."""
    keys = known_keys(model, loc) if kind == "model_type" else []
    if keys:
        return f"Its keys: {', '.join(keys)}."
    field = field_at(model, loc) if kind in ("model_type", "dict_type", "string_pattern_mismatch") else None
    return f"That is: {field.description.rstrip('.')}." if field is not None and field.description else None


def _named_in(fault: Fault) -> DataPath:
    """The key that a check of several values puts the blame on (see `PydanticCustomError` in the models)."""
    return (fault["ctx"]["at"],) if "at" in fault.get("ctx", {}) else ()


def dotted(path: DataPath) -> str:
    """A path as it is named in messages."""
    return ".".join(str(part) for part in path)
