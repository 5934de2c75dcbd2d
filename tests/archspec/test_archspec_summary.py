"""An architecture in numbers, for people and programs."""

from __future__ import annotations

import json

import archspec
from archspec.graphs.summary import levels, node_rows, summary

TEXT = """\
version: 1
name: small
unet:
  ch: 32
  out_ch: 3
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [8]
  attn_at: {8: {type: linear, heads: 4, residual: true}}
  in_channels: 4
  resolution: 16
  context_channels: 1
"""


def test_levels() -> None:
    rows = levels(archspec.build(archspec.loads(TEXT)))
    assert [(row.resolution, row.channels, row.blocks, row.skips) for row in rows] == [
        (16, (32,), 3, "2 concat"),
        (8, (64,), 5, "2 concat"),
    ]
    assert [row.attention for row in rows] == ["", "3 linear, 4 heads, no norm; 1 vanilla, 1 head"]


def test_summary_adds_up_and_is_plain_data() -> None:
    graph = archspec.build(archspec.loads(TEXT))
    found = json.loads(json.dumps(summary(graph)))
    price = archspec.total_price(graph)
    assert (found["parameters"], found["macs"]) == (price.parameters, price.macs)
    assert found["fingerprint"] == archspec.fingerprint(graph)
    assert found["inputs"] == {"x": "3x16x16", "t": "timesteps", "context": "1x16x16"}
    assert found["output"] == "3x16x16"
    assert sum(row["parameters"] for row in found["nodes"]) == price.parameters
    time = sum(row["parameters"] for row in found["nodes"] if row["node"] == "temb")
    assert sum(row["parameters"] for row in found["levels"]) + time == price.parameters


def test_rows_of_nodes_are_in_topological_order() -> None:
    rows = node_rows(archspec.build(archspec.loads(TEXT)))
    seen: set[str] = set()
    for row in rows:
        assert set(row["inputs"].values()) <= seen
        seen.add(row["node"])


def test_magnitude_preserving_blocks_and_attention_are_counted_as_such() -> None:
    rows = levels(archspec.build(archspec.load("zoo/edm2-xs")))
    assert [(row.resolution, row.blocks, row.attention, row.skips) for row in rows] == [
        (64, 8, "", "4 mp_concat"),
        (32, 9, "", "4 mp_concat"),
        (16, 9, "7 cosine, 6 heads", "4 mp_concat"),
        (8, 10, "8 cosine, 8 heads", "4 mp_concat"),
    ]
