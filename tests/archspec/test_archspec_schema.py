"""The JSON Schema says what the models say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import archspec
from archspec.schema import architecture_schema
from archspec.text.parse import parse

BROKEN = Path(__file__).parents[1] / "broken"
SCHEMA = architecture_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

HEAD: dict[str, Any] = {"version": 1, "name": "n"}
SMALL: dict[str, Any] = {
    "ch": 32,
    "out_ch": 3,
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}


def faults(document: Any) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(json.loads(json.dumps(document)))]


def with_edit(edit: Any) -> dict[str, Any]:
    return {**HEAD, "unet": SMALL, "edits": [edit]}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "ushape architecture"
    assert "$comment" not in json.dumps(SCHEMA)


@pytest.mark.parametrize("name", archspec.zoo_names())
def test_the_zoo_is_valid(name: str) -> None:
    file = Path(archspec.__file__).parent / "zoo" / f"{name}.yaml"
    assert faults(parse(file.read_text(encoding="utf-8"), name).data) == []


@pytest.mark.parametrize("name", archspec.zoo_names())
def test_the_full_form_is_valid(name: str) -> None:
    assert faults(archspec.to_document(archspec.build(archspec.load(f"zoo/{name}")))) == []


@pytest.mark.parametrize(
    "edit",
    [
        {"remove": "mid.attn_1"},
        {"remove": {"id": "mid.*", "op": "attention", "resolution": 8, "where": {"heads": None, "type": "vanilla"}}},
        {"set": {"nodes": "attention", "to": {"heads": 4, "norm": True}}},
        {"replace": {"nodes": "concat", "with": {"op": "add", "project": True}}},
        {"connect": {"from": "a", "to": "b", "port": "skip"}},
        {"disconnect": {"from": {"op": "mlp"}, "to": "resnet_block"}},
        {"unet": {"ch": 64, "attn": {"heads": 2}, "mid_attn": False, "attn_at": {8: {"type": "none"}}}},
    ],
)
def test_edits_are_valid(edit: dict[str, Any]) -> None:
    assert faults(with_edit(edit)) == []


def test_edges_of_both_forms_are_valid() -> None:
    nodes = {"x": {"op": "input", "channels": 3, "resolution": 8}, "out": {"op": "output"}}
    edges = [["x", "out"], ["x", "out", "x"], {"from": "x", "to": "out"}, {"from": "x", "to": "out", "port": "x"}]
    assert faults({**HEAD, "graph": {"nodes": nodes, "edges": edges}}) == []
    for edge in (["x"], ["x", "out", "x", "y"], "x -> out", {"from": "x"}, [1, 2]):
        assert faults({**HEAD, "graph": {"nodes": nodes, "edges": [edge]}}) == ["$.graph.edges[0]"]


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"version": 2, "name": "n", "unet": SMALL}, "$.version"),
        ({"name": "n", "unet": SMALL}, "$"),
        ({**HEAD, "unet": SMALL, "sikp": 1}, "$"),
        ({**HEAD}, "$"),
        ({**HEAD, "unet": SMALL, "graph": {"nodes": {"x": {"op": "output"}}, "edges": []}}, "$"),
        ({**HEAD, "unet": {**SMALL, "num_res_block": 1}}, "$.unet"),
        ({**HEAD, "unet": {**SMALL, "ch": "32"}}, "$.unet.ch"),
        ({**HEAD, "unet": {**SMALL, "ch": 0}}, "$.unet.ch"),
        ({**HEAD, "unet": {**SMALL, "skip": "cat"}}, "$.unet.skip"),
        ({**HEAD, "unet": {**SMALL, "mid_attn": "yes"}}, "$.unet.mid_attn"),
        ({**HEAD, "unet": {**SMALL, "attn": {"head": 1}}}, "$.unet.attn"),
        ({**HEAD, "graph": {"nodes": {"x": {"op": "conv"}}, "edges": []}}, "$.graph.nodes.x"),
        ({**HEAD, "graph": {"nodes": {"x": {"op": "convv", "out": 3}}, "edges": []}}, "$.graph.nodes.x"),
        ({**HEAD, "graph": {"nodes": {"x": {"op": "conv", "out": 3, "kernel": 2}}, "edges": []}}, "$.graph.nodes.x"),
        ({**HEAD, "graph": {"nodes": {"x": {"out": 3}}, "edges": []}}, "$.graph.nodes.x"),
        ({**HEAD, "graph": {"nodes": {}, "edges": []}}, "$.graph.nodes"),
        (with_edit({}), "$.edits[0]"),
        (with_edit({"remove": "a", "unet": {"ch": 64}}), "$.edits[0]"),
        (with_edit({"remvoe": "a"}), "$.edits[0]"),
        (with_edit({"set": {"nodes": "a", "to": {"hedas": 1}}}), "$.edits[0].set.to"),
        (with_edit({"set": {"nodes": "a", "to": {}}}), "$.edits[0].set.to"),
        (with_edit({"replace": {"nodes": "a", "with": {"op": "conv"}}}), "$.edits[0].replace.with"),
        (with_edit({"unet": {"chh": 1}}), "$.edits[0].unet"),
        (with_edit({"unet": {}}), "$.edits[0].unet"),
    ],
)
def test_typos_are_found_where_they_are(document: dict[str, Any], place: str) -> None:
    assert set(faults(document)) == {place}


def test_everything_that_can_be_written_is_described() -> None:
    bare = [
        f"{name}.{key}"
        for name, definition in SCHEMA["$defs"].items()
        for key, value in definition.get("properties", {}).items()
        if key != "op" and "description" not in value and "$ref" not in value
    ]
    assert bare == []
    assert all("description" in SCHEMA["$defs"][f"op.{name}"] for name in archspec.OPS)


@pytest.mark.parametrize("case", sorted(path.stem for path in BROKEN.glob("keys_*.yaml")))
def test_files_with_wrong_keys_are_invalid(case: str) -> None:
    assert faults(parse((BROKEN / f"{case}.yaml").read_text(encoding="utf-8"), case).data) != []
