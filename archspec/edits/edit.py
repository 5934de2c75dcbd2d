"""Edits: what a variant changes, as it is written. How they are made is in `archspec.edits.surgery`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from archspec.edits.selector import Selector, SelectorParts, in_words, plain
from archspec.ops.table import OpData
from archspec.text.fields import Count, Defined, Flag, Form, Number, Width

#: The keys of edits that change parameters of a short form; each is named as its short form.
OF_SHORT_FORMS = ("unet", "edm2", "song")


class RemoveEdit(Form):
    """Nodes taken out, with a word on what comes in their place."""

    nodes: Selector
    project: Flag = Field(
        default=False, description="keep a 1×1 convolution in the place of a node that changes the channels"
    )


def _removal(value: object) -> str:
    return "<options>" if isinstance(value, RemoveEdit) or (isinstance(value, dict) and "nodes" in value) else "<nodes>"


Removal = Annotated[
    Annotated[Selector, Tag("<nodes>")] | Annotated[RemoveEdit, Tag("<options>")], Discriminator(_removal)
]


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


class InsertEdit(Form):
    """A new node after or before a node, or on one edge."""

    node: OpData = Field(description="the operation: {op: …, parameters}")
    after: Selector | None = Field(None, description="nodes whose result goes through a new node")
    before: Selector | None = Field(None, description="nodes whose main input (or `port`) goes through a new node")
    source: str | None = Field(None, alias="from", description="node id: where the edge comes from")
    target: str | None = Field(None, alias="to", description="node id: where the edge goes")
    port: str | None = Field(None, description="input port of the node after the new one; default its first")
    id: str | None = Field(None, description="id of the new node, where it is one; default made of the other's id")
    inputs: dict[str, str] = Field(default_factory=dict, description="further ports of the new node -> node id")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        places = [self.after, self.before, self.source or self.target]
        if sum(place is not None for place in places) != 1 or (self.source is None) != (self.target is None):
            raise PydanticCustomError("U011", "needs one place: after, before, or from and to", {})
        if self.after is not None and self.port is not None:
            raise PydanticCustomError("U012", "has no meaning with after", {"at": "port"})
        return self


class RewireEdit(Form):
    """Another source for a port that is filled."""

    target: Selector = Field(alias="to", description="nodes that get another source")
    source: str = Field(alias="from", description="node id: the new source")
    port: str | None = Field(None, description="input port; default the first")


class MoveEdit(Form):
    """Nodes taken out and put in elsewhere, in their order; their other inputs stay."""

    nodes: Selector
    after: str | None = Field(None, description="node id: its result goes through them")
    before: str | None = Field(None, description="node id: its main input goes through them")

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.after is None) == (self.before is None):
            raise PydanticCustomError("U011", "needs one place: after or before", {})
        return self


class RepeatEdit(Form):
    """Each node so many times in a row; the copies have weights of their own and the same other inputs."""

    nodes: Selector
    times: Annotated[Count, Field(ge=2, le=64)] = Field(description="how often it stands there then")


class ResizeEdit(Form):
    """Another width (`out`) for the selected nodes that have one."""

    nodes: Selector
    out: Width | None = Field(None, description="output channels")
    factor: Annotated[Number, Field(gt=0, le=1024)] | None = Field(
        None, description="multiply the output channels; must give whole numbers"
    )

    @model_validator(mode="after")
    def _has_one_size(self) -> Self:
        if (self.out is None) == (self.factor is None):
            raise PydanticCustomError("U011", "needs one of out and factor", {})
        return self


class ControlEdit(Form):
    """A copy of the encoder that steers the network by a second image (ControlNet, Zhang et al. 2023)."""

    channels: Width = Field(description="channels of the control image, which has the size of the image")


def _exactly_one(schema: dict[str, Any]) -> None:
    schema.update(minProperties=1, maxProperties=1)


class Edit(Form):
    """One edit: exactly one of its keys."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    remove: Removal | None = Field(None, description="take nodes out; what they were given goes on in their place")
    set: SetEdit | None = Field(None, description="change parameters of nodes")
    replace: ReplaceEdit | None = Field(None, description="put another operation in the place of nodes")
    connect: ConnectEdit | None = Field(None, description="add an edge")
    disconnect: DisconnectEdit | None = Field(None, description="take edges out")
    insert: InsertEdit | None = Field(None, description="add a node after or before nodes, or on an edge")
    rewire: RewireEdit | None = Field(None, description="give a port another source")
    move: MoveEdit | None = Field(None, description="take nodes out and put them in elsewhere")
    repeat: RepeatEdit | None = Field(None, description="put copies of nodes after them")
    resize: ResizeEdit | None = Field(None, description="change the output channels of nodes")
    control: ControlEdit | None = Field(None, description="add a controlled copy of the encoder (ControlNet)")
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
        return _WORDS[self.kind](getattr(self, self.kind))


def flat(value: Any) -> str:
    """Plain data (or a model) in one line, for messages."""
    if isinstance(value, BaseModel):
        return flat(value.model_dump(by_alias=True, exclude_unset=True))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flat(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flat(item) for item in value) + "]"
    return plain(value)


def _pairs(data: dict[str, Any], equals: str = "=") -> str:
    return ", ".join(f"{key}{equals}{flat(value)}" for key, value in data.items())


def _operation(data: Any) -> str:
    if not isinstance(data, dict) or "op" not in data:
        return flat(data)
    rest = _pairs({key: value for key, value in data.items() if key != "op"})
    return f"{data['op']}{f' ({rest})' if rest else ''}"


def _of_remove(body: str | SelectorParts | RemoveEdit) -> str:
    if isinstance(body, RemoveEdit):
        return f"remove {in_words(body.nodes)}{', projected' if body.project else ''}"
    return f"remove {in_words(body)}"


def _port(port: str | None) -> str:
    return f" ({port})" if port is not None else ""


def _of_insert(body: InsertEdit) -> str:
    what = f"insert {_operation(body.node)}"
    if body.after is not None:
        return f"{what} after {in_words(body.after)}"
    if body.before is not None:
        return f"{what} before {in_words(body.before)}{_port(body.port)}"
    return f"{what} on {body.source} -> {body.target}{_port(body.port)}"


def _of_move(body: MoveEdit) -> str:
    where = f"after {body.after}" if body.after is not None else f"before {body.before}"
    return f"move {in_words(body.nodes)} {where}"


def _of_resize(body: ResizeEdit) -> str:
    how = f"out={body.out}" if body.out is not None else f"out x {body.factor:g}"
    return f"resize {in_words(body.nodes)}: {how}"


#: kind of edit -> how its body is said
_WORDS: dict[str, Callable[[Any], str]] = {
    "remove": _of_remove,
    "set": lambda body: f"set {in_words(body.nodes)}: {_pairs(body.to)}",
    "replace": lambda body: f"replace {in_words(body.nodes)} by {_operation(body.new)}",
    "connect": lambda body: f"connect {body.source} -> {body.target}{_port(body.port)}",
    "disconnect": lambda body: f"disconnect {in_words(body.source)} -> {in_words(body.target)}{_port(body.port)}",
    "insert": _of_insert,
    "rewire": lambda body: f"rewire {body.source} -> {in_words(body.target)}{_port(body.port)}",
    "move": _of_move,
    "repeat": lambda body: f"repeat {in_words(body.nodes)} {body.times} times",
    "resize": _of_resize,
    "control": lambda body: f"control by an image of {body.channels} channels",
    **dict.fromkeys(OF_SHORT_FORMS, lambda body: _pairs(body, ": ")),
}
