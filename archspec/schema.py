"""JSON Schema (draft 2020-12) of the files, from the models that read them, for editors that complete and check."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pydantic import BaseModel

from archspec.document import ArchitectureFile
from archspec.forms.edm2 import Edm2
from archspec.forms.song import Song
from archspec.forms.unet import UNet
from archspec.ops import OPS
from archspec.text.fields import MARK

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: What pydantic calls a bound on a number that goes through a function of ours -> what JSON Schema calls it.
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def architecture_schema() -> Schema:
    """The schema of architecture files."""
    return complete(ArchitectureFile.model_json_schema(by_alias=True), title="ushape architecture")


def complete(schema: Schema, *, title: str) -> Schema:
    """A schema that pydantic made of a model, made whole.

    Adds the definitions that our models only name (see `archspec.text.fields.Defined`): the operations that are
    registered
    now, the parameters of the short form without those that must be there, and the names of parameters. Leaves out the
    titles that pydantic makes up from names.
    """
    definitions: dict[str, Schema] = {}
    named: set[str] = set()
    whole = _clean(schema, named)
    for name in sorted(named):
        definitions.update(_DEFINITIONS[name]())
    known = {**definitions, **whole.pop("$defs", {})}
    return {"$schema": DRAFT, "title": title, **whole, "$defs": dict(sorted(known.items()))}


def _clean(schema: Any, named: set[str]) -> Any:
    """A copy without made-up titles and nulls, bounds in JSON Schema's words, a reference in the place of each mark.

    The names of the marks go into `named`.
    """
    if isinstance(schema, list):
        return [_clean(item, named) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made: Schema = {}
    for key, value in _without_null(schema).items():
        if key in ("properties", "$defs"):
            made[key] = {name: _clean(inner, named) for name, inner in value.items()}
        elif key == "$comment" and str(value).startswith(MARK):
            named.add(str(value).removeprefix(MARK))
            made["$ref"] = f"#/$defs/{str(value).removeprefix(MARK)}"
        elif key != "title":
            made[BOUNDS.get(key, key)] = value if key in ("default", "const", "enum") else _clean(value, named)
    return made


def _without_null(schema: Schema) -> Schema:
    """What may be left out need not be null as well."""
    if schema.get("default", ...) is not None or "anyOf" not in schema:
        return schema
    kept = [choice for choice in schema["anyOf"] if choice != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    return {**kept[0], **rest} if len(kept) == 1 else {**rest, "anyOf": kept}


def _operations() -> dict[str, Schema]:
    """``Operation``, one of all operations, told apart by ``op``; and each of them."""
    definitions = {f"op.{name}": _of(cls) for name, cls in OPS.items()}
    references = {name: f"#/$defs/op.{name}" for name in OPS}
    one = {
        "description": "An operation: {op: …} and its parameters.",
        "type": "object",
        "required": ["op"],
        "discriminator": {"propertyName": "op", "mapping": references},
        "oneOf": [{"$ref": reference} for reference in references.values()],
    }
    return {**definitions, "Operation": one}


def _changes(name: str, model: type[BaseModel]) -> dict[str, Schema]:
    """``UNetChanges`` and its like: the parameters of a short form, none of which must be there."""
    changes = _of(model)
    inner: dict[str, Schema] = changes.pop("$defs", {})
    changes.pop("required", None)
    changes["minProperties"] = 1
    return {**inner, name: changes}


def _parameters() -> dict[str, Schema]:
    """``Parameters``: new values for parameters that some operation has."""
    names = {name for cls in OPS.values() for name in cls.model_fields if name != "op"}
    return {"Parameters": {"type": "object", "minProperties": 1, "propertyNames": {"enum": sorted(names)}}}


def _of(model: type[BaseModel]) -> Schema:
    made: Schema = _clean(model.model_json_schema(by_alias=True), set())
    return made


_DEFINITIONS: dict[str, Callable[[], dict[str, Schema]]] = {
    "Operation": _operations,
    "UNetChanges": partial(_changes, "UNetChanges", UNet),
    "Edm2Changes": partial(_changes, "Edm2Changes", Edm2),
    "SongChanges": partial(_changes, "SongChanges", Song),
    "Parameters": _parameters,
}
