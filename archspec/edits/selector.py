"""Selectors as they are written: a text, or its parts. What they select is in `archspec.edits.select`.

A text is a node id, a pattern (``down.*.attn.*``), an operation (``attention``), parameters (``[type=linear]``), a
resolution (``@ 16``) or several of these in a row; or ``level=1``, ``side=up``; joined by ``and``, ``or``, ``not`` and
parentheses, where ``not`` binds closest and ``or`` least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from archspec.graphs.sides import SIDES, Side
from archspec.ops import OPS
from archspec.text.fields import Form, Width
from archspec.text.suggest import did_you_mean
from archspec.text.wording import shown

Scalar = str | int | float | bool | None

_NAME, _WHERE, _AT = r"(?P<name>[^\s\[\]@()]+)", r"\[(?P<where>[^\[\]]*)\]", r"@\s*(?P<resolution>[0-9]{1,9})(?![0-9])"
_TOKEN = re.compile(
    rf"(?P<mark>[()])|(?P<word>and|or|not)(?=[\s()]|$)|(?=[^\s])(?:{_NAME}\s*)?(?:{_WHERE}\s*)?(?:{_AT})?", re.ASCII
)
_MOST_DEPTH = 20


class SelectorError(ValueError):
    """A selector that cannot be read."""


def _kind(value: object) -> str:
    return "<parts>" if isinstance(value, dict | SelectorParts) else "<text>"


def _readable(text: str) -> str:
    try:
        parts_of(text)
    except SelectorError as fault:
        hint = "Write an id, a pattern such as down.*.attn.*, an operation, op[key=value], or op @ 16; or level=1 or "
        hint += "side=up; joined by and, or, not."
        raise PydanticCustomError("U304", "is no selector: {fault}", {"fault": str(fault), "hint": hint}) from None
    return text


def _no_list(value: object) -> object:
    """To YAML what stands in brackets is a list, which is no selector; several are joined by `or`."""
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        bare = all("=" in item for item in value)
        hint = f'Put it in quotes: "[{", ".join(value)}]".' if bare else f"Join them by or: {' or '.join(value)}."
        raise PydanticCustomError("U012", "must be text, not a list", {"hint": hint if len(hint) < 200 else None})
    return value


def _one_value(value: object) -> object:
    if not isinstance(value, Scalar):
        raise PydanticCustomError(
            "U012", "must be text, a number, true, false or null, not {value}", {"value": shown(value)}
        )
    return value


class SelectorParts(Form):
    """A selector in parts; all of them must hold."""

    id: str | None = Field(None, description="node id, or a pattern: * stands for any characters, dots included")
    op: str | None = Field(None, description="operation")
    resolution: Width | None = Field(None, description="size of the node's output in pixels")
    level: Annotated[int, Field(strict=True, ge=0, le=1_000)] | None = Field(
        None, description="level of the U: as the id says, else 0 for the largest maps and so on"
    )
    side: Side | None = Field(None, description="side of the U: as the id says, else by the graph")
    where: dict[str, Annotated[Scalar, BeforeValidator(_one_value)]] = Field(
        default_factory=dict, description="parameters that the operation must have"
    )
    any: tuple[Selector, ...] | None = Field(None, min_length=1, description="selectors of which one must hold")
    all: tuple[Selector, ...] | None = Field(None, min_length=1, description="selectors that must all hold")
    but: Selector | None = Field(None, alias="not", description="a selector that must not hold")


Selector = Annotated[
    Annotated[
        str, StringConstraints(max_length=500), AfterValidator(_readable), BeforeValidator(_no_list), Tag("<text>")
    ]
    | Annotated[SelectorParts, Tag("<parts>")],
    Discriminator(_kind),
    Field(
        description="a node id, a pattern (`down.*.attn.*`) or an operation (`attention`), optionally with parameters "
        "(`attention[type=linear]`) and a resolution (`attention @ 16`); level=1, side=up; joined by and, or, not; or "
        "the same in parts"
    ),
]

SelectorParts.model_rebuild()


def parts_of(selector: str | SelectorParts) -> SelectorParts:
    """A selector in parts; raises `SelectorError` if the text is not one."""
    if isinstance(selector, SelectorParts):
        return selector
    return _read(selector)


@lru_cache(maxsize=256)
def _read(text: str) -> SelectorParts:
    if not text.strip():
        raise SelectorError("it is empty")
    return _Parser(text).whole()


class _Token(NamedTuple):
    """``(``, ``)``, ``and``, ``or``, ``not``, or what a simple selector says."""

    kind: str
    text: str
    said: dict[str, str | None]


class _Parser:
    """Reads one text by descent."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokens(text.rstrip()))
        self.at = 0

    def _tokens(self, text: str) -> Iterator[_Token]:
        start = 0
        while start < len(text):
            if text[start].isspace():
                start += 1
                continue
            match = _TOKEN.match(text, start)
            if match is None or match.end() == start:
                raise self._unreadable()
            kind = match["mark"] or match["word"] or "selector"
            yield _Token(kind, match[0].strip(), match.groupdict())
            start = match.end()

    def _unreadable(self, why: str = "") -> SelectorError:
        return SelectorError(f"`{self.text}` cannot be read as a selector{why}")

    def _next(self, *kinds: str) -> _Token | None:
        """The next token, taken, if it is one of these."""
        if self.at < len(self.tokens) and self.tokens[self.at].kind in kinds:
            self.at += 1
            return self.tokens[self.at - 1]
        return None

    def whole(self) -> SelectorParts:
        found = self._choice(0)
        if self.at < len(self.tokens):
            raise self._unreadable(": `)` closes nothing" if self.tokens[self.at].kind == ")" else "")
        return found

    def _choice(self, depth: int) -> SelectorParts:
        if depth > _MOST_DEPTH:
            raise self._unreadable(": it is nested too deeply")
        found = [self._joint(depth)]
        while self._next("or"):
            found.append(self._joint(depth))
        return found[0] if len(found) == 1 else SelectorParts(any=tuple(found))

    def _joint(self, depth: int) -> SelectorParts:
        found = [self._factor(depth)]
        while self._next("and"):
            found.append(self._factor(depth))
        return found[0] if len(found) == 1 else SelectorParts(all=tuple(found))

    def _factor(self, depth: int) -> SelectorParts:
        if depth > _MOST_DEPTH:
            raise self._unreadable(": it is nested too deeply")
        token = self._next("not", "(", "selector")
        if token is None:
            after = f" after `{self.tokens[self.at - 1].text}`" if self.at else " at its beginning"
            raise self._unreadable(f": a selector is missing{after}")
        if token.kind == "not":
            return SelectorParts.model_validate({"not": self._factor(depth + 1)})
        if token.kind == "selector":
            return self._simple(token)
        found = self._choice(depth + 1)
        if not self._next(")"):
            raise self._unreadable(": `)` is missing")
        return found

    def _simple(self, token: _Token) -> SelectorParts:
        name, where, resolution = (token.said[key] for key in ("name", "where", "resolution"))
        if name is not None and "=" in name:
            if where is not None or resolution is not None:
                raise self._unreadable(f": join `{name}` and the rest by `and`")
            return self._standing(name)
        size = int(resolution) if resolution else None
        if size is not None and not 1 <= size <= 65_536:
            raise SelectorError(f"no map of `{self.text}` has {resolution} pixels")
        conditions = dict(_pair(item, self.text) for item in (where or "").split(",") if item.strip())
        kind = {"op": name} if name in OPS else {"id": name}
        return SelectorParts(**kind, resolution=size, where=conditions)

    def _standing(self, condition: str) -> SelectorParts:
        key, _, value = condition.partition("=")
        if key == "level" and value.isdecimal() and len(value) < 4:
            return SelectorParts(level=int(value))
        if key == "side" and value in SIDES:
            return SelectorParts.model_validate({"side": value})
        known = {"level": "a level is a number from 0", "side": f"the sides are {', '.join(SIDES)}"}
        close = did_you_mean(key, known) or "Parameters stand in brackets, as in conv[out=64]."
        why = known.get(key) or f"there is no `{key}`. {close}"
        raise SelectorError(f"`{condition}` in `{self.text}` says nothing: {why.rstrip('.')}")


