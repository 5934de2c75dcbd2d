"""Factors and their levels: the base's own, and others by edits or as values of a parameter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from archspec.edits.edit import Edit, flat
from archspec.text.suggest import did_you_mean
from studies.sections.protocol import Section
from studies.study.designs.forms import BASE, Edits, Fault, Label, Origin

Scalar = str | int | float | bool | list[Any]


class Factor(Section):
    """What a factor can be besides what it is in the base."""

    values: tuple[Scalar, ...] | None = Field(
        None, min_length=1, description="other values of the short form's parameter that the factor is named after"
    )
    levels: dict[Label, Edits] | None = Field(None, min_length=1, description="or name of a level -> edits")
    edits: Edits | None = Field(None, description="or the edits of the only other level, named after the factor")

    @model_validator(mode="after")
    def _has_one(self) -> Factor:
        if sum(given is not None for given in (self.values, self.levels, self.edits)) != 1:
            raise ValueError("a factor has one of values, levels and edits")
        return self


def _factor(value: Any) -> Any:
    if isinstance(value, list | tuple):
        # Edits are mappings; the values of a parameter are not.
        return {"edits" if all(isinstance(item, dict) for item in value) else "values": value}
    if isinstance(value, dict) and not value.keys() & set(Factor.model_fields):
        return {"levels": value}
    return value


_Written = list[Edit] | list[Scalar] | dict[str, list[Edit]] | Factor
AnyFactor = Annotated[Factor, BeforeValidator(_factor, json_schema_input_type=_Written)]

#: Level -> the edits that make it; the base's own level has none.
Levels = dict[str, tuple[Edit, ...]]


def levels_of(name: str, factor: Factor, origin: Origin) -> Levels | Fault:
    """The levels of a factor, the base's first."""
    if factor.edits is not None:
        return {BASE: (), name: factor.edits}
    if factor.levels is not None:
        return {BASE: (), **factor.levels}
    short = origin.short_form
    if short is None:
        return Fault(
            (name,), f"`{name}` has values, but the base is a graph and has no such parameter.", "Write edits."
        )
    key, form = short
    known = type(form).model_fields
    if name not in known:
        return Fault((name,), f"`{name}` is no parameter of `{key}:`.", did_you_mean(name, known) or "Or write edits.")
    assert factor.values is not None
    own = getattr(form, name)
    others = [value for value in factor.values if _plain(value) != _plain(own)]
    if not others:
        return Fault((name,), f"`{name}` is {flat(own)} in the base already.", "Name another value.")
    return {BASE: ()} | {flat(value): (Edit.model_validate({key: {name: value}}),) for value in others}


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def in_order(edits: Iterable[Edit]) -> tuple[Edit, ...]:
    """Edits with those of the short form first, merged into one: later values of one parameter win."""
    changes: dict[str, dict[str, Any]] = {}
    rest: list[Edit] = []
    for edit in edits:
        if edit.changes is None:
            rest.append(edit)
        else:
            changes.setdefault(edit.kind, {}).update(edit.changes)
    return (*(Edit.model_validate({key: values}) for key, values in changes.items()), *rest)
