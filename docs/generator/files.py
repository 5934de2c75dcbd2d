"""The pages of the file formats, from the JSON Schema that `ushape schema` prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from archspec.schema import BOUNDS, architecture_schema
from generator.markdown import code, table
from studies.study.schema import study_schema

Schema = dict[str, Any]


def study_page() -> str:
    """The page of the study file."""
    said = "A study: a base, a protocol, and what is asked. Editors complete and check it with"
    return _page("Study file", f"{said} `ushape schema study`.", study_schema())


def architecture_page() -> str:
    """The page of the architecture file."""
    said = (
        "An architecture: a short form (`unet:`, `edm2:`, `song:`) or a `graph:`, and `edits:`. Editors complete and "
        "check it with `ushape schema architecture`. Operations stand on [a page of their own](operations.md)."
    )
    return _page("Architecture file", said, architecture_schema())


def _page(title: str, said: str, schema: Schema) -> str:
    definitions = {name: one for name, one in schema.get("$defs", {}).items() if not name.startswith("op.")}
    parts = [f"# {title}", said, "## The file", *_object(schema, definitions)]
    for name, one in sorted(definitions.items()):
        parts += [f"## {name}", *_definition(one, definitions)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _definition(schema: Schema, names: Iterable[str]) -> list[str]:
    if "properties" in schema:
        return _object(schema, names)
    return [schema.get("description", ""), _linked(kind(schema), names)]


def _object(schema: Schema, names: Iterable[str]) -> list[str]:
    required = set(schema.get("required", ()))
    rows = [_row(name, one, required, names) for name, one in schema.get("properties", {}).items()]
    return [schema.get("description", ""), table(["key", "value", "default", "what it is"], rows)]


def _row(name: str, schema: Schema, required: set[str], names: Iterable[str]) -> tuple[str, str, str, str]:
    default = "required" if name in required else code(_shown(schema["default"])) if "default" in schema else ""
    return code(name), _linked(kind(schema), names), default, _prose(schema.get("description", ""))


def _linked(words: str, names: Iterable[str]) -> str:
    """The words with each definition's name as a link to its section."""
    known = "|".join(map(re.escape, names))
    return re.sub(rf"\b({known})\b", lambda match: f"[{match[0]}](#{match[0].lower()})", _prose(words))


def _prose(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value).replace("'", "")


def kind(schema: Any) -> str:
    """What a value may be, in a few words; definitions by their name."""
    if not isinstance(schema, dict):
        return "anything"
    return next(_words(schema), "anything")


def _words(schema: Schema) -> Iterator[str]:
    """One word for each way in which a schema can say its kind; the first counts."""
    if "$ref" in schema:
        yield schema["$ref"].rpartition("/")[2]
    if "const" in schema or "enum" in schema:
        yield " or ".join(_shown(one) for one in schema.get("enum", [schema.get("const")]))
    for key in ("anyOf", "oneOf"):
        if key in schema:
            yield _either([kind(one) for one in schema[key]])
    if schema.get("type") == "array":
        yield f"list of {kind(schema.get('items'))}"
    if schema.get("type") == "object":
        yield f"mapping to {kind(schema.get('additionalProperties'))}"
    if "type" in schema:
        yield f"{schema['type']}{_bounds(schema)}"


def _either(kinds: list[str]) -> str:
    """One of several kinds; a list of any of the others is said in short."""
    others = " or ".join(dict.fromkeys(one for one in kinds if not one.startswith("list of ")))
    lists = dict.fromkeys(one for one in kinds if one.startswith("list of "))
    return " or ".join([others, *("list of these" if one == f"list of {others}" else one for one in lists)])


def _bounds(schema: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    given = {BOUNDS.get(key, key): value for key, value in schema.items()}
    said = [f"{sign} {given[key]:g}" for key, sign in signs.items() if key in given]
    return f" {', '.join(said)}" if said else ""
