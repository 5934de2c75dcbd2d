"""The architecture file as a model: what may stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from archspec.edits.edit import Edit
from archspec.forms.edm2 import Edm2
from archspec.forms.short_form import ShortForm
from archspec.forms.song import Song
from archspec.forms.template import UNet
from archspec.ops.table import OpData
from archspec.text.fields import HARMLESS, WHOLE, Form, Harmless, Title

MAX_EDITS = 200

_NONE = "has neither a short form (`unet`, `edm2`, `song`) nor `graph` (nodes and edges)"
_SEVERAL = "has {keys}, which exclude each other"
_ALONE = "A file is named alone: `base: FILE`, or `base: zoo/NAME`; `ushape zoo NAME` prints one of the zoo to change."
#: The keys of which an architecture has exactly one: the short forms, and the long one.
_FORMS = ("unet", "edm2", "song", "graph")


class EdgeEntry(Form):
    """One edge in long form."""

    source: str = Field(alias="from", description="node id")
    target: str = Field(alias="to", description="node id")
    port: str | None = Field(None, description="input port of the target; default its first")


class _AnyEdge:
    """In a JSON Schema, an edge in short or in long form."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del core_schema
        short = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3}
        return {"oneOf": [short, handler(EdgeEntry.__pydantic_core_schema__)]}


class GraphSection(Form):
    """Every node and every edge; each is read on its own, so that all that are wrong are reported."""

    nodes: dict[Any, OpData] = Field(min_length=1, description="node id -> {op: …, parameters}")
    edges: list[Annotated[Any, _AnyEdge()]] = Field(
        description="[from, to] or [from, to, port]; the port is the target's first if not given"
    )


def _one_form(schema: dict[str, Any]) -> None:
    schema["oneOf"] = [{"required": [key]} for key in _FORMS]


class Architecture(Form):
    """An architecture: a short form or a graph, and edits on it."""

    OTHER_NAMES: ClassVar[dict[str, str]] = dict.fromkeys(("from", "file", "zoo", "base"), _ALONE)

    model_config = ConfigDict(json_schema_extra=_one_form)

    name: Annotated[Title | None, Harmless("unnamed")] = Field(None, description="what it is called in reports")
    description: Annotated[str | None, HARMLESS] = Field(None, description="free text")
    unet: UNet | None = Field(None, description="the reference U-Net by its parameters")
    edm2: Edm2 | None = Field(None, description="the U-Net of EDM2 by its parameters")
    song: Song | None = Field(None, description="DDPM++ or NCSN++ by its parameters")
    graph: GraphSection | None = Field(None, description="every node and edge")
    edits: tuple[Edit, ...] = Field((), max_length=MAX_EDITS, description="changes, made in order")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [key for key in _FORMS if getattr(self, key) is not None]
        if not given:
            raise PydanticCustomError("U011", _NONE, {"hint": "Write one."})
        if len(given) > 1:
            keys = " and ".join(f"`{key}`" for key in given)
            raise PydanticCustomError("U014", _SEVERAL, {"keys": keys, "hint": "Keep one."})
        return self

    @property
    def short_form(self) -> tuple[str, ShortForm] | None:
        """The key of the short form that it has, and its parameters."""
        forms: Iterator[tuple[str, ShortForm]] = ((key, getattr(self, key)) for key in _FORMS if key != "graph")
        return next(((key, form) for key, form in forms if form is not None), None)


class ArchitectureFile(Architecture):
    """An architecture in a file of its own."""

    version: Annotated[Literal[1], WHOLE, Harmless(1)] = Field(description="version of the file format")
    name: Title = Field(description="what it is called in reports")
