"""Thousands of architectures as data that a page draws: what a block says is kept once, and a U once for all alike.

Architectures of one study differ in few ways. A block is an operation and the shapes that enter it; its words, shape
and price are found once. Of architectures with the same nodes, edges, kinds of operation and resolutions, one is drawn;
for the others only the words in the boxes are exchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import chain
from operator import itemgetter
from typing import Any, TypeAlias

from archspec import Price, UserError, from_document
from archspec.ops import Input, Op
from archspec.ops.shapes import FeatureMap, Shape
from archspec.ops.table import read_op
from archspec.text.positions import NOWHERE
from reports.figures.unet_labels import block_label, block_words
from reports.figures.unet_svg import unet_form
from reports.figures.unet_units import Network

MOST_BLOCKS, MOST_FORMS = 20_000, 250
"""A block takes about 0.1 ms, a form about 10 ms: beyond so many, only what is made of known ones can be drawn."""


_Key: TypeAlias = tuple[Hashable, tuple[str, ...], tuple[int, ...]]
"""Of a block: its operation as it is written, its ports and the numbers of the shapes there."""


@dataclass(frozen=True)
class Entry:
    """One architecture: its form and the block in each of its nodes, as numbers."""

    form: int
    blocks: tuple[int, ...]
    price: Price


@dataclass(frozen=True)
class _Block:
    number: int
    shape: int
    look: int
    """Equal for blocks that are drawn alike, but for their words."""
    price: Price


@dataclass(frozen=True)
class _Wiring:
    """The nodes of a graph in an order of computation: each one's place, its ports, and how to find what fills them."""

    number: int
    steps: tuple[tuple[int, tuple[str, ...], Callable[[list[int]], tuple[int, ...]]], ...]


class _UndrawableError(Exception):
    """Of another version of the vocabulary, damaged, or one too many."""


