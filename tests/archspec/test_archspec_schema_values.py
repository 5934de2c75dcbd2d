"""The JSON Schema takes the values that the models take: an editor that checks by it says neither more nor less."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from bound_cases import BOUNDS, NEEDED

from archspec.ops import OPS
from archspec.schema import architecture_schema, complete

DEFINITIONS = architecture_schema()["$defs"]


def takes(definition: str, data: Any) -> bool:
    """Whether one definition of the schema takes some data."""
    schema = {"$ref": f"#/$defs/{definition}", "$defs": DEFINITIONS}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(data))


@pytest.mark.parametrize(
    ("parameter", "bounds"), [(name, bounds) for bounds, names in BOUNDS.items() for name in names]
)
def test_the_bounds_of_numbers_are_those_of_the_model(parameter: str, bounds: tuple[Any, ...]) -> None:
    op, _, key = parameter.partition(".")
    least, most, below, _, above, _ = bounds
    base = {"op": op, **NEEDED.get(op, {})}
    found = {value: takes(f"op.{op}", {**base, key: value}) for value in (below, least, most, above)}
    assert found == {below: False, least: True, most: True, above: False}


@pytest.mark.parametrize("name", OPS)
def test_an_operation_is_closed_against_keys_that_it_has_not(name: str) -> None:
    whole = {"op": name, **NEEDED.get(name, {})}
    assert takes(f"op.{name}", whole)
    assert takes("Operation", whole)
    assert not takes(f"op.{name}", {**whole, "colour": 1})
    assert not takes(f"op.{name}", {key: value for key, value in whole.items() if key != "op"})


@pytest.mark.parametrize(
    ("definition", "data", "taken"),
    [
        ("op.norm", {"op": "norm", "groups": "auto"}, True),
        ("op.norm", {"op": "norm", "groups": "all"}, False),
        ("op.attention", {"op": "attention", "heads": None}, False),  # what may be left out need not be null as well
        ("Edm2", {"ch": 8, "out_ch": 3, "in_channels": 3, "resolution": 8, "clip": None}, True),  # but this means none
        ("Edm2Changes", {"clip": None}, True),
        ("Edm2Changes", {"ch": None}, False),
        ("UNetChanges", {"num_res_blocks": [1, 2]}, True),
        ("UNetChanges", {"num_res_blocks": []}, False),
        ("UNetChanges", {"num_res_blocks": 65}, False),
        ("UNetChanges", {"transformer": {"depth": [1, [2, 3]]}}, True),
        ("UNetChanges", {"transformer": {"depth": [1, [2, [3]]]}}, False),
        ("UNetChanges", {"mid_attn": {"heads": 2}}, True),
        ("UNetChanges", {"mid_attn": 1}, False),
        ("UNetChanges", {"attn_at": {"8": {"depth": 2}}}, True),
        ("UNetChanges", {"attn_at": {"8": {"depths": 2}}}, False),
        ("UNetChanges", {"ch_mult": [0.5, 1024]}, True),
        ("UNetChanges", {"ch_mult": [0]}, False),
        ("UNetChanges", {"ch_mult": [1] * 13}, False),
        ("SongChanges", {"features": "fourier", "noise_mult": 2}, True),
        ("SongChanges", {"features": "sines"}, False),
        ("SongChanges", {}, False),
        ("Parameters", {"heads": 2, "out": 4}, True),
        ("Parameters", {"hidden_width": 4}, False),
        ("Operation", {"op": "conv", "out": 4}, True),
        ("Operation", {"op": "conv"}, False),
    ],
)
def test_values_that_are_taken_and_values_that_are_not(definition: str, data: Any, taken: bool) -> None:
    assert takes(definition, data) is taken


def test_changes_have_the_parameters_of_their_short_form_and_need_none() -> None:
    for form in ("UNet", "Edm2", "Song"):
        whole, changes = DEFINITIONS[form], DEFINITIONS[f"{form}Changes"]
        assert changes["properties"] == whole["properties"]
        assert "required" not in changes
        assert {"ch", "out_ch", "in_channels", "resolution"} <= set(whole["required"])


def test_a_schema_is_made_whole_by_the_definitions_that_it_names() -> None:
    made = complete({"properties": {"with": {"$comment": "ushape: Operation", "title": "With"}}}, title="of a test")
    assert made["title"] == "of a test"
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert made["properties"] == {"with": {"$ref": "#/$defs/Operation"}}
    assert set(made["$defs"]) == {"Operation", *(f"op.{name}" for name in OPS)}
    assert list(made["$defs"]) == sorted(made["$defs"])


def test_a_comment_that_names_no_definition_stays() -> None:
    assert complete({"$comment": "ushape is a name"}, title="t")["$comment"] == "ushape is a name"


#: those words of draft 2020-12 that the schemas of this package use
WORDS = {
    "$schema", "$defs", "$ref", "title", "description", "type", "enum", "const", "default", "properties", "required",
    "additionalProperties", "propertyNames", "minProperties", "maxProperties", "items", "minItems",
    "maxItems", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "oneOf",
    "anyOf", "discriminator",
}  # fmt: skip


def words(schema: Any) -> set[str]:
    """The keywords of a schema, those inside it included."""
    if isinstance(schema, list):
        return set().union(*map(words, schema))
    if not isinstance(schema, dict):
        return set()
    inner = [
        words(value)
        for key, value in schema.items()
        if key not in ("default", "properties", "$defs", "enum", "discriminator")
    ]
    named = [words(value) for key in ("properties", "$defs") for value in schema.get(key, {}).values()]
    return set(schema).union(*inner, *named)


def test_every_word_of_the_schema_is_one_of_json_schema() -> None:
    assert words(architecture_schema()) <= WORDS


def test_titles_and_nulls_that_pydantic_makes_up_are_left_out() -> None:
    schema = {
        "properties": {
            "title": {"title": "Title", "type": "string"},
            "width": {
                "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
                "default": None,
                "title": "Width",
            },
            "either": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}], "default": None},
            "clip": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": 2.0},
        }
    }
    assert complete(schema, title="t")["properties"] == {
        "title": {"type": "string"},
        "width": {"type": "integer", "minimum": 1},
        "either": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "clip": {"anyOf": [{"type": "number"}, {"type": "null"}], "default": 2.0},
    }
