"""Selectors: which nodes an edit is about."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag, ValidationError
from pydantic_core import PydanticCustomError

from archspec.fields import Form, Width
from archspec.graph import ArchGraph, inputs_of, known_shape, op_of, ops_of
from archspec.ops import OPS, Op, Unread
from archspec.shapes import FeatureMap
from archspec.suggest import did_you_mean

_TEXT = re.compile(r"(?P<name>[^\s\[\]@]+)\s*(\[(?P<where>[^\[\]]*)\])?\s*(@\s*(?P<resolution>[0-9]{1,9}))?", re.ASCII)

Scalar = str | int | float | bool | None


class SelectorParts(Form):
    """A selector in parts; all of them must hold."""

    id: str | None = Field(None, description="node id, or a pattern: * stands for any characters, dots included")
    op: str | None = Field(None, description="operation")
    resolution: Width | None = Field(None, description="size of the node's output in pixels")
    where: dict[str, Scalar] = Field(default_factory=dict, description="parameters that the operation must have")


class SelectorError(ValueError):
    """A selector that cannot be read."""


def parts_of(selector: str | SelectorParts) -> SelectorParts:
    """A selector in parts; raises `SelectorError` if the text is not one."""
    if isinstance(selector, SelectorParts):
        return selector
    if not selector.strip():
        raise SelectorError("it is empty")
    match = _TEXT.fullmatch(selector.strip())
    if match is None:
        raise SelectorError(f"`{selector}` cannot be read as a selector")
    name, resolution = match["name"], match["resolution"]
    where = dict(_pair(item, selector) for item in (match["where"] or "").split(",") if item.strip())
    kind = {"op": name} if name in OPS else {"id": name}
    try:
        return SelectorParts(**kind, resolution=int(resolution) if resolution else None, where=where)
    except ValidationError:
        raise SelectorError(f"no map of `{selector}` has {resolution} pixels") from None


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


def _readable(text: str) -> str:
    try:
        parts_of(text)
    except SelectorError as fault:
        hint = "Write an id, a pattern such as down.*.attn.*, an operation, op[key=value], or op @ 16."
        raise PydanticCustomError("U304", "is no selector: {fault}", {"fault": str(fault), "hint": hint}) from None
    return text


def _kind(value: object) -> str:
    return "<parts>" if isinstance(value, dict | SelectorParts) else "<text>"


Selector = Annotated[
    Annotated[str, StringConstraints(max_length=500), AfterValidator(_readable), Tag("<text>")]
    | Annotated[SelectorParts, Tag("<parts>")],
    Discriminator(_kind),
    Field(
        description="a node id, a pattern (`down.*.attn.*`) or an operation (`attention`), optionally with parameters "
        "(`attention[type=linear]`) and a resolution (`attention @ 16`); or the same in parts"
    ),
]


def select(graph: ArchGraph, selector: str | SelectorParts) -> list[str]:
    """The nodes that match, in the graph's order; raises `SelectorError` if the selector cannot be read.

    Resolutions, and defaults that depend on what arrives, are known on a graph that is inferred.
    """
    parts = parts_of(selector)
    return [node for node in graph if _matches(graph, node, parts)]


def _matches(graph: ArchGraph, node: str, parts: SelectorParts) -> bool:
    op = op_of(graph, node)
    if parts.id is not None and not fnmatchcase(node, parts.id):
        return False
    if parts.op is not None and op.op != parts.op:
        return False
    if parts.resolution is not None:
        shape = known_shape(graph, node)
        if not (isinstance(shape, FeatureMap) and shape.size == parts.resolution):
            return False
    return not parts.where or _has_all(graph, node, op, parts.where)


def _has_all(graph: ArchGraph, node: str, op: Op, where: dict[str, Scalar]) -> bool:
    """Whether a node has these parameters, as written or with its defaults resolved (`heads=1` finds the default)."""
    written, resolved = op.model_dump(mode="json"), _resolved(graph, node, op)
    return all(
        key in written and any(_same(given[key], value) for given in (written, resolved) if key in given)
        for key, value in where.items()
    )


def _resolved(graph: ArchGraph, node: str, op: Op) -> dict[str, Any]:
    inputs = {port: shape for port, source in inputs_of(graph, node).items() if (shape := known_shape(graph, source))}
    return op.canonical(inputs) if known_shape(graph, node) is not None else {}


def _same(given: Any, value: Scalar) -> bool:
    return bool(given == value) and isinstance(given, bool) == isinstance(value, bool)


def suggestion(graph: ArchGraph, selector: str | SelectorParts) -> str:
    """What to write instead of a selector that matches nothing."""
    parts = parts_of(selector)
    name = parts.id or parts.op
    ops = list(dict.fromkeys(op.op for _, op in ops_of(graph) if not isinstance(op, Unread)))
    alone = [node for node in graph if _matches(graph, node, SelectorParts(id=parts.id, op=parts.op))]
    if alone:
        return _narrowed_too_far(graph, alone, parts)
    close = did_you_mean(name, [*graph, *ops]) if name is not None else None
    return close or f"Operations here: {', '.join(ops)}; `ushape show` lists the ids."


def _narrowed_too_far(graph: ArchGraph, nodes: list[str], parts: SelectorParts) -> str:
    known = list(dict.fromkeys(key for node in nodes for key in type(op_of(graph, node)).model_fields if key != "op"))
    for key in parts.where:
        if key not in known:
            return did_you_mean(key, known) or f"The parameters there: {', '.join(known) or 'none'}."
    shapes = [known_shape(graph, node) for node in nodes]
    sizes = sorted({shape.size for shape in shapes if isinstance(shape, FeatureMap)}, reverse=True)
    if parts.resolution is not None and parts.resolution not in sizes:
        return f"Such nodes stand at {', '.join(map(str, sizes))}." if sizes else "Such nodes have no size."
    if len(parts.where) == 1:
        key, *_ = parts.where
        return f"`{key}` is {_values(graph, nodes, key)} there."
    return "No such node has all of these parameters."


def _values(graph: ArchGraph, nodes: list[str], key: str) -> str:
    found = [_resolved(graph, node, op_of(graph, node)).get(key) for node in nodes]
    words = {"True": "true", "False": "false", "None": "null"}
    return ", ".join(dict.fromkeys(words.get(str(value), str(value)) for value in found))