def _pair(item: str, selector: str) -> tuple[str, Scalar]:
    key, equals, value = (part.strip() for part in item.partition("="))
    if not equals:
        raise SelectorError(f"`{item.strip()}` in `{selector}` is not of the form key=value")
    return key, _scalar(value)


def _scalar(text: str) -> Scalar:
    words: dict[str, Scalar] = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def in_words(selector: str | SelectorParts) -> str:
    """A selector as a text, for titles and tables."""
    return " ".join(selector.split()) if isinstance(selector, str) else " and ".join(_conditions(selector)) or "*"


def _conditions(parts: SelectorParts) -> Iterator[str]:
    where = ", ".join(f"{key}={plain(value)}" for key, value in parts.where.items())
    name = parts.op or parts.id or ""
    simple = f"{name}{f'[{where}]' if where else ''}{f' @ {parts.resolution}' if parts.resolution else ''}".strip()
    yield from [simple] if simple else []
    yield from [parts.id] if parts.op and parts.id else []
    yield from [f"level={parts.level}"] if parts.level is not None else []
    yield from [f"side={parts.side}"] if parts.side else []
    yield from (_inner(part) for part in parts.all or ())
    if parts.any:
        choices = " or ".join(map(_inner, parts.any))
        yield f"({choices})" if len(parts.any) > 1 else choices
    if parts.but is not None:
        yield f"not {_inner(parts.but)}"


def _inner(selector: str | SelectorParts) -> str:
    """A selector inside another, in parentheses where it is more than one condition."""
    words = in_words(selector)
    whole = parts_of(words)
    return f"({words})" if whole.all or (whole.any and isinstance(selector, str)) else words


def plain(value: object) -> str:
    """A single value as it would stand in the file, without quotes."""
    return shown(value) if value is None or isinstance(value, bool) else str(value)
