"""Rows of levels and of nodes: what is counted at which resolution, and how it is said in words."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.graphs.summary import LevelRow, levels, node_rows, summary
from archspec.text.positions import Positions

SMALL: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip


def unet(*edits: dict[str, Any], **changes: Any) -> archspec.ArchGraph:
    document = {"version": 1, "name": "n", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return archspec.check_data(document, Positions("f")).sound()


def by_hand(nodes: dict[str, dict[str, Any]], *edges: str) -> archspec.ArchGraph:
    ends = {"x": {"op": "input", "channels": 4, "resolution": 8}, "out": {"op": "output"}}
    graph = {"nodes": {**ends, **nodes}, "edges": [edge.split() for edge in edges]}
    return archspec.from_document({"version": 1, "name": "by hand", "graph": graph})


REPLACE = {"replace": {"nodes": "mid.attn_1", "with": {"op": "window_attention", "window": 4, "heads": 2}}}


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (unet(), "4 vanilla, 1 head"),
        (unet(attn={"heads": 2}), "4 vanilla, 2 heads"),
        (unet(attn={"head_dim": 16}), "4 vanilla, 4 heads"),
        (unet(attn={"norm": False}), "4 vanilla, 1 head, no norm"),
        (unet(attn={"residual": False}), "4 vanilla, 1 head, no residual"),
        (unet(norm_type="none"), "4 vanilla, 1 head, no norm"),
        (unet(attn_type="linear"), "4 linear, 1 head, no norm, no residual"),
        (unet(attn_type="transformer", mid_attn=False), "3 transformer, 1 head, depth 1"),
        (unet(attn_type="transformer", transformer={"depth": [1, [1, 2]]}),
         "2 transformer, 1 head, depth 1; 2 transformer, 1 head, depth 2"),
        (unet(REPLACE), "3 vanilla, 1 head; 1 windows of 4, 2 heads"),
        (unet(attn_type="none"), ""),
    ],
)  # fmt: skip
def test_attention_in_words(graph: archspec.ArchGraph, said: str) -> None:
    assert [row.attention for row in levels(graph)] == ["", said]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["2 concat", "2 concat"]),
        ({"skip": "add"}, ["2 add", "2 add"]),
        ({"skip_per": "level"}, ["1 concat", "1 concat"]),
        ({"skip": "none"}, ["", ""]),
        ({"context_channels": 1}, ["2 concat", "2 concat"]),  # an image that comes along is no skip
    ],
)
def test_skips_in_words(changes: dict[str, Any], said: list[str]) -> None:
    assert [row.skips for row in levels(unet(**changes))] == said


def test_kinds_of_skips_are_counted_apart() -> None:
    edit = {"replace": {"nodes": "up.0.skip.1", "with": {"op": "add", "project": True}}}
    assert [row.skips for row in levels(unet(edit))] == ["1 concat; 1 add", "2 concat"]


def test_a_row_of_each_resolution_counted_by_hand() -> None:
    nodes = {
        "a": {"op": "conv", "out": 6},
        "d": {"op": "downsample", "method": "avg_pool"},
        "block": {"op": "resnet_block", "out": 8, "groups": 2, "conditioning": "none"},
        "u": {"op": "upsample", "conv": False},
        "join": {"op": "concat"},
    }
    rows = levels(by_hand(nodes, "x a", "a d", "d block", "block u", "u join", "a join skip", "join out"))
    conv, block = 9 * 4 * 6, 9 * 6 * 8 + 9 * 8 * 8 + 6 * 8
    norms_and_biases = 2 * 6 + 2 * 8 + 3 * 8
    assert rows == [
        LevelRow(8, (4, 6, 8, 14), 0, "", "1 concat", conv + 6, 64 * conv),
        LevelRow(4, (8,), 1, "", "", block + norms_and_biases, 16 * block),
    ]


def test_widths_are_those_of_residual_blocks_where_there_are_any() -> None:
    row = levels(unet(ch_mult=[1, 2], stem="ch", num_res_blocks=2))[1]
    assert (row.resolution, row.channels, row.blocks) == (8, (64,), 2 + 2 + 3)
    resampled = levels(unet(resblock_updown=True))
    assert [(row.channels, row.blocks) for row in resampled] == [((32, 64), 1 + 2 + 1), ((32, 64), 1 + 1 + 2 + 2)]


def test_rows_of_nodes_by_hand() -> None:
    assert node_rows(by_hand({"a": {"op": "conv", "out": 6, "kernel": 1}}, "x a", "a out")) == [
        {"node": "x", "op": "input", "inputs": {}, "output": "4x8x8", "parameters": 0, "macs": 0},
        {"node": "a", "op": "conv", "inputs": {"x": "x"}, "output": "6x8x8", "parameters": 30, "macs": 64 * 24},
        {"node": "out", "op": "output", "inputs": {"x": "a"}, "output": "6x8x8", "parameters": 0, "macs": 0},
    ]


def test_the_summary_of_a_small_graph() -> None:
    graph = by_hand({"a": {"op": "conv", "out": 6, "kernel": 1}}, "x a", "a out")
    assert summary(graph) == {
        "name": "by hand",
        "fingerprint": archspec.fingerprint(graph),
        "parameters": 30,
        "macs": 1536,
        "inputs": {"x": "4x8x8"},
        "output": "6x8x8",
        "levels": [
            {
                "resolution": 8,
                "channels": (4, 6),
                "blocks": 0,
                "attention": "",
                "skips": "",
                "parameters": 30,
                "macs": 1536,
            }
        ],
        "nodes": node_rows(graph),
    }


def test_every_kind_of_input_is_named() -> None:
    graph = unet(
        context_channels=1,
        attn_type="transformer",
        tokens={"dim": 4, "length": 7},
        vector={"dim": 5},
        label={"classes": 3},
    )
    assert summary(graph)["inputs"] == {
        "x": "2x16x16",
        "t": "timesteps",
        "label": "labels",
        "vector": "embedding of 5",
        "tokens": "7 tokens of 4",
        "context": "1x16x16",
    }
