"""What may vary, and the plain choices that a proposer fills in, one after another, as far as they are reached.

Knows neither optuna nor torch. A dimension with a condition (`when`), or a list whose length is another dimension
(`per_level: NAME`), is asked for only where it matters, so two points never differ in what has no meaning.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Annotated, Any

from pydantic import BeforeValidator

from search.dimension import (
    Categorical,
    Dimension,
    Integer,
    Primitive,
    Real,
    Scalar,
    Value,
    contains,
    count,
    same,
)

__all__ = [
    "Categorical", "Choose", "Dimension", "Integer", "Primitive", "Real", "Scalar", "Space", "Value", "at_random",
    "contains", "fill", "fill_in", "holds", "is_point", "length", "loops", "mutate", "needs", "order", "point",
    "primitives", "size", "value_from",
]  # fmt: skip


def _spelled_out(value: Any) -> Any:
    """A plain list is a choice."""
    return {"choice": value} if isinstance(value, list) else value


Space = dict[
    str,
    Annotated[Dimension, BeforeValidator(_spelled_out, json_schema_input_type=list[Scalar | list[Scalar]] | Dimension)],
]
#: How a value is found for a plain choice, by its name.
Choose = Callable[[str, Primitive], Scalar]


def needs(dimension: Dimension) -> set[str]:
    """The dimensions that must be known before this one can be asked for."""
    length = {dimension.per_level} if isinstance(dimension.per_level, str) else set()
    return {*(dimension.when or ()), *length}


def loops(space: Space) -> list[str] | None:
    """Dimensions whose conditions wait for each other; None if there are none."""
    sorter = TopologicalSorter({name: needs(dimension) & set(space) for name, dimension in space.items()})
    try:
        sorter.prepare()
    except CycleError as error:
        return list(error.args[1])
    return None


def order(space: Space) -> list[str]:
    """The dimensions as the file has them, but each after those that it needs."""
    placed: dict[str, None] = {}

    def place(name: str) -> None:
        if name not in placed:
            for other in space:
                if other in needs(space[name]) and other != name:
                    place(other)
            placed[name] = None

    for name in space:
        place(name)
    return list(placed)


def holds(dimension: Dimension, values: dict[str, Value]) -> bool:
    """Whether a dimension matters, given the values of those that do and that it needs."""
    if any(name not in values for name in needs(dimension)):
        return False
    return all(_is_among(values[name], wanted) for name, wanted in (dimension.when or {}).items())


def _is_among(value: Value, wanted: Scalar | list[Scalar]) -> bool:
    """Whether a value, or one member of a list, is among those wanted."""
    choices = wanted if isinstance(wanted, list) else [wanted]
    members = value if isinstance(value, tuple) else (value,)
    return any(same(member, choice) for member in members for choice in choices)


def length(dimension: Dimension, values: dict[str, Value], levels: int) -> int:
    """How many values a list with one for each level has."""
    if not isinstance(dimension.per_level, str):
        return levels
    found = values[dimension.per_level]
    return found if isinstance(found, int) else levels


def _slots(name: str, dimension: Dimension, length: int) -> Iterator[tuple[str, Primitive]]:
    """The plain choices of one dimension, by name."""
    if dimension.subset is not None:
        for member in dimension.subset:
            yield f"{name}[{member}]", Categorical((False, True))
    elif dimension.per_level:
        for level in range(length):
            yield f"{name}[{level}]", dimension.primitive()
    else:
        yield name, dimension.primitive()


def value_from(name: str, dimension: Dimension, chosen: dict[str, Scalar], length: int) -> Value:
    """The value that the filled-in plain choices of one dimension stand for."""
    if dimension.subset is not None:
        return tuple(member for member in dimension.subset if chosen[f"{name}[{member}]"])
    if dimension.per_level:
        return tuple(_scalar(dimension.value_of(chosen[f"{name}[{level}]"])) for level in range(length))
    return dimension.value_of(chosen[name])


def _walk(space: Space, levels: int, choose: Choose) -> tuple[dict[str, Scalar], dict[str, Value]]:
    chosen: dict[str, Scalar] = {}
    values: dict[str, Value] = {}
    for name in order(space):
        dimension = space[name]
        if not holds(dimension, values):
            continue
        number = length(dimension, values, levels)
        for slot, primitive in _slots(name, dimension, number):
            chosen[slot] = choose(slot, primitive)
        values[name] = value_from(name, dimension, chosen, number)
    return chosen, values


def fill(space: Space, levels: int, choose: Choose) -> dict[str, Scalar]:
    """A point: a value for each plain choice that is reached, asked for one after another.

    Args:
        space: what varies.
        levels: number of levels of the base.
        choose: gives a value for a plain choice; called for those alone that the values so far lead to.
    """
    return _walk(space, levels, choose)[0]


def point(space: Space, chosen: dict[str, Scalar], levels: int) -> dict[str, Value]:
    """Dimension -> value, for the dimensions that matter, from what was filled in."""
    values = _walk(space, levels, lambda slot, _: chosen[slot])[1]
    return {name: values[name] for name in space if name in values}


def is_point(space: Space, chosen: dict[str, Scalar], levels: int) -> bool:
    """Whether exactly what is reached is filled in, with values that can be."""

    def choose(slot: str, primitive: Primitive) -> Scalar:
        if slot not in chosen or not contains(primitive, chosen[slot]):
            raise LookupError(slot)
        return chosen[slot]

    try:
        return set(fill(space, levels, choose)) == set(chosen)
    except LookupError:
        return False


def primitives(space: Space, levels: int) -> dict[str, Primitive]:
    """Name -> plain choice, for every one that some point reaches; `levels` is the number of levels of the base."""
    found: dict[str, Primitive] = {}
    for name, dimension in space.items():
        length = levels
        if isinstance(dimension.per_level, str) and dimension.per_level in space:
            length = max((n for n in _values_of(space[dimension.per_level]) if isinstance(n, int)), default=levels)
        found.update(_slots(name, dimension, length))
    return found


def _values_of(dimension: Dimension) -> list[Value]:
    """Every value of a dimension with finitely many and no list."""
    match dimension.primitive():
        case Categorical(choices):
            return [dimension.value_of(choice) for choice in choices]
        case Integer(low, high, step):
            return list(range(low, high + 1, step))
        case Real():
            return []


def fill_in(name: str, dimension: Dimension, value: Any, length: int) -> dict[str, Scalar] | None:
    """What to fill in so that one dimension has this value; None if it cannot have it."""
    if dimension.subset is not None:
        members = list(value) if isinstance(value, list | tuple) else [None]
        fits = all(any(same(member, known) for known in dimension.subset) for member in members)
        return {f"{name}[{member}]": member in members for member in dimension.subset} if fits else None
    if not dimension.per_level:
        found = dimension.choices_like(value)
        return {name: found[0]} if found else None
    values = list(value) if isinstance(value, list | tuple) else []
    each = [dimension.choices_like(item) for item in values]
    fits = len(values) == length and all(each)
    return {f"{name}[{level}]": found[0] for level, found in enumerate(each)} if fits else None


def _scalar(value: Value) -> Scalar:
    assert not isinstance(value, tuple)
    return value


def size(space: Space, levels: int) -> float:
    """Number of points, infinite if a real number varies; what a point does not reach is not counted in it."""
    names = order(space)
    asked_for = {needed for dimension in space.values() for needed in needs(dimension)}

    def points(index: int, values: dict[str, Value]) -> float:
        if index == len(names):
            return 1.0
        name, dimension = names[index], space[names[index]]
        if not holds(dimension, values):
            return points(index + 1, values)
        slots = dict(_slots(name, dimension, length(dimension, values, levels)))
        if name not in asked_for:
            return math.prod(map(count, slots.values())) * points(index + 1, values)
        return sum(points(index + 1, {**values, name: value}) for value in _all_values(dimension, len(slots)))

    return points(0, {})


def _all_values(dimension: Dimension, slots: int) -> Iterator[Value]:
    if dimension.subset is not None:
        for mask in range(2**slots):
            yield tuple(member for bit, member in enumerate(dimension.subset) if mask >> bit & 1)
    elif dimension.per_level:
        yield from product(map(_scalar, _values_of(dimension)), repeat=slots)
    else:
        yield from _values_of(dimension)


def at_random(rng: random.Random) -> Choose:
    """Every value alike, on a logarithmic scale where the dimension says so."""

    def choose(_: str, primitive: Primitive) -> Scalar:
        match primitive:
            case Categorical(choices):
                return rng.choice(choices)
            case Integer(low, high, step, log):
                if not log:
                    return rng.randrange(low, high + 1, step)
                return min(high, max(low, round(math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5))))))
            case Real(low, high, log):
                return math.exp(rng.uniform(math.log(low), math.log(high))) if log else rng.uniform(low, high)

    return choose


def mutate(
    space: Space, levels: int, chosen: dict[str, Scalar], rng: random.Random, changes: int = 1
) -> dict[str, Scalar]:
    """A neighbour of a point: so many of its plain choices drawn anew, and those that this reaches for the first time.

    Args:
        space: what varies.
        levels: number of levels of the base.
        chosen: the point.
        rng: the source of chance.
        changes: how many plain choices get another value, where they have one.
    """
    free = [slot for slot, primitive in primitives(space, levels).items() if slot in chosen and count(primitive) > 1]
    anew, draw = set(rng.sample(free, min(changes, len(free)))), at_random(rng)

    def choose(slot: str, primitive: Primitive) -> Scalar:
        if slot in chosen and slot not in anew and contains(primitive, chosen[slot]):
            return chosen[slot]
        drawn = draw(slot, primitive)
        while slot in chosen and same(drawn, chosen[slot]) and count(primitive) > 1:
            drawn = draw(slot, primitive)
        return drawn

    return fill(space, levels, choose)
