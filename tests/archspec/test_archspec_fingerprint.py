"""The fingerprint: equal for the same computation however it is written, different for another one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

import archspec
from archspec.text.parse import Positions

SMALL: dict[str, Any] = {
    "ch": 32,
    "out_ch": 3,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}

Nodes = dict[str, dict[str, Any]]
Edges = list[list[str]]


def unet(**changes: Any) -> archspec.ArchGraph:
    return archspec.check_data(
        {"version": 1, "name": "small", "unet": {**SMALL, **changes}}, Positions("small")
    ).sound()


def graph(nodes: Nodes, edges: Edges) -> archspec.ArchGraph:
    return archspec.from_document({"version": 1, "name": "by hand", "graph": {"nodes": nodes, "edges": edges}})


def mark(nodes: Nodes, edges: Edges) -> str:
    return archspec.fingerprint(graph(nodes, edges))


ENDS: Nodes = {"x": {"op": "input", "channels": 4, "resolution": 8}, "out": {"op": "output"}}


@pytest.mark.parametrize(
    "same",
    [
        {"use_linear_attn": False},
        {"attn_resolutions": [8, 4]},
        {"attn_resolutions": [8, 8]},
        {"attn": {"heads": 1}},
        {"attn": {"head_dim": 64}},
        {"attn": {"heads": 1, "head_dim": 64, "norm": True, "residual": True}},
        {"attn": {"heads": None}},
        {"attn_at": {8: {"type": "vanilla"}, 16: {"heads": 4}}},
        {"mid_attn": {}},
        {"mid_attn": {"type": "vanilla"}},
        {"ch_mult": [1.0, 2.0]},
        {"dropout": -0.0},
        {"dropout": 0},
        {"skip": "concat", "num_groups": 32, "norm_eps": 1e-6, "zero_init": False, "context_channels": 0},
    ],
)
def test_equivalent_spellings(same: dict[str, Any]) -> None:
    assert archspec.fingerprint(unet()) == archspec.fingerprint(unet(**same))


def test_two_ways_to_say_linear_and_none() -> None:
    assert archspec.fingerprint(unet(use_linear_attn=True)) == archspec.fingerprint(unet(attn_type="linear"))
    assert archspec.fingerprint(unet(use_linear_attn=True)) == archspec.fingerprint(
        unet(attn_at={8: {"type": "linear"}}, mid_attn={"type": "linear"})
    )
    assert archspec.fingerprint(unet(attn_type="none")) == archspec.fingerprint(
        unet(attn_resolutions=[], mid_attn=False, attn={"heads": 7})
    )
    assert archspec.fingerprint(unet(attn={"norm": False, "residual": False}, attn_type="linear")) == (
        archspec.fingerprint(unet(attn_type="linear"))
    )


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"ch": 64},
    {"ch": 64, "ch_mult": [0.5, 1]},  # the stem is as wide as ch
    {"out_ch": 6},
    {"ch_mult": [1, 3]},
    {"ch_mult": [1, 2, 2]},
    {"num_res_blocks": 2},
    {"attn_resolutions": [16, 8]},
    {"attn_resolutions": [16]},
    {"attn_resolutions": []},
    {"dropout": 0.1},
    {"dropout": 0.2},
    {"resamp_with_conv": False},
    {"in_channels": 4},
    {"resolution": 32, "attn_resolutions": [16]},
    {"use_timestep": False},
    {"use_linear_attn": True},
    {"attn_type": "none"},
    {"attn": {"heads": 2}},
    {"attn": {"heads": 4}},
    {"attn": {"heads": 2, "head_dim": 64}},
    {"attn": {"norm": False}},
    {"attn": {"residual": False}},
    {"attn": {"norm": False, "residual": False}},
    {"attn_type": "linear", "attn": {"norm": True}},
    {"attn_type": "linear", "attn": {"norm": True, "residual": True}},
    {"attn_at": {8: {"type": "linear"}}},
    {"mid_attn": False},
    {"mid_attn": {"type": "linear"}},
    {"skip": "add"},
    {"skip": "none"},
    {"num_groups": 16},
    {"norm_eps": 1e-5},
    {"zero_init": True},
    {"context_channels": 1},
]


def test_different_computations_are_told_apart() -> None:
    marks = {archspec.fingerprint(unet(**changes)): changes for changes in DIFFERENT}
    assert len(marks) == len(DIFFERENT)


def test_a_group_norm_that_is_not_there_does_not_count() -> None:
    bare = {"attn": {"norm": False}}
    nodes = archspec.to_document(unet(**bare))["graph"]["nodes"]
    edges = archspec.to_document(unet(**bare))["graph"]["edges"]
    other = {node: {**op, "groups": 8, "eps": 0.1} if op["op"] == "attention" else op for node, op in nodes.items()}
    assert mark(nodes, edges) == mark(other, edges)


def test_options_without_effect_do_not_count() -> None:
    chain = [["x", "a"], ["a", "b"], ["b", "up"], ["up", "out"]]
    block = {"op": "resnet_block", "out": 4, "groups": 2, "conditioning": "none"}
    nodes: Nodes = {**ENDS, "a": block, "b": {"op": "downsample", "method": "avg_pool"}, "up": {"op": "upsample"}}
    base = mark(nodes, chain)
    assert base == mark({**nodes, "a": {**block, "conv_shortcut": True}}, chain)  # the channels stay, so no shortcut
    assert base == mark({**nodes, "b": {**nodes["b"], "padding": "symmetric"}}, chain)  # pooling pads nothing
    assert base != mark({**nodes, "b": {"op": "downsample"}}, chain)
    assert base != mark({**nodes, "a": {**block, "emb_dim": 4, "conditioning": "add"}}, chain)  # unused parameters


def test_a_sum_does_not_care_which_is_which_unless_one_is_projected() -> None:
    nodes: Nodes = {
        **ENDS,
        "a": {"op": "conv", "out": 4},
        "b": {"op": "conv", "out": 4, "kernel": 1},
        "sum": {"op": "add", "project": True},
    }
    edges = [["x", "a"], ["x", "b"], ["a", "sum", "x"], ["b", "sum", "skip"], ["sum", "out"]]
    swapped = [["x", "a"], ["x", "b"], ["b", "sum", "x"], ["a", "sum", "skip"], ["sum", "out"]]
    assert mark(nodes, edges) == mark(nodes, swapped)
    wider: Nodes = {**nodes, "b": {"op": "conv", "out": 4, "kernel": 3}, "a": {"op": "conv", "out": 8}}
    assert mark(wider, edges) != mark(wider, swapped)
    joined: Nodes = {**nodes, "sum": {"op": "concat"}}
    assert mark(joined, edges) != mark(joined, swapped)


def test_weights_that_are_shared_are_not_weights_that_are_alike() -> None:
    one: Nodes = {**ENDS, "a": {"op": "conv", "out": 4}, "join": {"op": "concat"}}
    two: Nodes = {**one, "b": {"op": "conv", "out": 4}}
    shared = [["x", "a"], ["a", "join", "x"], ["a", "join", "skip"], ["join", "out"]]
    alike = [["x", "a"], ["x", "b"], ["a", "join", "x"], ["b", "join", "skip"], ["join", "out"]]
    assert mark(one, shared) != mark(two, alike)


def test_what_has_no_weights_may_as_well_be_there_twice() -> None:
    one: Nodes = {**ENDS, "a": {"op": "act"}, "join": {"op": "concat"}}
    two: Nodes = {**one, "b": {"op": "act"}}
    shared = [["x", "a"], ["a", "join", "x"], ["a", "join", "skip"], ["join", "out"]]
    alike = [["x", "a"], ["x", "b"], ["a", "join", "x"], ["b", "join", "skip"], ["join", "out"]]
    assert mark(one, shared) == mark(two, alike)


def test_sums_of_equal_looking_parts() -> None:
    """(a + a) and (b + b), against (a + b) twice, where a and b are alike: each node alone looks the same in both."""
    convs: Nodes = {name: {"op": "conv", "out": 4} for name in ("a", "b", "d", "e")}
    nodes: Nodes = {**ENDS, **convs, "p": {"op": "add"}, "q": {"op": "add"}, "sum": {"op": "add"}}
    rest = [["x", "a"], ["x", "b"], ["p", "d"], ["q", "e"], ["d", "sum"], ["e", "sum", "skip"], ["sum", "out"]]
    doubled = [["a", "p"], ["a", "p", "skip"], ["b", "q"], ["b", "q", "skip"]]
    crossed = [["a", "p"], ["b", "p", "skip"], ["a", "q"], ["b", "q", "skip"]]
    turned = [["b", "p"], ["a", "p", "skip"], ["a", "q"], ["b", "q", "skip"]]
    assert mark(nodes, [*rest, *doubled]) != mark(nodes, [*rest, *crossed])
    assert mark(nodes, [*rest, *turned]) == mark(nodes, [*rest, *crossed])


def test_numbers_are_read_as_numbers() -> None:
    text = "version: 1\nname: {name}\nunet: {{ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, {rest}}}\n"
    rest = "attn_resolutions: [8], in_channels: 3, resolution: 16, norm_eps: 1.0e-06"
    other = "resolution: 0x10, attn_resolutions: [0o10], norm_eps: 0.000001, in_channels: 3"
    marks = {
        archspec.fingerprint(archspec.build(archspec.loads(text.format(name=name, rest=rest_))))
        for name, rest_ in (("a", rest), ("b", other))
    }
    assert marks == {archspec.fingerprint(unet())}


def test_it_is_the_same_in_every_process() -> None:
    code = "import archspec; print(archspec.fingerprint(archspec.build(archspec.load('zoo/seed-256'))))"
    marks = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert marks == {"81527a71a3ec931d85ef64fe19aa8bd4"}
