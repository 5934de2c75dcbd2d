"""From a point of a space to an architecture: through edits alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archspec.build import Spec, check_spec
from archspec.edit import Edit, SetEdit
from archspec.graph import ArchGraph, input_shapes, op_of
from archspec.select import SelectorParts, select
from archspec.template import UNet
from search.space import Categorical, Dimension, Scalar, Space, Value, contains, fill_in, primitives

#: An edit that finds nothing to change is no fault in a search: the point simply is as the base there.
_NO_EFFECT = {"U301", "U302"}


def decode(spec: Spec, space: Space, values: dict[str, Value]) -> tuple[Edit, ...]:
    """The edits that turn the base into the point's architecture, in the order of the space."""
    unet = spec.architecture.unet
    kept: tuple[Edit, ...] = _unet_edit(unet, space, values) if unet is not None else ()
    for edit in _node_edits(space, values):
        codes = {problem.code for problem in check_spec(spec.with_edits((*kept, edit))).errors}
        if not codes or not codes <= _NO_EFFECT:
            kept = (*kept, edit)
    return kept


def _unet_edit(unet: UNet, space: Space, values: dict[str, Value]) -> tuple[Edit, ...]:
    base = unet.model_dump()
    changes: dict[str, Any] = {}
    for name, dimension in space.items():
        if dimension.nodes is None and dimension.edits is None and values[name] != base.get(name):
            changes[name] = _plain(values[name])
    for name, dimension in space.items():
        for edit in _chosen_edits(dimension.edits, values[name]):
            changes.update(edit.unet or {})
    return (Edit(unet=changes),) if changes else ()


def _node_edits(space: Space, values: dict[str, Value]) -> list[Edit]:
    edits: list[Edit] = []
    for name, dimension in space.items():
        if dimension.nodes is not None:
            to = {dimension.parameter or name: _plain(values[name])}
            edits.append(Edit(set=SetEdit(nodes=dimension.nodes, to=to)))
        edits.extend(edit for edit in _chosen_edits(dimension.edits, values[name]) if edit.unet is None)
    return edits


def _chosen_edits(edits: dict[str, tuple[Edit, ...]] | None, label: Value) -> tuple[Edit, ...]:
    return edits[str(label)] if edits is not None else ()


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value


def base_point(spec: Spec, space: Space, levels: int) -> dict[str, Scalar] | None:
    """What to fill in for the base itself; None if the base is not a point of the space."""
    chosen: dict[str, Scalar] = {}
    choices = primitives(space, levels)
    graph = check_spec(spec).graph
    for name, dimension in space.items():
        if dimension.edits is not None:
            plain = [label for label, edits in dimension.edits.items() if not edits]
            found: Any = plain[0] if plain else None
        elif dimension.nodes is not None:
            found = _common(graph, dimension.nodes, dimension.parameter or name)
        else:
            found = getattr(spec.architecture.unet, name, None)
        filled = fill_in(name, dimension, found, levels)
        if filled is None or not all(contains(choices[key], value) for key, value in filled.items()):
            return None
        chosen.update(filled)
    return chosen


def _common(graph: ArchGraph | None, nodes: str | SelectorParts, parameter: str) -> Any:
    """The value that all selected nodes have; None if there is no such value."""
    if graph is None:
        return None
    # Defaults count as what they stand for: heads not given are one head.
    values = {op_of(graph, node).canonical(input_shapes(graph, node)).get(parameter) for node in select(graph, nodes)}
    return values.pop() if len(values) == 1 else None


#: Faults of a value itself; whether it fits the rest is decided point by point.
_ALWAYS_WRONG = {"U012", "U013", "U304", "U305", "U010", "U011"}


def value_faults(spec: Spec, space: Space) -> Iterator[tuple[str, str, str | None]]:
    """Values that no point can have: (dimension, message, hint), one for each dimension that has such values."""
    for name, dimension in space.items():
        for value in _samples(dimension):
            edits = _edits_of(spec, name, dimension, value)
            wrong = [p for p in check_spec(spec.with_edits(edits)).errors if p.code in _ALWAYS_WRONG]
            if wrong:
                shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
                message = wrong[0].message.replace(f"`edits.{len(spec.architecture.edits)}.unet.{name}`", "it")
                yield name, f"`{name}` can be {shown}, but {message}", wrong[0].hint
                break


def _samples(dimension: Dimension) -> list[Value]:
    """Values that show what is wrong with a dimension: all of them, or the ends of a range."""
    if dimension.subset is not None:
        return [(member,) for member in dimension.subset]
    primitive = dimension.primitive()
    if isinstance(primitive, Categorical):
        return [dimension.value_of(choice) for choice in primitive.choices]
    return [primitive.low, primitive.high]


def _edits_of(spec: Spec, name: str, dimension: Dimension, value: Value) -> tuple[Edit, ...]:
    if dimension.edits is not None:
        return dimension.edits[str(value)]
    if dimension.nodes is not None:
        return (Edit(set=SetEdit(nodes=dimension.nodes, to={dimension.parameter or name: _plain(value)})),)
    unet = spec.architecture.unet
    levels = len(unet.ch_mult) if unet else 0
    whole = [value] * levels if dimension.per_level else _plain(value)
    return (Edit(unet={name: whole}),)
