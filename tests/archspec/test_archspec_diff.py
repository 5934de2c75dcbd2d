"""What differs between two architectures, in words and as data."""

from __future__ import annotations

import archspec
from archspec.edits.diff import as_data, difference, in_words
from archspec.text.parse import Positions


def edited(name: str, *edits: dict[str, object]) -> archspec.ArchGraph:
    unet = {"ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
            "resolution": 16}  # fmt: skip
    return archspec.check_data(
        {"version": 1, "name": name, "unet": unet, "edits": list(edits)}, Positions(name)
    ).sound()


BASE = edited("base")


def test_parameters_that_differ_are_grouped_over_nodes() -> None:
    fair = edited("linear", {"set": {"nodes": "attention", "to": {"type": "linear", "norm": True, "residual": True}}})
    assert in_words(difference(BASE, fair)) == [
        "from base to linear:",
        "~ down.1.attn.0, mid.attn_1, up.1.attn.0, up.1.attn.1: attention: type vanilla -> linear",
        "parameters 702,499 -> 701,731 (-768, -0.1%)",
        "MACs 66,379,776 in both",
    ]


def test_nodes_that_go_and_come_and_ports_that_are_given_something_else() -> None:
    other = edited(
        "other",
        {"remove": "mid.attn_1"},
        {"replace": {"nodes": "up.0.skip.0", "with": {"op": "add", "project": True}}},
        {"insert": {"node": {"op": "act"}, "after": "mid.block_2", "id": "mid.act"}},
    )
    assert in_words(difference(BASE, other))[:-2] == [
        "from base to other:",
        "- mid.attn_1 (attention)",
        "+ mid.act (act)",
        "~ up.0.skip.0: concat becomes add (project=true)",
        "~ mid.block_2 takes mid.block_1 instead of mid.attn_1 (x)",
        "~ up.1.skip.0 takes mid.act instead of mid.block_2 (x)",
    ]


def test_shapes_that_follow_and_ports_that_are_given_nothing() -> None:
    wide = edited("wide", {"resize": {"nodes": "conv_in", "out": 64}})
    assert in_words(difference(BASE, wide))[1:3] == [
        "~ conv_in: conv: out 32 -> 64",
        "~ up.0.skip.1 gives 64x16x16 -> 96x16x16",
    ]
    free = edited("free", {"set": {"nodes": "mid.block_1", "to": {"conditioning": "none"}}})
    assert in_words(difference(BASE, free))[1:3] == [
        "~ mid.block_1: resnet_block: conditioning add -> none",
        "~ mid.block_1 is no longer given temb (emb)",
    ]
    assert "~ mid.block_1 takes temb (emb)" in in_words(difference(free, BASE))


def test_long_lists_are_cut() -> None:
    seed = archspec.build(archspec.load("zoo/seed-256"))
    none = archspec.build(archspec.loads(archspec.to_yaml(seed).replace("attn", "att")))
    lines = in_words(difference(seed, none))
    assert lines == ["seed-256 and seed-256 are the same architecture, under other ids."]
    add = archspec.check_spec(
        archspec.load("zoo/seed-256").with_edits((archspec.Edit.model_validate({"unet": {"skip": "none"}}),))
    ).sound()
    lines = in_words(difference(seed, add))
    assert lines[1] == "- up.4.skip.0, up.4.skip.1, up.4.skip.2, up.3.skip.0 and 11 more (concat)"
    assert lines[-3] == "  … and 3 more of these (--json has all)"
    assert lines[-2] == "parameters 75,376,643 -> 63,029,123 (-12,347,520, -16.4%)"


def test_the_same_architecture() -> None:
    twin = edited("twin", {"unet": {"num_groups": 16}}, {"set": {"nodes": "[groups=16]", "to": {"groups": 32}}})
    assert in_words(difference(BASE, twin)) == ["base and twin are the same architecture."]


def test_as_data() -> None:
    data = as_data(difference(BASE, edited("less", {"remove": "mid.attn_1"})))
    assert data == {
        "from": "base",
        "to": "less",
        "same": False,
        "removed": [{"node": "mid.attn_1", "op": "attention"}],
        "added": [],
        "changed": [],
        "rewired": [{"node": "mid.block_2", "port": "x", "source": ["mid.attn_1", "mid.block_1"]}],
        "reshaped": [],
        "edges": {"removed": 2, "added": 1},
        "parameters": {"from": 702_499, "to": 685_731, "change": -16_768},
        "macs": {"from": 66_379_776, "to": 64_806_912, "change": -1_572_864},
    }
