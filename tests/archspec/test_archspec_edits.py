"""Edits: what each does, what it refuses, whose fault a problem is, and identities between edits and parameters."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec import Edit, Spec
from archspec.graphs.graph import inputs_of, op_of
from archspec.ops import Add, Attention, Concat, Conv, ResnetBlock
from archspec.text.parse import Positions

SMALL = """\
version: 1
name: small
unet:
  ch: 32
  out_ch: 3
  ch_mult: [1, 2]
  num_res_blocks: 2
  attn_resolutions: [8]
  in_channels: 3
  resolution: 16
"""


def edited(edits: str, text: str = SMALL) -> archspec.ArchGraph:
    return archspec.build(archspec.loads(f"{text}edits:\n{edits}", "small.yaml"))


def refused(edits: str, text: str = SMALL) -> list[str]:
    checked = archspec.check_text(f"{text}edits:\n{edits}", "small.yaml")
    assert checked.graph is None
    return [str(problem) for problem in checked.problems]


def seed(edits: list[dict[str, Any]], **changes: Any) -> archspec.ArchGraph:
    parameters = {
        "ch": 128,
        "out_ch": 3,
        "num_res_blocks": 2,
        "attn_resolutions": [16],
        "in_channels": 3,
        "resolution": 256,
        "ch_mult": [1, 1, 2, 2, 4],
        **changes,
    }
    return archspec.check_data(
        {"version": 1, "name": "seed", "unet": parameters, "edits": edits}, Positions("seed")
    ).sound()


def same(first: archspec.ArchGraph, second: archspec.ArchGraph) -> bool:
    return archspec.fingerprint(first) == archspec.fingerprint(second)


# what edits do


def test_remove_bypasses() -> None:
    graph = edited("  - remove: mid.attn_1\n")
    assert "mid.attn_1" not in graph
    assert inputs_of(graph, "mid.block_2") == {"x": "mid.block_1", "emb": "temb"}


def test_remove_of_a_merge_lets_the_running_map_go_on_and_cuts_the_skip() -> None:
    graph = edited("  - remove: up.0.skip.*\n")
    assert inputs_of(graph, "up.0.block.0") == {"x": "up.1.upsample", "emb": "temb"}
    assert not graph.has_edge("conv_in", "up.0.skip.2")


def test_remove_of_several_in_a_row() -> None:
    graph = edited("  - remove: down.1.attn.1\n  - remove: mid.attn_1\n  - remove: mid.block_1\n")
    assert inputs_of(graph, "mid.block_2") == {"x": "down.1.block.1", "emb": "temb"}
    both = edited('  - remove: "mid.*_1"\n')
    assert inputs_of(both, "mid.block_2") == {"x": "down.1.attn.1", "emb": "temb"}


def test_set_changes_parameters_and_leaves_the_others() -> None:
    graph = edited("  - set: {nodes: attention @ 8, to: {heads: 4, norm: true, residual: true, type: linear}}\n")
    op = op_of(graph, "mid.attn_1")
    assert op == Attention(type="linear", heads=4, norm=True, residual=True, groups=32, eps=1e-6)


def test_set_on_many_nodes_changes_those_that_differ() -> None:
    graph = edited(
        "  - set: {nodes: mid.block_1, to: {dropout: 0.1}}\n  - set: {nodes: resnet_block, to: {dropout: 0.1}}\n"
    )
    blocks = [op for node in graph if isinstance(op := op_of(graph, node), ResnetBlock)]
    assert {block.dropout for block in blocks} == {0.1}


def test_set_that_takes_a_port_away_prunes_what_fed_it() -> None:
    graph = edited("  - set: {nodes: resnet_block, to: {conditioning: none}}\n")
    assert [node for node in ("t", "time", "temb") if node in graph] == []
    assert inputs_of(graph, "mid.block_1") == {"x": "down.1.attn.1"}


def test_replace_keeps_the_inputs_at_ports_that_remain() -> None:
    graph = edited('  - replace: {nodes: "up.*.skip.*", with: {op: add, project: true}}\n')
    assert inputs_of(graph, "up.0.skip.0") == {"x": "up.1.upsample", "skip": "down.0.block.1"}
    assert isinstance(op_of(graph, "up.0.skip.0"), Add)
    conv = edited("  - replace: {nodes: mid.block_1, with: {op: conv, out: 64}}\n")
    assert inputs_of(conv, "mid.block_1") == {"x": "down.1.attn.1"}


def test_replace_of_an_input_by_another_input() -> None:
    graph = edited("  - replace: {nodes: x, with: {op: input, channels: 4, resolution: 16}}\n")
    assert str(graph.nodes["x"]["shape"]) == "4x16x16"


def test_disconnect_and_connect_rewire() -> None:
    graph = edited(
        "  - disconnect: {from: down.0.block.0, to: up.0.skip.1}\n"
        "  - connect: {from: conv_in, to: up.0.skip.1, port: skip}\n"
    )
    assert inputs_of(graph, "up.0.skip.1")["skip"] == "conv_in"
    assert inputs_of(graph, "up.0.skip.2")["skip"] == "conv_in"


def test_disconnect_by_port_and_selector() -> None:
    graph = edited(
        "  - disconnect: {from: temb, to: resnet_block, port: emb}\n"
        "  - set: {nodes: resnet_block, to: {conditioning: none}}\n"
    )
    assert "temb" not in graph


def test_an_edge_in_the_same_place_twice_is_one_source_with_two_ports() -> None:
    graph = edited(
        "  - disconnect: {from: down.1.attn.1, to: up.1.skip.0}\n"
        "  - connect: {from: mid.block_2, to: up.1.skip.0, port: skip}\n"
    )
    assert graph.edges["mid.block_2", "up.1.skip.0"]["ports"] == ("x", "skip")
    assert graph.edges["mid.block_2", "up.1.skip.0"]["roles"] == ("main", "skip")
    assert str(graph.nodes["up.1.skip.0"]["shape"]) == "128x8x8"


def test_what_an_edit_cuts_off_goes_with_it() -> None:
    graph = edited(
        '  - remove: "up.1.skip.*"\n'
        "  - disconnect: {from: down.1.attn.1, to: mid.block_1}\n"
        "  - connect: {from: down.0.downsample, to: mid.block_1}\n"
    )
    assert [node for node in graph if node.startswith("down.1")] == []
    assert inputs_of(graph, "mid.block_1")["x"] == "down.0.downsample"


def test_what_is_still_needed_stays_and_misses_its_input() -> None:
    assert refused("  - disconnect: {from: down.0.downsample, to: down.1.block.0}\n") == [
        "small.yaml:12:5: error U104 down.1.block.0: its port `x` is empty. "
        "It takes a feature map: add an edge [source, down.1.block.0]."
    ]


def test_unet_edits_change_parameters_before_nodes_exist() -> None:
    graph = edited("  - unet: {ch: 64, skip: add}\n  - unet: {num_res_blocks: 1}\n  - remove: mid.attn_1\n")
    op = op_of(graph, "conv_in")
    assert isinstance(op, Conv)
    assert op.out == 64
    assert isinstance(op_of(graph, "up.0.skip.0"), Add)
    assert "down.0.block.1" not in graph


# identities


def test_removing_the_middle_attention_is_the_switch() -> None:
    assert same(seed([{"remove": "mid.attn_1"}]), seed([], mid_attn=False))
    assert same(seed([{"unet": {"mid_attn": False}}]), seed([], mid_attn=False))


def test_removing_every_attention_is_attn_type_none() -> None:
    assert same(seed([{"remove": "attention"}]), seed([], attn_type="none"))


def test_removing_one_block_a_stage_is_one_block_fewer() -> None:
    graph = seed([
        {"remove": "down.*.attn.1"},
        {"remove": "down.*.block.1"},
        {"remove": "up.*.skip.1"},
        {"remove": "up.*.attn.1"},
        {"remove": "up.*.block.1"},
    ])  # fmt: skip
    assert archspec.total_price(graph).parameters == 51_919_619
    assert same(graph, seed([], num_res_blocks=1))


def test_replacing_the_merges_is_skip_add() -> None:
    graph = seed([{"replace": {"nodes": "concat", "with": {"op": "add", "project": True}}}])
    assert archspec.total_price(graph).parameters == 63_358_339
    assert same(graph, seed([], skip="add"))


def test_removing_the_merges_is_skip_none() -> None:
    graph = seed([{"remove": "up.*.skip.*"}])
    assert archspec.total_price(graph).parameters == 63_029_123
    assert same(graph, seed([], skip="none"))


def test_one_skip_a_level() -> None:
    graph = seed([{"remove": "up.*.skip.1"}, {"remove": "up.*.skip.2"}])
    assert archspec.total_price(graph).parameters == 67_636_483


def test_setting_attention_is_writing_its_options() -> None:
    fair = {"type": "linear", "norm": True, "residual": True}
    written = seed([], attn_type="linear", attn={"norm": True, "residual": True})
    assert same(seed([{"set": {"nodes": "attention", "to": fair}}]), written)


# as data


def test_edits_describe_themselves() -> None:
    data: list[dict[str, Any]] = [
        {"remove": "mid.attn_1"},
        {"set": {"nodes": "attention", "to": {"heads": 4, "norm": True}}},
        {"replace": {"nodes": {"op": "concat"}, "with": {"op": "add", "project": True}}},
        {"connect": {"from": "a", "to": "b", "port": "skip"}},
        {"disconnect": {"from": {"op": "concat"}, "to": "mid.*"}},
        {"remove": {"nodes": {"op": "attention", "not": "mid.*"}, "project": True}},
        {"insert": {"node": {"op": "act"}, "after": "mid.attn_1"}},
        {"insert": {"node": {"op": "conv", "out": 8}, "before": "attention  @ 16", "port": "x"}},
        {"insert": {"node": {"op": "act"}, "from": "a", "to": "b"}},
        {"rewire": {"to": "up.0.skip.*", "from": "conv_in", "port": "skip"}},
        {"move": {"nodes": "mid.attn_1", "before": "mid.block_1"}},
        {"repeat": {"nodes": "mid.attn_1", "times": 3}},
        {"resize": {"nodes": "side=up", "factor": 0.5}},
        {"resize": {"nodes": "mid.*", "out": 96}},
        {"unet": {"ch_mult": [1, 2], "attn": {"heads": None}}},
    ]
    assert [Edit.model_validate(edit).describe() for edit in data] == [
        "remove mid.attn_1",
        "set attention: heads=4, norm=true",
        "replace concat by add (project=true)",
        "connect a -> b (skip)",
        "disconnect concat -> mid.*",
        "remove attention and not mid.*, projected",
        "insert act after mid.attn_1",
        "insert conv (out=8) before attention @ 16 (x)",
        "insert act on a -> b",
        "rewire conv_in -> up.0.skip.* (skip)",
        "move mid.attn_1 before mid.block_1",
        "repeat mid.attn_1 3 times",
        "resize side=up: out x 0.5",
        "resize mid.*: out=96",
        "ch_mult: [1, 2], attn: {heads: null}",
    ]


def test_a_spec_built_by_hand_places_its_edits_itself() -> None:
    spec = archspec.loads(SMALL, "small.yaml")
    more = spec.architecture.model_copy(update={"edits": (Edit(remove="mid.attn_1"),)})
    graph = archspec.build(Spec("by hand", more, spec.positions))
    assert "mid.attn_1" not in graph
    assert graph.graph["name"] == "by hand"


@pytest.mark.parametrize("merge", [{"op": "concat"}, {"op": "add"}])
def test_replacing_by_what_is_there_already_leaves_the_others(merge: dict[str, Any]) -> None:
    graph = seed([
        {"replace": {"nodes": "up.0.skip.0", "with": {"op": "add", "project": True}}},
        {"replace": {"nodes": "up.0.skip.*", "with": {"op": "concat"}}},
        {"set": {"nodes": "up.0.block.0", "to": {"dropout": 0.5}}},
    ])  # fmt: skip
    assert {type(op_of(graph, f"up.0.skip.{index}")) for index in range(3)} == {Concat}
    assert merge["op"] in archspec.OPS
