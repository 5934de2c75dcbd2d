"""The base as a point of every kind of dimension; and what of a point becomes which edit."""

from __future__ import annotations

from typing import Any

import pytest

from archspec import build, check_spec, fingerprint, loads
from archspec.build import Spec
from search.decode import decode, edits_of, is_there, parameter_path
from search.dimension import Dimension, Scalar
from search.space import Space, point
from search.start import base_point, near_base
from tests.search.spaces import BASE, edge, space

WITH_HEADS = loads(
    "version: 1\nname: h\nunet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: [1, 2], attn_resolutions: [8, 4],"
    " in_channels: 1, resolution: 8, attn: {heads: 2}, dropout: 0.1}"
)
REPEATED = loads(
    """
version: 1
name: r
unet: {ch: 32, out_ch: 1, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8}
edits:
- repeat: {nodes: mid.block_1, times: 2}
"""
)
SKIP = {"to": "up.1.skip.0", "port": "skip"}
HEADS_OF_NODES: Space = space(heads={"nodes": "attention", "choice": [1, 5]})
UNLIKE = loads(
    "version: 1\nname: u\nunet: {ch: 32, out_ch: 1, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8, 4],"
    " in_channels: 1, resolution: 8, attn_at: {4: {heads: 2}}}"
)
HEADS = {"choice": [1, 2], "parameter": "attn.heads"}


@pytest.mark.parametrize(
    ("spec", "dimensions", "chosen"),
    [
        (BASE, {"ch": [32, 64]}, {"ch": 32}),
        (BASE, {"ch": {"int": [16, 64], "step": 16}}, {"ch": 32}),
        (BASE, {"ch": {"int": [20, 64], "step": 16}}, None),
        (BASE, {"dropout": {"float": [0.0, 0.3]}}, {"dropout": 0.0}),
        (WITH_HEADS, {"dropout": {"float": [0.2, 0.3]}}, None),
        (WITH_HEADS, {"attn_resolutions": {"subset": [8, 4, 2]}},
         {"attn_resolutions[8]": True, "attn_resolutions[4]": True, "attn_resolutions[2]": False}),
        (BASE, {"num_res_blocks": {"int": [1, 3], "per_level": True}},
         {"num_res_blocks[0]": 1, "num_res_blocks[1]": 1}),
        (WITH_HEADS, {"num_res_blocks": {"int": [1, 3], "per_level": True}},
         {"num_res_blocks[0]": 1, "num_res_blocks[1]": 2}),
        (WITH_HEADS, {"heads": HEADS}, {"heads": 2}),
        (BASE, {"heads": HEADS}, {"heads": 1}),
        (BASE, {"levels": {"int": [1, 3]}, "ch_mult": {"choice": [1, 2], "per_level": "levels"}},
         {"levels": 2, "ch_mult[0]": 1, "ch_mult[1]": 2}),
        (BASE, {"levels": [3, 4], "ch_mult": {"choice": [1, 2], "per_level": "levels"}}, None),
        (BASE, {"leads": ["x", "y"], "ch": {"choice": [64], "when": {"leads": "y"}}}, {"leads": "x"}),
        (BASE, {"leads": ["x", "y"], "ch": {"choice": [64], "when": {"leads": ["x", "y"]}}}, None),
        (WITH_HEADS, {"heads": {"nodes": "attention", "choice": [1, 2]}}, {"heads": 2}),
        (BASE, {"heads": {"nodes": "attention", "choice": [2, 4]}}, None),
        (BASE, {"width": {"nodes": "attention", "choice": [1, 3], "parameter": "heads"}}, {"width": 1}),
        (BASE, {"heads": {"nodes": "mid.attn_1", "choice": [1, 2]}}, {"heads": 1}),
        (UNLIKE, {"heads": {"nodes": "attention", "choice": [1, 2]}}, None),
        (BASE, {"kind": {"nodes": "attention", "operations": {"new": {"op": "conv", "out": 64}, "old": None}}},
         {"kind": "old"}),
        (BASE, {"kind": {"nodes": "mid.attn_1", "operations": {"new": {"op": "conv", "out": 64}}}}, None),
        (BASE, {"part": {"edits": {"less": [{"remove": "mid.attn_1"}], "as is": []}}}, {"part": "as is"}),
        (BASE, {"part": {"edits": {"less": [{"remove": "mid.attn_1"}]}}}, None),
        (BASE, {"middle": {"present": "mid.attn_1"}}, {"middle": True}),
        (BASE, {"depth": {"int": [1, 3], "repeat": "mid.block_1"}}, {"depth": 1}),
        (BASE, {"depth": {"int": [2, 3], "repeat": "mid.block_1"}}, None),
        (BASE, {"wire": {"rewire": SKIP, "choice": ["conv_in", "down.1.attn.0"]}}, {"wire": "down.1.attn.0"}),
        (BASE, {"wire": {"rewire": SKIP, "choice": ["conv_in", None]}}, {"wire": None}),
        (BASE, {"wire": {"rewire": SKIP, "choice": ["conv_in"]}}, None),
        (BASE, {"wire": edge("conv_in")}, {"wire": True}),
        (BASE, {"wire": edge("down.0.block.0")}, {"wire": False}),
        (BASE, {"wire": edge("conv_in", "nowhere", None)}, {"wire": False}),
        (BASE, {}, {}),
    ],
)  # fmt: skip
def test_the_base_as_a_point(spec: Spec, dimensions: dict[str, Any], chosen: dict[str, Any] | None) -> None:
    made, levels = space(**dimensions), 2
    found = base_point(spec, made, levels)
    assert found == chosen
    if found is not None:
        graph = build(spec.with_edits(decode(spec, made, point(made, found, levels))))
        assert fingerprint(graph) == fingerprint(build(spec))


