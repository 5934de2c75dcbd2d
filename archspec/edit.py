"""Edits: what a variant changes, as it is written. How they are made is in `archspec.surgery`."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.fields import Defined, Form
from archspec.ops.table import OpData
from archspec.select import Selector
from archspec.wording import shown

#: The keys of edits that change parameters of a short form; each is named as its short form.
OF_SHORT_FORMS = ("unet", "edm2", "song")


class SetEdit(Form):
    """New parameters for the operations of some nodes."""

    nodes: Selector
    to: Annotated[dict[str, Any], Defined("Parameters")] = Field(min_length=1, description="parameter -> value")


class ReplaceEdit(Form):
    """Another operation in the place of some nodes; inputs stay at the ports that it has too."""

    nodes: Selector
    new: OpData = Field(alias="with", description="the operation: {op: …, parameters}")


class ConnectEdit(Form):
    """A new edge."""

    source: str = Field(alias="from", description="node id")
    target: str = Field(alias="to", description="node id")
    port: str | None = Field(None, description="input port of the target; default its first")


class DisconnectEdit(Form):
    """Edges taken out: all between the selected nodes."""

    source: Selector = Field(alias="from")
    target: Selector = Field(alias="to")
    port: str | None = Field(None, description="only edges into this port")


def _exactly_one(schema: dict[str, Any]) -> None:
    schema.update(minProperties=1, maxProperties=1)


class Edit(Form):
    """One edit: exactly one of its keys."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    remove: Selector | None = Field(None, description="take nodes out; what they were given goes on in their place")
    set: SetEdit | None = Field(None, description="change parameters of nodes")
    replace: ReplaceEdit | None = Field(None, description="put another operation in the place of nodes")
    connect: ConnectEdit | None = Field(None, description="add an edge")
    disconnect: DisconnectEdit | None = Field(None, description="take edges out")
    unet: Annotated[dict[str, Any] | None, Defined("UNetChanges")] = Field(
        None, min_length=1, description="other parameters of the short form; these edits come first"
    )
    edm2: Annotated[dict[str, Any] | None, Defined("Edm2Changes")] = Field(
        None, min_length=1, description="the same where the short form is `edm2`"
    )
    song: Annotated[dict[str, Any] | None, Defined("SongChanges")] = Field(
        None, min_length=1, description="the same where the short form is `song`"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [name for name in type(self).model_fields if name in self.model_fields_set]
        if len(given) == 1 and getattr(self, given[0]) is not None:
            return self
        hint = f"One edit has one of the keys {', '.join(type(self).model_fields)}."
        if len(given) > 1:
            message = "has {keys} in one edit; make it one edit each"
            raise PydanticCustomError("U014", message, {"keys": " and ".join(f"`{key}`" for key in given)})
        if given:
            raise PydanticCustomError("U011", "says nothing about `{key}`", {"key": given[0]})
        raise PydanticCustomError("U011", "is an empty edit", {"hint": hint})

    @property
    def kind(self) -> str:
        """The one key that is given."""
        return next(iter(self.model_fields_set))

    @property
    def changes(self) -> dict[str, Any] | None:
        """New parameters of the short form, if that is what the edit is about; its key is `kind`."""
        return getattr(self, self.kind) if self.kind in OF_SHORT_FORMS else None

    def describe(self) -> str:
        """The edit in a few words, for tables and titles."""
        kind, body = next(iter(self.model_dump(by_alias=True, exclude_unset=True).items()))
        if isinstance(body, dict):
            return f"{kind} " + ", ".join(f"{key}={flat(value)}" for key, value in body.items())
        return f"{kind} {flat(body)}"


def flat(value: Any) -> str:
    """Plain data (or a model) in one line, for messages."""
    if isinstance(value, BaseModel):
        return flat(value.model_dump(by_alias=True, exclude_unset=True))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flat(item) for item in value) + "]"
    if value is None or isinstance(value, bool):
        return shown(value)
    return str(value)
