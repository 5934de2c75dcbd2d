"""From a point of a space to an architecture: through edits alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from archspec.build import Spec, check_spec
from archspec.edits.edit import ConnectEdit, DisconnectEdit, Edit, RepeatEdit, ReplaceEdit, RewireEdit, SetEdit
from search.dimension import Dimension, Value, same
from search.space import Space

#: An edit that finds nothing to change is no fault in a search: the point simply is as the base there.
_NO_EFFECT = {"U301", "U302"}
#: An edge that cannot be added or taken out, for one, because it is there or not there already.
_UNFIT = "U306"


def decode(spec: Spec, space: Space, values: dict[str, Value]) -> tuple[Edit, ...]:
    """The edits that turn the base into the point's architecture, in the order of the space.

    Parameters of the short form are one edit, which comes first. A dimension that the point does not reach changes
    nothing.
    """
    kept = _form_edit(spec, space, values)
    for name in space:
        for edit in edits_of(name, space[name], values[name]) if name in values else ():
            if not _changes_nothing(spec, kept, edit, space[name].edge):
                kept = (*kept, edit)
    return kept


def _changes_nothing(spec: Spec, kept: tuple[Edit, ...], edit: Edit, edge: ConnectEdit | None) -> bool:
    """Whether an edit finds everything after `kept` as it wants it; `edge` is the one that it is about, if any."""
    codes = _codes(spec, (*kept, edit))
    if edge is None or _UNFIT not in codes:
        return bool(codes & _NO_EFFECT)
    # Taken out already; or there already, if it can be taken out.
    return edit.connect is None or _UNFIT not in _codes(spec, (*kept, _without(edge)))


def _codes(spec: Spec, edits: tuple[Edit, ...]) -> set[str]:
    return {problem.code for problem in check_spec(spec.with_edits(edits)).errors}


def is_there(spec: Spec, edge: ConnectEdit) -> bool:
    """Whether an architecture has an edge."""
    return not _codes(spec, (_without(edge),)) & {_UNFIT, *_NO_EFFECT}


def parameter_path(name: str, dimension: Dimension) -> list[str | int]:
    """Where a value goes in the short form: the parameter, and its options; a number is a key such as a resolution."""
    return [int(part) if part.isdecimal() else part for part in (dimension.parameter or name).split(".")]


def _form_edit(spec: Spec, space: Space, values: dict[str, Value]) -> tuple[Edit, ...]:
    if spec.architecture.short_form is None:
        return ()
    key, form = spec.architecture.short_form
    whole, said = form.model_dump(), form.model_dump(exclude_unset=True)
    changes: dict[str, Any] = {}
    for name, value in values.items():
        path = parameter_path(name, space[name])
        if space[name].target != "form" or path[0] not in whole or same(value, value_at(whole, path)):
            continue
        parameter = str(path[0])
        changes[parameter] = _put(changes.get(parameter, said.get(parameter)), path[1:], _plain(value))
    for name, value in values.items():
        for edit in _chosen_edits(space[name], value):
            changes.update(edit.changes or {})
    return (Edit.model_validate({key: changes}),) if changes else ()


def value_at(data: Any, path: list[str | int]) -> Any:
    """What stands at a path of nested mappings; None if nothing does."""
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _put(data: Any, path: list[str | int], value: Any) -> Any:
    """`data` with a value inside it; what is no mapping there becomes one."""
    if not path:
        return value
    around = data if isinstance(data, dict) else {}
    return {**around, path[0]: _put(around.get(path[0]), path[1:], value)}


def edits_of(name: str, dimension: Dimension, value: Value) -> list[Edit]:
    """What one dimension changes about nodes and edges at a value; nothing if it goes into the short form."""
    return list(_TO_EDITS[dimension.target](name, dimension, value))


def _set(name: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    assert dimension.nodes is not None
    yield Edit(set=SetEdit(nodes=dimension.nodes, to={dimension.parameter or name: _plain(value)}))


def _replace(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    new = (dimension.operations or {})[str(value)]
    if new is not None:
        assert dimension.nodes is not None
        yield Edit(replace=ReplaceEdit.model_validate({"nodes": dimension.nodes, "with": new}))


def _remove(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    if not value:
        yield Edit(remove=dimension.present)


def _repeat(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    assert dimension.repeat is not None
    if isinstance(value, int) and value > 1:
        yield Edit(repeat=RepeatEdit(nodes=dimension.repeat, times=value))


def _rewire(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    assert dimension.rewire is not None
    if value is not None:
        wire = dimension.rewire
        yield Edit(rewire=RewireEdit.model_validate({"to": wire.to, "from": str(value), "port": wire.port}))


def _connect(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    edge = dimension.edge
    assert edge is not None
    yield Edit(connect=edge) if value else _without(edge)


def _without(edge: ConnectEdit) -> Edit:
    return Edit(disconnect=DisconnectEdit.model_validate({"from": edge.source, "to": edge.target, "port": edge.port}))


def _listed(_: str, dimension: Dimension, value: Value) -> Iterator[Edit]:
    yield from (edit for edit in _chosen_edits(dimension, value) if edit.changes is None)


_TO_EDITS: dict[str, Callable[[str, Dimension, Value], Iterator[Edit]]] = {
    "form": lambda *_: iter(()),
    "nodes": _set,
    "operations": _replace,
    "present": _remove,
    "repeat": _repeat,
    "rewire": _rewire,
    "edge": _connect,
    "edits": _listed,
}


def _chosen_edits(dimension: Dimension, label: Value) -> tuple[Edit, ...]:
    return dimension.edits[str(label)] if dimension.edits is not None else ()


def _plain(value: Value) -> Any:
    return list(value) if isinstance(value, tuple) else value
