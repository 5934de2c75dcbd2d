from __future__ import annotations

from typing import Any

import pytest

from archspec import build, check_spec, loads
from search.check import space_faults
from search.decode import decode
from search.feasible import assess
from search.start import base_point
from tests.search.spaces import BASE, edge, space


@pytest.mark.parametrize(
    ("name", "dimension", "value", "words"),
    [
        ("middle", {"present": "mid.attn_1"}, False, ["remove mid.attn_1"]),
        ("middle", {"present": {"nodes": "mid.attn_1", "project": True}}, True, []),
        (
            "kind",
            {"nodes": "mid.attn_1", "operations": {"as is": None, "conv": {"op": "conv", "out": 64}}},
            "conv",
            ["replace mid.attn_1 by conv (out=64)"],
        ),
        ("depth", {"repeat": "mid.block_1", "int": [1, 3]}, 3, ["repeat mid.block_1 3 times"]),
        ("depth", {"repeat": "mid.block_1", "int": [1, 3]}, 1, []),
        (
            "wire",
            {"rewire": {"to": "up.1.skip.0", "port": "skip"}, "choice": ["down.0.block.0", "conv_in"]},
            "conv_in",
            ["rewire conv_in -> up.1.skip.0 (skip)"],
        ),
    ],
)
def test_nodes_that_are_there_or_repeated_or_of_another_kind(
    name: str, dimension: dict[str, Any], value: Any, words: list[str]
) -> None:
    made = space(**{name: dimension})
    assert [edit.describe() for edit in decode(BASE, made, {name: value})] == words
    if value is False or words == []:
        return
    assert check_spec(BASE.with_edits(decode(BASE, made, {name: value}))).spec is not None


@pytest.mark.parametrize("port", ["skip", None])
def test_an_edge_is_there_or_not(port: str | None) -> None:
    made = space(edge=edge("conv_in", port=port))
    assert base_point(BASE, made, 2) == {"edge": True}
    assert decode(BASE, made, {"edge": True}) == ()
    assert [edit.kind for edit in decode(BASE, made, {"edge": False})] == ["disconnect"]


def test_an_edge_in_the_place_of_another() -> None:
    made = space(own=edge("conv_in"), other=edge("down.0.block.0"))
    assert space_faults(BASE, made, 2) == []
    assert base_point(BASE, made, 2) == {"own": True, "other": False}
    assert decode(BASE, made, {"own": True, "other": False}) == ()
    edits = decode(BASE, made, {"own": False, "other": True})
    assert [edit.describe() for edit in edits] == [
        "disconnect conv_in -> up.0.skip.1 (skip)",
        "connect down.0.block.0 -> up.0.skip.1 (skip)",
    ]
    assert assess(BASE, edits, {}).refusal is None
    assert assess(BASE, decode(BASE, made, {"own": True, "other": True}), {}).refusal is not None


def test_options_inside_a_parameter_keep_the_others() -> None:
    spec = loads(
        "version: 1\nname: b\nunet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [4],"
        " in_channels: 1, resolution: 8, attn: {norm: true, heads: 2}}"
    )
    made = space(
        heads={"choice": [2, 4], "parameter": "attn.heads"},
        kind={"choice": ["linear", "vanilla"], "parameter": "attn_at.4.type"},
        middle={"choice": [1, 4], "parameter": "mid_attn.heads"},
    )
    edits = decode(spec, made, {"heads": 4, "kind": "linear", "middle": 4})
    assert [edit.unet for edit in edits] == [
        {"attn": {"norm": True, "heads": 4}, "attn_at": {4: {"type": "linear"}}, "mid_attn": {"heads": 4}}
    ]
    build(spec.with_edits(edits))
