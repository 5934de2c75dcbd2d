"""How the weights of one layout stand for those of another: pieces that convert in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Size, Tensor

from archspec import ArchGraph, Problem, UserError
from archspec.text.errors import merged
from builder.assemble import assemble

State: TypeAlias = Mapping[str, Tensor]
Shapes: TypeAlias = Mapping[str, Size]
Tensors: TypeAlias = tuple[Tensor, ...]


@dataclass(frozen=True)
class Piece:
    """Weights that belong together.

    Attributes:
        ours: our keys; none for weights that only the other side has.
        theirs: the keys there.
        shapes: the shapes there.
        pack: our tensors -> theirs.
        unpack: the inverse; may raise `UserError` where their values cannot be said here.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    shapes: tuple[Size, ...]
    pack: Callable[[Tensors], Tensors]
    unpack: Callable[[Tensors], Tensors]


def own_shapes(architecture: ArchGraph) -> dict[str, Size]:
    """Our keys -> shapes, in the order of the compiled model's `state_dict`."""
    with torch.device("meta"):
        return {key: value.shape for key, value in assemble(architecture).state_dict().items()}


def plain(ours: str, theirs: str, shape: Size, their_shape: Size | None = None) -> Piece:
    """The same numbers under another name and perhaps in another shape."""
    there = shape if their_shape is None else their_shape
    return Piece(
        (ours,),
        (theirs,),
        (there,),
        lambda given: (given[0].reshape(there),),
        lambda given: (given[0].reshape(shape),),
    )


@dataclass(frozen=True)
class Side:
    """Where the rows of projections to q, k and v are: under one key or three, in which shapes, in which order."""

    keys: tuple[str, ...]
    shapes: tuple[Size, ...]
    per_head: bool = False


def projections(ours: Side, theirs: Side, heads: int) -> Piece:
    """The projections to q, k and v: apart or together, and the rows together as q | k | v or head by head."""
    return Piece(
        ours.keys,
        theirs.keys,
        theirs.shapes,
        lambda given: _rows(given, ours, theirs, heads),
        lambda given: _rows(given, theirs, ours, heads),
    )


def _rows(given: Tensors, source: Side, target: Side, heads: int) -> Tensors:
    rows = torch.cat([part.flatten(1) if part.ndim > 1 else part for part in given])
    if source.per_head != target.per_head:
        parts = (heads, 3) if source.per_head else (3, heads)
        rows = rows.reshape(*parts, -1, *rows.shape[1:]).transpose(0, 1).reshape(rows.shape)
    return tuple(part.reshape(size) for part, size in zip(rows.chunk(len(target.keys)), target.shapes, strict=True))


def packed(pieces: Iterable[Piece], shapes: Shapes, state: State) -> dict[str, Tensor]:
    """Our weights as theirs; `UserError` if `state` does not have exactly our keys and shapes."""
    check(shapes, state)
    result: dict[str, Tensor] = {}
    for piece in pieces:
        result.update(zip(piece.theirs, piece.pack(tuple(state[key] for key in piece.ours)), strict=True))
    return result


def unpacked(pieces: Iterable[Piece], shapes: Shapes, state: State) -> dict[str, Tensor]:
    """Their weights as ours, in our order; `UserError` if `state` does not have exactly their keys and shapes."""
    pieces = list(pieces)
    check(expected(pieces), state)
    result: dict[str, Tensor] = {}
    for piece in pieces:
        result.update(zip(piece.ours, piece.unpack(tuple(state[key] for key in piece.theirs)), strict=True))
    return {key: result[key] for key in shapes}


def expected(pieces: Iterable[Piece]) -> dict[str, Size]:
    """Their keys -> shapes."""
    return {key: size for piece in pieces for key, size in zip(piece.theirs, piece.shapes, strict=True)}


def check(shapes: Shapes, state: State) -> None:
    """`UserError` with everything that is missing, has no place, or has another shape."""
    problems = list(misfits(shapes, state))
    if problems:
        raise UserError(merged(problems))


def misfits(shapes: Shapes, state: State) -> Iterator[Problem]:
    """Everything that is missing, has no place, or has another shape."""
    for key in sorted(shapes.keys() - state.keys()):
        yield wrong(key, "this weight is missing.")
    for key in sorted(state.keys() - shapes.keys()):
        yield wrong(key, "this weight has no place in the architecture.")
    for key in sorted(shapes.keys() & state.keys()):
        if state[key].shape != shapes[key]:
            yield wrong(key, f"this weight has the shape {list(state[key].shape)}, not {list(shapes[key])}.")


def wrong(key: str, message: str, count: int = 1) -> Problem:
    """A problem about a weight."""
    return Problem(code="U090", message=message, node=key, count=count)