def test_a_base_that_is_unsound_is_no_point() -> None:
    unsound = check_spec(BASE.with_edits(decode(BASE, HEADS_OF_NODES, {"heads": 5})))
    assert unsound.graph is None
    assert unsound.spec is not None
    assert base_point(unsound.spec, HEADS_OF_NODES, 2) is None


def test_once_is_the_base_also_where_the_base_has_repeated_nodes() -> None:
    made = space(depth={"int": [1, 2], "repeat": "mid.block_2"})
    assert base_point(REPEATED, made, 1) == {"depth": 1}


def test_of_several_values_that_may_be_the_base_the_one_that_is_it_is_found() -> None:
    """An option at its default says nothing; which value that is shows in the graph."""
    made = space(
        heads={"choice": [4, 2, 1], "parameter": "attn.heads"},
        residual={"choice": [False, True], "parameter": "attn.residual"},
    )
    assert base_point(BASE, made, 2) == {"heads": 1, "residual": True}


def test_neighbours_of_the_base_differ_in_one_plain_choice_and_in_two_where_there_are_no_more() -> None:
    made = space(a=[1, 2], b=[1, 2], c=[1, 2])
    base: dict[str, Scalar] = {"a": 1, "b": 1, "c": 1}

    def apart(one: dict[str, Scalar]) -> int:
        return sum(one[slot] != base[slot] for slot in base)

    assert sorted(map(apart, near_base(made, 1, base, 3, seed=0))) == [1, 1, 1]
    assert sorted(map(apart, near_base(made, 1, base, 6, seed=0))) == [1, 1, 1, 2, 2, 2]
    assert len(near_base(made, 1, base, 20, seed=0)) == 6  # none differs in three
    assert near_base(made, 1, base, 3, seed=5) == near_base(made, 1, base, 3, seed=5)
    assert near_base(made, 1, base, 0, seed=0) == []


# what becomes of values


def edits_as_data(spec: Spec, made: Space, **values: Any) -> list[dict[str, Any]]:
    return [edit.model_dump(exclude_none=True, by_alias=True) for edit in decode(spec, made, values)]


def test_values_that_the_base_has_are_no_edit() -> None:
    made = space(ch=[32, 64], dropout={"float": [0.0, 0.5]}, skip=["concat", "add"])
    assert edits_as_data(BASE, made, ch=32, dropout=0.0, skip="concat") == []
    assert edits_as_data(BASE, made, ch=64, dropout=0.0, skip="add") == [{"unet": {"ch": 64, "skip": "add"}}]


def test_the_edit_of_the_short_form_comes_first_and_the_others_in_the_order_of_the_space() -> None:
    made = space(
        middle={"present": "mid.attn_1"},
        ch=[32, 64],
        heads={"nodes": "attention", "choice": [1, 2]},
        skip=["concat", "add"],
    )
    kinds = [edit.kind for edit in decode(BASE, made, {"middle": False, "ch": 64, "heads": 2, "skip": "add"})]
    assert kinds == ["unet", "remove", "set"]


