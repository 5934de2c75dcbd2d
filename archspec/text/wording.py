"""What pydantic found wrong with a value, said as a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archspec.text.suggest import did_you_mean

_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def shown(value: Any) -> str:
    """A value as it would stand in the file, shortened."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def sentence(fault: Mapping[str, Any]) -> tuple[str, str | None]:
    """(what must be, a hint or None) for one error of pydantic; the first goes on from ```name` …``."""
    kind, context, value = fault["type"], fault.get("ctx", {}), fault["input"]
    if kind == "literal_error":
        return _choice(str(context["expected"]), value)
    if kind in ("too_short", "string_too_short") and context["min_length"] == 1:
        return "must not be empty", None
    if kind == "string_pattern_mismatch":
        return f"cannot be {shown(value)}", None  # a regular expression says nothing to most readers
    for known, (must, hint) in _KINDS.items():
        if kind.startswith(known):
            numbers = {key: f"{item:g}" if isinstance(item, float) else item for key, item in context.items()}
            counted = "actual_length" in context or kind in ("string_too_short", "string_too_long")
            given = context.get("actual_length") or len(value) if counted else shown(value)
            return f"must {must.format(**numbers)}, not {given}", hint(value)
    message = str(fault["msg"])
    return message[:1].lower() + message[1:].removesuffix("."), context.get("hint")


def _choice(expected: str, value: Any) -> tuple[str, str]:
    named = [part.strip() for part in expected.replace(" or ", ", ").split(",")]
    choices = [{"True": "true", "False": "false"}.get(part, part.strip("'")) for part in named]
    hint = did_you_mean(str(value), choices) if isinstance(value, str) else None
    if len(choices) == 1:
        return f"must be {choices[0]}, not {shown(value)}", f"Write {choices[0]}."
    return f"cannot be {shown(value)}", hint or f"Choices: {', '.join(choices)}."


def first_few(words: Sequence[str], most: int = 3) -> str:
    """The first words, and how many more there are."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return f"{', '.join(words[:most])}{more}"


def a_or_an(word: str) -> str:
    """The word with its article."""
    return f"{'an' if word[0] in 'aeiou' or word == 'mlp' else 'a'} {word}"


def _no_hint(value: Any) -> None:
    del value


def _unquoted(value: Any) -> str | None:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return "Write it without quotes." if isinstance(value, str) else None


def _as_flag(value: Any) -> str | None:
    word = _WORDS.get(str(value).lower())
    return f"Write {word}." if word else None


def _quoted(value: Any) -> str | None:
    return f'Put it in quotes: "{shown(value)}".' if isinstance(value, int | float | bool) else None


def _as_mapping(value: Any) -> str | None:
    key, space, rest = value.partition(" ") if isinstance(value, str) else ("", "", "")
    return f"Write `{key}: {rest}`." if space and key.isidentifier() and len(value) < 60 else None


def _bracketed(value: Any) -> str | None:
    if isinstance(value, dict) and len(value) == 1:
        return f"Write `- ` before it, for a list of one: `- {next(iter(value))}: …`."
    if isinstance(value, str) and value and all(part.strip() for part in value.split(",")) and len(value) < 60:
        return f"Write [{', '.join(part.strip() for part in value.split(','))}]."
    return f"Write [{value}]." if isinstance(value, int | float) and not isinstance(value, bool) else None


#: Beginning of pydantic's error type -> what the value must be, and what to do about the one that is there.
_KINDS: dict[str, tuple[str, Callable[[Any], str | None]]] = {
    "int_parsing_size": ("be a smaller number", _no_hint),
    "int_": ("be a whole number", _unquoted),
    "float_": ("be a number", _unquoted),
    "finite_number": ("be a finite number", _no_hint),
    "bool_": ("be true or false", _as_flag),
    "string_type": ("be text", _quoted),
    "string_too_short": ("have at least {min_length} letters", _no_hint),
    "string_too_long": ("have at most {max_length} letters", _no_hint),
    "greater_than_equal": ("be at least {ge}", _no_hint),
    "less_than_equal": ("be at most {le}", _no_hint),
    "greater_than": ("be more than {gt}", _no_hint),
    "less_than": ("be less than {lt}", _no_hint),
    "multiple_of": ("be a multiple of {multiple_of}", _no_hint),
    "tuple_type": ("be a list", _bracketed),
    "list_type": ("be a list", _bracketed),
    "dict_type": ("be a mapping of keys to values", _no_hint),
    "model_type": ("be a mapping of keys to values", _as_mapping),
    "too_short": ("have at least {min_length} values", _no_hint),
    "too_long": ("have at most {max_length} values", _no_hint),
}
