"""Selectors: which nodes an edit is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from archspec.edits.selector import Scalar, Selector, SelectorError, SelectorParts, in_words, parts_of, plain
from archspec.graphs.graph import ArchGraph, inputs_of, known_shape, op_of, ops_of
from archspec.graphs.sides import Standing, standings
from archspec.ops import Op, Unread
from archspec.ops.shapes import FeatureMap
from archspec.text.suggest import did_you_mean

__all__ = ["Selector", "SelectorError", "SelectorParts", "idle_parts", "in_words", "parts_of", "select", "suggestion"]


def select(graph: ArchGraph, selector: str | SelectorParts) -> list[str]:
    """The nodes that match, in the graph's order; raises `SelectorError` if the selector cannot be read.

    Resolutions, sides, levels, and defaults that depend on what arrives, are known on a graph that is inferred.
    """
    parts, found = parts_of(selector), _Matcher(graph)
    return [node for node in graph if found.matches(node, parts)]


@dataclass(frozen=True)
class _Matcher:
    """Asks nodes of one graph whether they match."""

    graph: ArchGraph

    @cached_property
    def standings(self) -> dict[str, Standing]:
        return standings(self.graph)

    def matches(self, node: str, selector: str | SelectorParts) -> bool:
        parts = parts_of(selector)
        return (
            self._is_named(node, parts)
            and self._stands(node, parts)
            and (not parts.where or _has_all(self.graph, node, op_of(self.graph, node), parts.where))
            and all(self.matches(node, part) for part in parts.all or ())
            and (parts.any is None or any(self.matches(node, part) for part in parts.any))
            and (parts.but is None or not self.matches(node, parts.but))
        )

    def _is_named(self, node: str, parts: SelectorParts) -> bool:
        named = parts.id is None or fnmatchcase(node, parts.id)
        return named and (parts.op is None or op_of(self.graph, node).op == parts.op)

    def _stands(self, node: str, parts: SelectorParts) -> bool:
        if parts.resolution is not None:
            shape = known_shape(self.graph, node)
            if not (isinstance(shape, FeatureMap) and shape.size == parts.resolution):
                return False
        if parts.level is None and parts.side is None:
            return True
        here = self.standings[node]
        return parts.level in (None, here.level) and parts.side in (None, here.side)


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


def idle_parts(graph: ArchGraph, selector: str | SelectorParts) -> list[SelectorParts]:
    """The parts that an `or` in a selector joins and that match nothing, each taken alone."""
    parts = parts_of(selector)
    found = [parts_of(part) for part in parts.any or () if not select(graph, part)]
    matching = [part for part in parts.any or () if parts_of(part) not in found]
    inner = [*matching, *(parts.all or ()), *((parts.but,) if parts.but is not None else ())]
    return [*found, *(idle for part in inner for idle in idle_parts(graph, part))]


def suggestion(graph: ArchGraph, selector: str | SelectorParts) -> str:
    """What to write instead of a selector that matches nothing."""
    parts = parts_of(selector)
    for part in (*(parts.all or ()), *(parts.any or ())):
        if not select(graph, part):
            inner = suggestion(graph, part)
            return inner if parts_of(part).all or parts_of(part).any else f"`{in_words(part)}`: {inner}"
    if parts.all or parts.any or parts.but is not None:
        return "Each part matches something, but no node matches all of it."
    name = parts.id or parts.op
    ops = list(dict.fromkeys(op.op for _, op in ops_of(graph) if not isinstance(op, Unread)))
    alone = select(graph, SelectorParts(id=parts.id, op=parts.op))
    if alone:
        return _narrowed_too_far(graph, alone, parts)
    close = _meant(graph, name, [*graph, *ops]) if name is not None else None
    return close or f"Operations here: {', '.join(ops)}; `ushape show` lists the ids."


#: Words for parts of a U-Net that are no selectors, and the selectors that they stand for.
_PARTS = {
    "middle": "mid.*", "bottleneck": "mid.*", "encoder": "down.*", "decoder": "up.*", "skip": "concat",
    "skips": "concat", "attention_blocks": "attention", "attention_levels": "attention", "time": "time_embedding",
}  # fmt: skip


def _meant(graph: ArchGraph, name: str, known: Iterable[str]) -> str | None:
    """The selector that was probably meant: of a word for a part, of a pattern that stops short, or of a typo."""
    for meant in (_PARTS.get(name), f"{name}.*"):
        if meant is not None and select(graph, SelectorParts(id=meant) if "*" in meant else SelectorParts(op=meant)):
            return f"Did you mean `{meant}`?"
    return did_you_mean(name, known)


def _narrowed_too_far(graph: ArchGraph, nodes: list[str], parts: SelectorParts) -> str:
    known = list(dict.fromkeys(key for node in nodes for key in type(op_of(graph, node)).model_fields if key != "op"))
    for key in parts.where:
        if key not in known:
            return did_you_mean(key, known) or f"The parameters there: {', '.join(known) or 'none'}."
    shapes = [known_shape(graph, node) for node in nodes]
    sizes = sorted({shape.size for shape in shapes if isinstance(shape, FeatureMap)}, reverse=True)
    if parts.resolution is not None and parts.resolution not in sizes:
        return f"Such nodes stand at {', '.join(map(str, sizes))}." if sizes else "Such nodes have no size."
    if parts.level is not None or parts.side is not None:
        return _other_standings(graph, nodes, parts)
    if len(parts.where) == 1:
        key, *_ = parts.where
        return f"`{key}` is {_values(graph, nodes, key)} there."
    return "No such node has all of these parameters."


def _other_standings(graph: ArchGraph, nodes: list[str], parts: SelectorParts) -> str:
    known = standings(graph)
    levels = sorted({level for node in nodes if (level := known[node].level) is not None})
    sides = list(dict.fromkeys(side for node in nodes if (side := known[node].side) is not None))
    if parts.level is not None and parts.level not in levels:
        return f"The levels there: {', '.join(map(str, levels)) or 'none'}."
    if parts.side is not None and parts.side not in sides:
        return f"The sides there: {', '.join(sides) or 'none'}."
    return "No such node has this side and this level."


def _values(graph: ArchGraph, nodes: list[str], key: str) -> str:
    found = [_resolved(graph, node, op_of(graph, node)).get(key) for node in nodes]
    return ", ".join(dict.fromkeys(map(plain, found)))
