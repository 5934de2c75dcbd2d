"""Edits that add, move, repeat and resize nodes, and known identities of the reference U-Net."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.graphs.graph import inputs_of, op_of, shape_of
from archspec.ops import Conv
from archspec.text.parse import Positions

SMALL: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip
SEED: dict[str, Any] = {
    "ch": 128, "out_ch": 3, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16],
    "in_channels": 3, "resolution": 256,
}  # fmt: skip


def edited(*edits: dict[str, Any], unet: dict[str, Any] = SMALL) -> archspec.ArchGraph:
    data = {"version": 1, "name": "edited", "unet": unet, "edits": list(edits)}
    return archspec.check_data(data, Positions("edited")).sound()


def said(*edits: dict[str, Any]) -> list[str]:
    data = {"version": 1, "name": "edited", "unet": SMALL, "edits": list(edits)}
    return [str(problem) for problem in archspec.check_data(data, Positions("edited")).problems]


def same(first: archspec.ArchGraph, second: archspec.ArchGraph) -> bool:
    return archspec.fingerprint(first) == archspec.fingerprint(second)


# insert


def test_insert_after_takes_every_consumer() -> None:
    graph = edited({"insert": {"node": {"op": "act"}, "after": "conv_in"}})
    assert inputs_of(graph, "conv_in_act") == {"x": "conv_in"}
    assert list(graph.succ["conv_in"]) == ["conv_in_act"]
    assert set(graph.succ["conv_in_act"]) == {"down.0.block.0", "up.0.skip.1"}


def test_insert_before_and_on_an_edge_leave_other_consumers() -> None:
    before = edited({"insert": {"node": {"op": "act"}, "before": "down.0.block.0", "id": "extra.act"}})
    assert set(before.succ["conv_in"]) == {"extra.act", "up.0.skip.1"}
    edge = edited({"insert": {"node": {"op": "act"}, "from": "conv_in", "to": "up.0.skip.1"}})
    assert inputs_of(edge, "up.0.skip.1")["skip"] == "up.0.skip.1_act"
    port = edited({"insert": {"node": {"op": "act"}, "before": "concat", "port": "skip"}})
    assert {inputs_of(port, f"up.{i}.skip.{j}")["skip"] for i in (0, 1) for j in (0, 1)} == {
        f"up.{i}.skip.{j}_act" for i in (0, 1) for j in (0, 1)
    }
    assert same(edge, edited({"insert": {"node": {"op": "act"}, "before": "up.0.skip.1", "port": "skip"}}))


def test_insert_fills_further_ports() -> None:
    block = {"op": "resnet_block", "out": 64}
    graph = edited({"insert": {"node": block, "after": "mid.attn_1", "id": "mid.extra", "inputs": {"emb": "temb"}}})
    assert inputs_of(graph, "mid.extra") == {"x": "mid.attn_1", "emb": "temb"}
    assert said({"insert": {"node": block, "after": "mid.attn_1", "inputs": {"embb": "temb"}}}) == [
        "edited: error U306 a resnet_block has no further port `embb`. Its further ports: emb."
    ]
    assert said({"insert": {"node": {"op": "act"}, "after": "mid.attn_1", "inputs": {"skip": "temb"}}}) == [
        "edited: error U306 an act has no further port `skip`. It has `x` alone, which is filled."
    ]


def test_inserting_what_was_removed_is_no_change() -> None:
    back = {"insert": {"node": {"op": "attention"}, "before": "mid.block_2"}}
    assert same(edited({"remove": "mid.attn_1"}, back), edited())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"after": "out"}, "U303 out: nothing takes what it gives, so nothing can come after it."),
        ({"after": "attention", "id": "one"}, "U306 `one` cannot be the id of 4 new nodes. Take `id` out, or select "
         "one node."),
        ({"after": "mid.attn_1", "id": "conv_in"}, "U306 there is a node `conv_in` already. Choose another id."),
        ({"after": "mid.attn_1", "id": "mid.lambda"}, "U109 `lambda` cannot be part of a node id: Python has that name "
         "already. Write `mid.lambda_1`."),
        ({"before": "x"}, "U306 x: an input has no port `x`. It has none."),
        ({"before": "mid.attn_1", "port": "emb"}, "U306 mid.attn_1: an attention has no port `emb`. It has x."),
    ],
)  # fmt: skip
def test_where_nothing_can_be_inserted(edit: dict[str, Any], message: str) -> None:
    assert said({"insert": {"node": {"op": "act"}, **edit}}) == [f"edited: error {message}"]


# rewire, move, repeat, resize


def test_rewire_is_disconnect_and_connect() -> None:
    graph = edited({"rewire": {"to": "up.0.skip.0", "from": "conv_in", "port": "skip"}})
    assert inputs_of(graph, "up.0.skip.0") == {"x": "up.1.upsample", "skip": "conv_in"}
    assert same(
        graph,
        edited(
            {"disconnect": {"from": "down.0.block.0", "to": "up.0.skip.0"}},
            {"connect": {"from": "conv_in", "to": "up.0.skip.0", "port": "skip"}},
        ),
    )


def test_rewire_of_a_port_that_is_given_nothing() -> None:
    cut = {"disconnect": {"from": "conv_in", "to": "up.0.skip.1"}}
    assert said(cut, {"rewire": {"to": "up.0.skip.1", "from": "x", "port": "skip"}})[0] == (
        "edited: error U306 up.0.skip.1: its port `skip` is given nothing. Use `connect` to fill it."
    )


def test_move_keeps_the_other_inputs() -> None:
    graph = edited({"move": {"nodes": "mid.block_1", "after": "mid.block_2"}})
    assert inputs_of(graph, "mid.attn_1") == {"x": "down.1.attn.0"}
    assert inputs_of(graph, "mid.block_1") == {"x": "mid.block_2", "emb": "temb"}
    assert inputs_of(graph, "up.1.skip.0")["x"] == "mid.block_1"


def test_move_of_several_keeps_their_order() -> None:
    graph = edited({"move": {"nodes": "mid.block_1 or mid.attn_1", "before": "up.1.skip.0"}})
    chain = ["down.1.attn.0", "mid.block_2", "mid.block_1", "mid.attn_1", "up.1.skip.0"]
    assert [inputs_of(graph, node)["x"] for node in chain[1:]] == chain[:-1]
    back = edited(
        {"move": {"nodes": "mid.block_1 or mid.attn_1", "before": "up.1.skip.0"}},
        {"move": {"nodes": "mid.block_2", "after": "mid.attn_1"}},
    )
    assert same(back, edited())


def test_move_that_is_refused_leaves_the_graph_as_it_is() -> None:
    assert said({"move": {"nodes": "mid.attn_1", "after": "out"}}, {"remove": "mid.attn_2"}) == [
        "edited: error U303 out: nothing takes what it gives, so nothing can come after it.",
        "edited: error U301 `mid.attn_2` matches no node. Did you mean `mid.attn_1`?",
    ]
    assert said({"move": {"nodes": "mid.*", "after": "mid.attn_1"}}) == [
        "edited: error U303 mid.attn_1: it is one of the nodes that move. Name another place."
    ]


def test_repeat_puts_copies_after_it() -> None:
    graph = edited({"repeat": {"nodes": "mid.block_1", "times": 3}})
    chain = ["down.1.attn.0", "mid.block_1", "mid.block_1_2", "mid.block_1_3", "mid.attn_1"]
    assert [inputs_of(graph, node)["x"] for node in chain[1:]] == chain[:-1]
    assert inputs_of(graph, "mid.block_1_3")["emb"] == "temb"
    assert said({"repeat": {"nodes": "x", "times": 2}}) == ["edited: error U303 x: an input cannot be repeated."]


def test_repeat_of_a_block_that_widens_repeats_its_width() -> None:
    graph = edited({"repeat": {"nodes": "down.1.block.0", "times": 2}})
    assert str(shape_of(graph, "down.1.block.0_2")) == "64x8x8"
    more = archspec.total_price(graph).parameters - archspec.total_price(edited()).parameters
    assert more == 2 * 2 * 64 + 2 * (9 * 64 * 64 + 64) + 129 * 64


def test_resize_sets_or_multiplies_widths() -> None:
    half = edited({"resize": {"nodes": "mid.*", "factor": 0.5}})  # the attention has no width of its own
    assert [str(shape_of(half, node)) for node in ("mid.block_1", "mid.attn_1", "mid.block_2")] == ["32x8x8"] * 3
    assert same(half, edited({"resize": {"nodes": "mid.block_?", "out": 32}}))


def test_resizing_everything_is_another_ch() -> None:
    body = "resnet_block or conv_in or temb"
    graph = edited(
        {"resize": {"nodes": body, "factor": 2.0}},
        {"set": {"nodes": "temb", "to": {"hidden": 256}}},
        {"set": {"nodes": "time", "to": {"dim": 64}}},
    )
    assert same(graph, edited(unet={**SMALL, "ch": 64}))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"nodes": "attention", "out": 64}, "U305 down.1.attn.0: an attention has no width of its own. Widths are set "
         "by operations with `out`, such as conv and resnet_block; select those."),
        ({"nodes": "mid.*", "out": 64}, "U302 this changes nothing: `mid.block_1` and 1 more have that width already."),
        ({"nodes": "mid.block_1", "factor": 0.33}, "U207 mid.block_1: 64 channels times 0.33 would be 21.12. It must "
         "be a whole number; 0.328125 gives 21."),
    ],
)  # fmt: skip
def test_what_cannot_be_resized(edit: dict[str, Any], message: str) -> None:
    assert said({"resize": edit}) == [f"edited: error {message}"]


def test_a_node_that_widens_is_removed_with_a_projection() -> None:
    graph = edited({"remove": {"nodes": "down.1.block.0 or mid.attn_1", "project": True}})
    assert op_of(graph, "down.1.block.0") == Conv(out=64, kernel=1)
    assert inputs_of(graph, "down.1.block.0") == {"x": "down.0.downsample"}
    assert inputs_of(graph, "mid.block_2")["x"] == "mid.block_1"
    assert said({"remove": {"nodes": "down.0.downsample", "project": True}}) == [
        "edited: error U303 down.0.downsample: it turns 32x16x16 into 32x8x8, so it cannot just be left out. "
        "Replace it by another operation that gives the same, or disconnect what it feeds."
    ]


# identities of the reference U-Net


def test_one_block_with_its_attention_fewer_a_stage() -> None:
    ends = "(down.* or up.*) and *.1 and (resnet_block or attention or concat)"
    graph = edited({"remove": ends}, unet=SEED)
    assert archspec.total_price(graph).parameters == 51_919_619
    assert same(graph, edited(unet={**SEED, "num_res_blocks": 1}))


@pytest.mark.parametrize(
    ("edit", "parameters", "unet"),
    [
        ({"replace": {"nodes": "concat", "with": {"op": "add", "project": True}}}, 63_358_339, {"skip": "add"}),
        ({"remove": "concat"}, 63_029_123, {"skip": "none"}),
        ({"unet": {"skip": "add"}}, 63_358_339, {"skip": "add"}),
        ({"unet": {"skip": "none"}}, 63_029_123, {"skip": "none"}),
    ],
)
def test_skips_as_edits(edit: dict[str, Any], parameters: int, unet: dict[str, Any]) -> None:
    graph = edited(edit, unet=SEED)
    assert archspec.total_price(graph).parameters == parameters
    assert same(graph, edited(unet={**SEED, **unet}))


@pytest.mark.parametrize("first", ["up.*.skip.1 or up.*.skip.2", "concat and not *.0"])
def test_one_skip_a_level(first: str) -> None:
    graph = edited({"remove": first}, unet=SEED)
    assert archspec.total_price(graph).parameters == 67_636_483
    short = edited(unet={**SEED, "skip_per": "level"})
    assert archspec.total_price(short).parameters == 67_636_483
    assert same(graph, short)
    assert same(graph, edited({"unet": {"skip_per": "level"}}, unet=SEED))


def test_one_width_less_a_level_is_resize() -> None:
    graph = edited({"resize": {"nodes": "level=4 and resnet_block", "factor": 0.5}}, unet=SEED)
    assert same(graph, edited(unet={**SEED, "ch_mult": [1, 1, 2, 2, 2]}))


def test_what_is_removed_together_is_judged_together() -> None:
    assert said({"remove": "up.0.block.0 or up.0.skip.0"}) == [
        "edited: error U303 up.0.block.0: it turns 64x16x16 into 32x16x16, so it cannot just be left out. "
        "Keep a projection in its place: `remove: {nodes: up.0.block.0, project: true}`."
    ]
    graph = edited({"remove": {"nodes": "up.0.block.0 or up.0.skip.0", "project": True}})
    assert op_of(graph, "up.0.block.0") == Conv(out=32, kernel=1)
    assert inputs_of(graph, "up.0.block.0") == {"x": "up.1.upsample"}
    assert inputs_of(edited({"remove": "up.0.*.1"}), "norm_out") == {"x": "up.0.block.0"}