def test_edits_of_the_short_form_that_stand_under_a_label_join_the_others() -> None:
    made = space(
        ch=[32, 64],
        part={"edits": {"as is": [], "wide": [{"unet": {"num_res_blocks": 2}}, {"remove": "mid.attn_1"}]}},
    )
    assert edits_as_data(BASE, made, ch=64, part="wide") == [
        {"unet": {"ch": 64, "num_res_blocks": 2}},
        {"remove": "mid.attn_1"},
    ]
    assert edits_as_data(BASE, made, ch=32, part="as is") == []


def test_options_are_put_beside_those_that_the_file_says() -> None:
    made = space(
        heads={"choice": [1, 2, 4], "parameter": "attn.heads"},
        norm={"choice": [True, False], "parameter": "attn.norm"},
        deep={"choice": ["linear", "vanilla"], "parameter": "attn_at.8.type"},
    )
    assert edits_as_data(WITH_HEADS, made, heads=2) == []
    assert edits_as_data(WITH_HEADS, made, heads=4) == [{"unet": {"attn": {"heads": 4}}}]
    assert edits_as_data(WITH_HEADS, made, norm=True, deep="linear") == [
        {"unet": {"attn": {"heads": 2, "norm": True}, "attn_at": {8: {"type": "linear"}}}}
    ]


@pytest.mark.parametrize(
    ("dimension", "value", "edits"),
    [
        ({"nodes": "attention", "choice": [1, 2]}, 2, [{"set": {"nodes": "attention", "to": {"d": 2}}}]),
        (
            {"nodes": "attention", "choice": [1, 2], "parameter": "heads"},
            2,
            [{"set": {"nodes": "attention", "to": {"heads": 2}}}],
        ),
        ({"nodes": "attention", "choice": [[1, 2]]}, (1, 2), [{"set": {"nodes": "attention", "to": {"d": [1, 2]}}}]),
        ({"present": "mid.attn_1"}, True, []),
        ({"present": "mid.attn_1"}, False, [{"remove": "mid.attn_1"}]),
        ({"int": [1, 3], "repeat": "mid.block_1"}, 1, []),
        ({"int": [1, 3], "repeat": "mid.block_1"}, 3, [{"repeat": {"nodes": "mid.block_1", "times": 3}}]),
        ({"rewire": {"to": "out"}, "choice": ["a", None]}, None, []),
        ({"rewire": {"to": "out"}, "choice": ["a", None]}, "a", [{"rewire": {"to": "out", "from": "a"}}]),
        ({"edge": {"from": "a", "to": "b"}}, True, [{"connect": {"from": "a", "to": "b"}}]),
        (
            {"edge": {"from": "a", "to": "b", "port": "p"}},
            False,
            [{"disconnect": {"from": "a", "to": "b", "port": "p"}}],
        ),
        ({"nodes": "attention", "operations": {"x": None}}, "x", []),
        ({"choice": [1, 2]}, 2, []),
    ],
)
def test_the_edits_of_one_value(dimension: dict[str, Any], value: Any, edits: list[dict[str, Any]]) -> None:
    made = Dimension.model_validate(dimension)
    found = edits_of("d", made, value)
    assert [edit.model_dump(exclude_none=True, exclude_defaults=True, by_alias=True) for edit in found] == edits


def test_a_path_leads_by_dots_and_numbers_are_keys() -> None:
    assert parameter_path("ch", Dimension(choice=(1,))) == ["ch"]
    assert parameter_path("x", Dimension(choice=(1,), parameter="attn_at.16.heads")) == ["attn_at", 16, "heads"]


@pytest.mark.parametrize(
    ("source", "target", "port", "there"),
    [
        ("conv_in", "up.0.skip.1", "skip", True),
        ("conv_in", "up.0.skip.1", None, True),
        ("down.0.block.0", "up.0.skip.1", "skip", False),
        ("conv_in", "nowhere", None, False),
    ],
)
def test_whether_an_edge_is_there(source: str, target: str, port: str | None, there: bool) -> None:
    made = space(e=edge(source, target, port))
    assert made["e"].edge is not None
    assert is_there(BASE, made["e"].edge) is there
