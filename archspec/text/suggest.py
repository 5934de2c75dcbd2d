"""Did you mean: names that are close to what was written, and what a model knows at a place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archspec.text.fields import Form

#: Beyond this many known names or letters no close one is looked for: it would take too long.
_MOST_NAMES = 1_000
_MOST_LETTERS = 80

Location = tuple[str | int, ...]


#: So close must a word be that it can be corrected without asking, and no other as close.
_CERTAIN = 0.75


class Suggestion(str):
    """A hint ``Did you mean …?`` that is certain: exactly one known word is close to what was written.

    Attributes:
        written: what stands in the text.
        meant: what should stand there.
    """

    __slots__ = ("meant", "written")

    written: str
    meant: str

    def __new__(cls, written: str, meant: str) -> Suggestion:
        """The hint for one word."""
        made = super().__new__(cls, f"Did you mean `{meant}`?")
        made.written, made.meant = written, meant
        return made

    def __reduce__(self) -> tuple[type[Suggestion], tuple[str, str]]:
        """For pickle and copy."""
        return Suggestion, (self.written, self.meant)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """``Did you mean `x`?`` for the closest known word, or None if none is close; a `Suggestion` if it is certain."""
    if len(word) > _MOST_LETTERS:
        return None
    names = [str(name) for name in islice(known, _MOST_NAMES)]
    lowered = {name.lower(): name for name in names}
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6) or [
        lowered[match] for match in difflib.get_close_matches(word.lower(), list(lowered), n=2, cutoff=0.6)
    ]
    if not close:
        return None
    near = [name for name in close if difflib.SequenceMatcher(None, name.lower(), word.lower()).ratio() >= _CERTAIN]
    certain = near == close[:1] and _without_digits(word) != _without_digits(close[0])
    return Suggestion(word, close[0]) if certain else f"Did you mean `{close[0]}`?"


def _without_digits(word: str) -> str:
    """Another number is another node, and no slip."""
    return re.sub(r"[0-9]", "", word)


def models_at(model: type[BaseModel], loc: Location) -> list[type[BaseModel]]:
    """The models that a location of a validation error can lie in; several where there is a union."""
    candidates = [model]
    for part in loc:
        inner = [m for c in candidates for m in _models_in(_annotation(c, part))]
        # A part can be the tag of a union's member, or a key that one member alone has.
        tagged = [c for c in candidates if _is_tag(c, part)]
        candidates = inner or tagged or [c for c in candidates if _has_key(c, part)] or candidates
    return candidates


def _is_tag(model: type[BaseModel], part: str | int) -> bool:
    """Whether a model has a field that can only be `part`."""
    return any(get_args(info.annotation) == (part,) for info in model.model_fields.values())


def _has_key(model: type[BaseModel], part: str | int) -> bool:
    return any(part == key_of(name, info) for name, info in model.model_fields.items())


def known_keys(model: type[BaseModel], loc: Location) -> list[str]:
    """The keys that a model knows at a location, in their order of definition."""
    found = (key_of(name, info) for c in models_at(model, loc) for name, info in c.model_fields.items())
    return list(dict.fromkeys(found))


def field_at(model: type[BaseModel], loc: Location) -> FieldInfo | None:
    """The field that a location of a validation error names, or lies in; None if there is none."""
    for end in range(len(loc), 0, -1):
        for candidate in models_at(model, loc[: end - 1]):
            for name, info in candidate.model_fields.items():
                if loc[end - 1] == key_of(name, info):
                    return info
    return None


def unknown_key_hint(model: type[BaseModel], loc: Location) -> str:
    """What to do about a key that is not known at ``loc[:-1]``."""
    key, known = str(loc[-1]), known_keys(model, loc[:-1])
    here = models_at(model, loc[:-1])
    for candidate in here:
        if issubclass(candidate, Form) and key in candidate.OTHER_NAMES:
            return candidate.OTHER_NAMES[key]
    close = did_you_mean(key, known)
    if close:
        return close
    inside = [
        key_of(name, info)
        for candidate in here
        for name, info in candidate.model_fields.items()
        if any(key in known_keys(inner, ()) for inner in _models_in(info.annotation))
    ]
    return f"It belongs under `{inside[0]}`." if inside else f"Known keys: {', '.join(known)}."


def key_of(name: str, info: FieldInfo) -> str:
    """How a field is written."""
    return info.alias or name


def _annotation(model: type[BaseModel], part: str | int) -> Any:
    for name, info in model.model_fields.items():
        if part == key_of(name, info):
            return info.annotation
    return None


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in get_args(annotation):
        yield from _models_in(argument)
