"""What is wrong with a space for a base: names, conditions, values, and selectors that never match."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from archspec.build import Spec, check_spec
from archspec.edits.edit import Edit
from archspec.short_forms import SHORT_FORMS
from archspec.text.suggest import did_you_mean
from search.decode import decode, edits_of, is_there, parameter_path
from search.dimension import Categorical, Dimension, Real, Scalar, Value, same
from search.space import Space, at_random, fill, loops, needs, point, size

#: path below the space, message, hint
Fault = tuple[tuple[str, ...], str, str | None]

#: Faults of a value itself; whether it fits the rest is decided point by point.
_ALWAYS_WRONG = {"U012", "U013", "U304", "U305", "U010", "U011"}
#: Points looked at for a selector that matches nothing in the base.
_LOOKS = 24


def space_faults(
    spec: Spec, space: Space, levels: int, elsewhere: Mapping[str, str] | None = None, *, sound: bool = True
) -> list[Fault]:
    """Everything that is wrong with a space; what needs sound names and conditions is looked for only if they are.

    Args:
        spec: the base.
        space: what varies.
        levels: number of levels of the base.
        elsewhere: name that is no parameter of an architecture -> where it belongs, in a sentence.
        sound: whether the base is; if not, values and selectors cannot be tried.
    """
    found = [*_name_faults(spec, space, elsewhere or {}), *_condition_faults(space), *_level_faults(spec, space)]
    if found or not sound:
        return found
    return [*_value_faults(spec, space, levels)] or [*_silent(spec, space, levels)]


def _name_faults(spec: Spec, space: Space, elsewhere: Mapping[str, str]) -> Iterator[Fault]:
    form = spec.architecture.short_form
    leads = {name for dimension in space.values() for name in needs(dimension)}
    for name, dimension in space.items():
        if dimension.target != "form":
            continue
        where = (name, "parameter") if dimension.parameter else (name,)
        root = str(parameter_path(name, dimension)[0])
        known = SHORT_FORMS[form[0]].model.model_fields if form is not None else ()
        if root in elsewhere and root not in known and name not in leads:
            yield where, f"`{root}` is no part of an architecture.", elsewhere[root]
        elif form is None:
            if name not in leads:
                message = f"`{name}` is a parameter of `unet:`, but the base is a graph."
                yield where, message, "Vary nodes: or edits:."
        elif root not in known and name not in leads:
            hint = SHORT_FORMS[form[0]].model.OTHER_NAMES.get(root) or did_you_mean(root, known)
            hint = hint or "With nodes: a dimension varies a parameter of nodes, with edits: anything."
            yield where, f"`{root}` is no parameter of `{form[0]}:`.", hint


def _condition_faults(space: Space) -> Iterator[Fault]:
    for name, dimension in space.items():
        for other, wanted in (dimension.when or {}).items():
            where = (name, "when", other)
            if other not in space:
                hint = did_you_mean(other, space) or f"The dimensions: {', '.join(space)}."
                yield where, f"`{name}` depends on `{other}`, which is no dimension.", hint
            elif isinstance(space[other].primitive(), Real):
                yield where, f"`{name}` depends on `{other}`, which is a real number.", "Depend on a choice or an int."
            else:
                yield from _impossible(name, other, space[other], wanted)
    circle = loops(space)
    if circle is not None:
        words = " -> ".join(f"`{name}`" for name in circle)
        yield (circle[0], "when"), f"dimensions depend on each other in a circle: {words}.", None


def _impossible(name: str, other: str, parent: Dimension, wanted: Scalar | list[Scalar]) -> Iterator[Fault]:
    for value in wanted if isinstance(wanted, list) else [wanted]:
        if not (parent.choices_like(value) or _is_member(parent, value)):
            hint = did_you_mean(str(value), _values(parent)) or f"Its values: {', '.join(_values(parent))}."
            yield (name, "when", other), f"`{name}` depends on `{other}` being {value}, which it cannot be.", hint


def _is_member(parent: Dimension, value: Scalar) -> bool:
    """Whether it stands in a subset, or in one of the lists that can be chosen."""
    lists = [parent.subset or (), *(choice for choice in parent.choice or () if isinstance(choice, list))]
    return any(same(value, member) for one in lists for member in one)


def _values(dimension: Dimension) -> list[str]:
    if dimension.subset is not None:
        return [str(member) for member in dimension.subset]
    primitive = dimension.primitive()
    if isinstance(primitive, Categorical):
        return [str(choice) for choice in primitive.choices]
    return [f"{primitive.low} to {primitive.high}"]


def _level_faults(spec: Spec, space: Space) -> Iterator[Fault]:
    for name, dimension in space.items():
        if not dimension.per_level:
            continue
        if spec.architecture.short_form is None:
            yield (name, "per_level"), "per_level needs a base with `unet:`.", None
        elif isinstance(dimension.per_level, str):
            yield from _length_faults(name, dimension.per_level, space)


def _length_faults(name: str, length: str, space: Space) -> Iterator[Fault]:
    if length not in space:
        hint = did_you_mean(length, space) or f"The dimensions: {', '.join(space)}."
        yield (name, "per_level"), f"`{name}` has as many values as `{length}`, which is no dimension.", hint
        return
    given = space[length]
    numbers: tuple[Any, ...] = given.choice or given.integer or ()
    if given.real is not None or not numbers or not all(type(n) is int and 1 <= n <= 12 for n in numbers):
        hint = f"`{length}: {{int: [2, 4]}}`, say."
        yield (length,), f"`{length}` says how many levels there are, so it is a whole number from 1 to 12.", hint


def _value_faults(spec: Spec, space: Space, levels: int) -> Iterator[Fault]:
    """Values that no point can have, one for each dimension that has such values."""
    for name, dimension in space.items():
        for value in _samples(dimension):
            edits = _edits_alone(spec, name, dimension, value, levels)
            problems = check_spec(spec.with_edits(edits)).errors if edits else ()
            wrong = [problem for problem in problems if problem.code in _ALWAYS_WRONG]
            if wrong:
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
                message = _without_place(wrong[0].message, dimension)
                yield (name,), f"`{name}` can be {shown}, but {message}", wrong[0].hint
                break


def _without_place(message: str, dimension: Dimension) -> str:
    """What is said of a value, not where the search puts it, which stands in no file."""
    if dimension.target in ("operations", "edits"):
        return re.sub(r"`edits\.\d+\.(?:replace\.with\.)?", "`", message)
    return re.sub(r"`edits\.\d+\.[^`]*`", "it", message)


def _samples(dimension: Dimension) -> list[Value]:
    """Values that show what is wrong with a dimension: all of them, or the ends of a range."""
    if dimension.subset is not None:
        return [(member,) for member in dimension.subset]
    primitive = dimension.primitive()
    if isinstance(primitive, Categorical):
        return [dimension.value_of(choice) for choice in primitive.choices]
    return [primitive.low, primitive.high]


def _edits_alone(spec: Spec, name: str, dimension: Dimension, value: Value, levels: int) -> tuple[Edit, ...]:
    """What one dimension changes where nothing else does."""
    if dimension.edits is not None:
        return dimension.edits[str(value)]
    if dimension.target != "form":
        return tuple(edits_of(name, dimension, value))
    if isinstance(dimension.per_level, str) and parameter_path(name, dimension)[0] != "ch_mult":
        return ()  # its length fits no base; it is judged with the others, point by point
    whole = (value,) * levels if dimension.per_level and not isinstance(value, tuple) else value
    return decode(spec, {name: dimension.model_copy(update={"when": None})}, {name: whole})


def _silent(spec: Spec, space: Space, levels: int) -> Iterator[Fault]:
    """Selectors that match nothing, neither in the base nor at any of some points."""
    waiting = {
        name: value
        for name, dimension in space.items()
        if dimension.target not in ("form", "edits")
        for value in [value for value in _telling(dimension) if edits_of(name, dimension, value)][:1]
        if _finds_nothing(spec, name, dimension, value) is not None
    }
    rng = random.Random(0)
    looks = min(_LOOKS, int(min(size(space, levels), 10.0 * _LOOKS)))
    for _ in range(looks if waiting else 0):
        values = point(space, fill(space, levels, at_random(rng)), levels)
        for name in [name for name in waiting if name in values]:
            others = {other: value for other, value in values.items() if _may_help(space[name], space[other])}
            at_point = spec.with_edits(decode(spec, space, others))
            if _finds_nothing(at_point, name, space[name], waiting[name]) is None:
                del waiting[name]
    for name, value in waiting.items():
        found = _finds_nothing(spec, name, space[name], value)
        if found is not None:
            yield (name,), f"`{name}` never has an effect: {found[0]}", found[1]


def _telling(dimension: Dimension) -> list[Value]:
    """Values that show whether it can have an effect: an edge is added."""
    return [True] if dimension.edge is not None else _samples(dimension)


def _may_help(one: Dimension, other: Dimension) -> bool:
    """Whether another dimension may bring what one is looking for: nodes, or room at a port for an edge."""
    return other.target in ("form", "edits") or (one.edge is not None and other is not one)


def _finds_nothing(spec: Spec, name: str, dimension: Dimension, value: Value) -> tuple[str, str | None] | None:
    """The message and hint of a selector that matches nothing, or of an edge that cannot be added, if it is so."""
    wrong = {"U301"} if dimension.edge is None or is_there(spec, dimension.edge) else {"U301", "U306"}
    for edit in edits_of(name, dimension, value):
        for problem in check_spec(spec.with_edits((edit,))).errors:
            if problem.code in wrong:
                return problem.message, problem.hint
    return None
