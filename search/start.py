"""Points to begin with: the base's own, those picked by hand, and neighbours of the base."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

from archspec.build import Spec, check_spec
from archspec.edits.select import select
from archspec.graphs.fingerprint import fingerprint
from archspec.graphs.graph import ArchGraph, input_shapes, inputs_of, op_of
from search.decode import decode, parameter_path, value_at
from search.dimension import Dimension, Scalar, Value
from search.space import Space, fill_in, holds, length, mutate, order, point, value_from

#: So many ways to be the base are looked at where dimensions leave several.
_MOST_TRIES = 64


@dataclass(frozen=True)
class _Asked:
    """One dimension, and the base that it is asked about."""

    name: str
    dimension: Dimension
    spec: Spec
    graph: ArchGraph
    space: Space
    levels: int


def base_point(spec: Spec, space: Space, levels: int) -> dict[str, Scalar] | None:
    """What to fill in for the base itself; None if the base is not a point of the space."""
    graph = check_spec(spec).graph
    if graph is None:
        return None
    names = order(space)
    asked = [_Asked(name, space[name], spec, graph, space, levels) for name in names]
    for found in islice(product(*(_LIKE_BASE[one.dimension.target](one) for one in asked)), _MOST_TRIES):
        chosen = chosen_of(space, dict(zip(names, found, strict=True)), levels)
        if chosen is not None and _is_base(spec, graph, space, chosen, levels):
            return chosen
    return None


def chosen_of(space: Space, values: dict[str, Any], levels: int) -> dict[str, Scalar] | None:
    """What to fill in for a point that is given by values of its dimensions; None if it is no point of the space.

    Values of dimensions that the point does not reach are passed over.
    """
    chosen: dict[str, Scalar] = {}
    reached: dict[str, Value] = {}
    for name in order(space):
        dimension = space[name]
        if not holds(dimension, reached):
            continue
        number = length(dimension, reached, levels)
        filled = fill_in(name, dimension, values.get(name), number)
        if filled is None:
            return None
        chosen.update(filled)
        reached[name] = value_from(name, dimension, filled, number)
    return chosen


def near_base(space: Space, levels: int, base: dict[str, Scalar], number: int, seed: int) -> list[dict[str, Scalar]]:
    """Different points that differ from the base in one plain choice, or in two where there are no more."""
    rng, found = random.Random(seed), [base]
    for attempt in range(40 * number):
        if len(found) > number:
            break
        neighbour = mutate(space, levels, base, rng, changes=1 if attempt < 20 * number else 2)
        if neighbour not in found:
            found.append(neighbour)
    return found[1:]


def _is_base(spec: Spec, base: ArchGraph, space: Space, chosen: dict[str, Scalar], levels: int) -> bool:
    edits = decode(spec, space, point(space, chosen, levels))
    graph = check_spec(spec.with_edits(edits)).graph if edits else base
    return graph is not None and fingerprint(graph) == fingerprint(base)


def _said(asked: _Asked) -> list[Any]:
    """What the short form says; of a dimension that is no parameter, the number of levels or any of its values."""
    dimension = asked.dimension
    form = asked.spec.architecture.short_form
    whole = form[1].model_dump() if form else {}
    path = parameter_path(asked.name, dimension)
    choices = [dimension.value_of(choice) for choice in getattr(dimension.primitive(), "choices", ())]
    if path[0] in whole:
        found = value_at(whole, path)
        if found is None and len(path) > 1 and choices:
            return choices  # an option at its default, which may be any of them
        one_for_all = bool(dimension.per_level) and not isinstance(found, list | tuple)
        return [(found,) * asked.levels if one_for_all else found]
    if any(other.per_level == asked.name for other in asked.space.values()):
        return [asked.levels]
    return choices or [None]


def _common(asked: _Asked) -> list[Any]:
    """The value that all selected nodes have; None if there is no such value."""
    graph, dimension = asked.graph, asked.dimension
    assert dimension.nodes is not None
    parameter = dimension.parameter or asked.name
    # Defaults count as what they stand for: heads not given are one head.
    nodes = select(graph, dimension.nodes)
    found = [op_of(graph, node).canonical(input_shapes(graph, node)).get(parameter) for node in nodes]
    return [found[0] if found and all(value == found[0] for value in found) else None]


def _source(asked: _Asked) -> list[Any]:
    """The node that a port takes its input from; or the value that leaves it as it is."""
    wire = asked.dimension.rewire
    assert wire is not None
    nodes = select(asked.graph, wire.to)
    ports = inputs_of(asked.graph, nodes[0]) if nodes else {}
    source = ports.get(wire.port) if wire.port else next(iter(ports.values()), None)
    return [source, None]


def _is_connected(asked: _Asked) -> list[Any]:
    edge = asked.dimension.edge
    assert edge is not None
    if edge.target not in asked.graph:
        return [False]
    ports = inputs_of(asked.graph, edge.target)
    return [ports.get(edge.port) == edge.source if edge.port else edge.source in ports.values()]


#: target of a dimension -> the values at which the base may be as it is; whether it is so is seen afterwards
_LIKE_BASE: dict[str, Callable[[_Asked], list[Any]]] = {
    "form": _said,
    "nodes": _common,
    "operations": lambda asked: [label for label, new in (asked.dimension.operations or {}).items() if new is None],
    "edits": lambda asked: [label for label, edits in (asked.dimension.edits or {}).items() if not edits],
    "present": lambda _: [True],
    "edge": _is_connected,
    "repeat": lambda _: [1],
    "rewire": _source,
}