class Catalogue:
    """The blocks and forms of a study's architectures."""

    def __init__(self, most_blocks: int | None = None, most_forms: int | None = None) -> None:
        self.blocks: list[list[str]] = []
        """Label, words in full, and marks of the operation as written, as meant and of what passes through."""
        self.forms: list[tuple[str, list[str]]] = []
        """SVG without words, and the nodes whose blocks an entry lists."""
        self._most = (most_blocks or MOST_BLOCKS, most_forms or MOST_FORMS)
        self._known: dict[_Key, _Block] = {}
        self._wirings: dict[tuple[Any, ...], _Wiring | None] = {}
        self._form_of: dict[tuple[Any, ...], int | None] = {}
        self._shapes: dict[Shape, int] = {}
        self._shape: list[Shape] = []
        self._looks: dict[tuple[Any, ...], int] = {}

    def add(self, document: Mapping[str, Any]) -> Entry | None:
        """Take in an architecture, given in full; None if it can not be drawn."""
        try:
            return self._entry(document)
        except (_UndrawableError, UserError, KeyError, TypeError, ValueError, AttributeError):
            # Damaged, or of another version of the vocabulary: its numbers stand, only its picture is missing.
            return None

    def _entry(self, document: Mapping[str, Any]) -> Entry:
        nodes: dict[str, dict[str, Any]] = document["graph"]["nodes"]
        wiring, data = self._wiring(nodes, document["graph"]["edges"]), list(nodes.values())
        shapes, numbers, looks = ([0] * len(data) for _ in range(3))
        parameters = macs = 0
        known = self._known
        for at, ports, arriving in wiring.steps:
            key = (_written(data[at]), ports, arriving(shapes))
            block = known.get(key) or self._add_block(key, data[at])
            shapes[at], numbers[at], looks[at] = block.shape, block.number, block.look
            parameters += block.price.parameters
            macs += block.price.macs
        form = self._form((wiring.number, *looks), document)
        return Entry(form, tuple(numbers), Price(parameters, macs))

    def _wiring(self, nodes: Mapping[str, Any], edges: list[list[str]]) -> _Wiring:
        key = (tuple(nodes), *chain.from_iterable(edges))
        if key not in self._wirings:
            self._wirings[key] = _wired(len(self._wirings), list(nodes), edges)
        found = self._wirings[key]
        if found is None:
            raise _UndrawableError
        return found

    def _add_block(self, key: _Key, data: dict[str, Any]) -> _Block:
        if len(self.blocks) >= self._most[0]:
            raise _UndrawableError
        _, ports, arriving = key
        op, _ = read_op(data, NOWHERE)
        given = dict(zip(ports, (self._shape[shape] for shape in arriving), strict=True))
        inputs = None if op is None else _in_order(op, given)
        if op is None or inputs is None:
            raise _UndrawableError
        self._known[key] = self._block(op, inputs)
        return self._known[key]

    def _block(self, op: Op, inputs: dict[str, Shape]) -> _Block:
        shape, price = op.shape(inputs), op.price(inputs)
        label = block_label(op, inputs, shape)
        meant, flow = sorted(op.canonical(inputs).items()), [*((p, str(s)) for p, s in inputs.items()), str(shape)]
        marks = tuple(_mark_of(repr(value)) for value in (op.model_dump(mode="json"), meant, flow))
        self.blocks.append([label, block_words(op, shape, price), *marks])
        size = shape.size if isinstance(shape, FeatureMap) else 0
        look = (op.op, size, str(shape) if isinstance(op, Input) else "")
        if shape not in self._shapes:
            self._shapes[shape] = len(self._shape)
            self._shape.append(shape)
        number = len(self.blocks) - 1
        return _Block(number, self._shapes[shape], self._looks.setdefault(look, len(self._looks)), price)

    def _form(self, key: tuple[Any, ...], document: Mapping[str, Any]) -> int:
        if key not in self._form_of:
            if len(self.forms) >= self._most[1]:
                raise _UndrawableError
            self._form_of[key] = None
            network = Network(from_document(dict(document)))
            self.forms.append((str(unet_form(network)), list(document["graph"]["nodes"])))
            self._form_of[key] = len(self.forms) - 1
        found = self._form_of[key]
        if found is None:
            raise _UndrawableError
        return found


def _wired(number: int, nodes: list[str], edges: list[list[str]]) -> _Wiring | None:
    place = {node: at for at, node in enumerate(nodes)}
    filled: list[dict[str, int]] = [{} for _ in nodes]
    for source, target, port in edges:
        filled[place[target]][port] = place[source]
    try:
        order = list(TopologicalSorter({at: ports.values() for at, ports in enumerate(filled)}).static_order())
    except CycleError:
        return None
    return _Wiring(number, tuple((at, tuple(filled[at]), _picker(list(filled[at].values()))) for at in order))


def _written(data: dict[str, Any]) -> Hashable:
    """An operation as a key: its items, which cost less than their text, where none holds a list."""
    return tuple(data.items()) if _HOLDERS.isdisjoint(map(type, data.values())) else repr(data)


_HOLDERS = frozenset((list, dict))


def _picker(places: list[int]) -> Callable[[list[int]], tuple[int, ...]]:
    """What takes the values at these places out of a list."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[place] for place in places])


def _in_order(op: Op, given: dict[str, Shape]) -> dict[str, Shape] | None:
    """The inputs in the order of the operation's ports; None if it can not take them."""
    ports = op.ports()
    takes = {port.name: port.takes for port in ports}
    if any(port.required and port.name not in given for port in ports):
        return None
    if any(name not in takes or not isinstance(shape, takes[name]) for name, shape in given.items()):
        return None
    inputs = {port.name: given[port.name] for port in ports if port.name in given}
    return None if any(True for _ in op.misfits(inputs)) else inputs


def _mark_of(text: str) -> str:
    """A short mark, equal where the texts are."""
    return f"{zlib.crc32(text.encode()):x}"
