import re
import xml.etree.ElementTree as ET

import pytest

import archspec
from archspec import ArchGraph
from reports.figures.unet_diff import difference
from reports.figures.unet_labels import node_label, node_tooltip
from reports.figures.unet_layout import Layout, layout, skip_lines
from reports.figures.unet_rows import merged
from reports.figures.unet_svg import unet_pair, unet_svg
from reports.figures.unet_units import Network, sides, units
from tests.reports.synthetic_study import graph_of

REFERENCE = """
version: 1
name: reference
unet:
  ch: 128
  out_ch: 3
  num_res_blocks: 2
  attn_resolutions: [16]
  in_channels: 3
  resolution: 256
  ch_mult: [1, 1, 2, 2, 4]
"""

BY_HAND = """
version: 1
name: by-hand
graph:
  nodes:
    picture: {op: input, kind: image, channels: 3, resolution: 16}
    lift: {op: conv, out: 32}
    enc: {op: conv, out: 32}
    shrink: {op: downsample, method: avg_pool}
    deep: {op: conv, out: 64}
    look: {op: attention}
    grow: {op: upsample}
    join: {op: concat}
    fuse: {op: conv, out: 32}
    last: {op: conv, out: 3}
    result: {op: output}
  edges:
    - [picture, lift]
    - [lift, enc]
    - [enc, shrink]
    - [shrink, deep]
    - [deep, look]
    - [look, grow]
    - [grow, join, x]
    - [enc, join, skip]
    - [join, fuse]
    - [fuse, last]
    - [last, result]
"""


def net(**changes: object) -> Network:
    return Network(graph_of(**changes))


def built(text: str) -> ArchGraph:
    return archspec.build(archspec.loads(text, "test.yaml"))


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)


def overlaps(drawn: Layout) -> list[tuple[str, str]]:
    boxes = list(drawn.boxes.items())
    return [
        (a, b)
        for i, (a, p) in enumerate(boxes)
        for b, q in boxes[i + 1 :]
        if p.x < q.x + q.w and q.x < p.x + p.w and p.y < q.y + q.h and q.y < p.y + p.h
    ]


ARCHITECTURES = {
    "small": {},
    "add": {"skip": "add"},
    "none": {"skip": "none"},
    "one level": {"mult": "[1]", "attn": "[]"},
    "no attention": {"attn": "[]", "mid": "false"},
    "four levels": {"mult": "[1, 1, 2, 2]", "blocks": 3, "attn": "[8, 4, 2]"},
}


@pytest.mark.parametrize("changes", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_every_skip_is_a_straight_line_and_no_boxes_overlap(changes: dict[str, object]) -> None:
    graph = graph_of(**changes)
    (drawn,) = layout([Network(graph)])
    for source, target in skip_lines(Network(graph), drawn).values():
        assert source.middle[1] == pytest.approx(target.middle[1])
        assert source.x + source.w < target.x
    assert overlaps(drawn) == []
    assert all(b.x >= 0 and b.x + b.w <= drawn.width and b.y + b.h <= drawn.height for b in drawn.boxes.values())


def test_the_reference_network_is_a_u() -> None:
    graph = built(REFERENCE)
    (drawn,) = layout([Network(graph)])
    assert [s.label for s in drawn.stripes] == ["256×256", "128×128", "64×64", "32×32", "16×16", "mid 16×16"]
    assert len(skip_lines(Network(graph), drawn)) == 15
    left, right = drawn.boxes["down.1.block.0"], drawn.boxes["up.1.block.1"]
    assert left.x + left.w < right.x
    assert left.y == right.y
    attention = {drawn.boxes[f"down.4.attn.{i}"].x for i in range(2)}
    assert len(attention) == 1
    assert attention.pop() > drawn.boxes["down.4.block.0"].x + drawn.boxes["down.4.block.0"].w
    assert drawn.boxes["down.4.block.0"].x > drawn.boxes["down.0.block.0"].x
    assert drawn.boxes["up.4.block.0"].x < drawn.boxes["up.0.block.0"].x


def test_labels_give_channels_in_and_out() -> None:
    graph = built(REFERENCE)
    assert node_label(graph, "down.2.block.0") == "res 128→256"
    assert node_label(graph, "down.2.block.1") == "res 256"
    assert node_label(graph, "up.4.block.0") == "res 1024→512"
    assert node_label(graph, "mid.attn_1") == "attn 512"
    assert node_label(graph, "conv_in") == "conv 3→128"
    assert node_label(graph_of(kind="linear"), "mid.attn_1") == "linear 64"


def test_tooltips_carry_parameters_macs_and_memory() -> None:
    tip = node_tooltip(graph_of(), "mid.attn_1")
    # 16,768 × 4 bytes of weights; 64 × 4 × 4 × 4 bytes of output.
    assert tip.splitlines() == [
        "mid.attn_1: attention",
        "output 64x4x4",
        "16,768 parameters, 0.295 MMACs",
        "float32: weights 65.5 KiB, output 4.00 KiB an image",
    ]


def test_a_graph_with_names_of_its_own_is_placed_by_topology() -> None:
    graph = built(BY_HAND)
    placed = sides(graph)
    assert placed["lift"] == placed["enc"] == placed["shrink"] == "down"
    assert placed["deep"] == placed["look"] == "mid"
    assert placed["grow"] == placed["join"] == placed["fuse"] == "up"
    assert placed["last"] == "head"
    (drawn,) = layout([Network(graph)])
    ((source, target),) = skip_lines(Network(graph), drawn).values()
    assert source.middle[1] == pytest.approx(target.middle[1])
    assert overlaps(drawn) == []
    assert set(drawn.boxes) == set(graph) - {"picture", "result"}


def test_attention_shares_the_row_of_its_block() -> None:
    with_attention = [u for u in units(graph_of()) if u.attention is not None]
    assert [(u.node, u.attention) for u in with_attention][:2] == [
        ("down.1.block.0", "down.1.attn.0"),
        ("down.1.block.1", "down.1.attn.1"),
    ]


def test_pictures_are_well_formed_and_describe_themselves() -> None:
    svg = parsed(unet_svg(net(), 'A "net" <script>'))
    assert svg.attrib["role"] == "group"
    assert svg.attrib["aria-label"] == 'A "net" <script>'
    nodes = [g for g in svg.iter() if g.attrib.get("data-node")]
    assert len(nodes) == len(graph_of()) - 3  # not the image, the timestep and the output
    assert all(g.find("title") is not None for g in nodes)
    assert not re.search(r"\b(nan|None)\b", str(unet_svg(net(), "net")))


def test_a_network_does_not_differ_from_itself() -> None:
    found = difference(net(), net())
    assert found is not None
    assert found.counts == {"changed": 0, "follows": 0, "added": 0, "removed": 0}
    assert set(found.base_skips.values()) == {""}


def test_removed_attention_is_marked_and_the_skips_stay_the_same() -> None:
    found = difference(net(), net(attn="[]"))
    assert found is not None
    assert found.counts == {"changed": 0, "follows": 0, "added": 0, "removed": 5}
    assert {n for n, mark in found.base.items() if mark} == {
        f"{side}.1.attn.{i}" for side, number in (("down", 2), ("up", 3)) for i in range(number)
    }
    assert set(found.base_skips.values()) == {""}


def test_one_block_more_is_one_block_more_on_both_sides() -> None:
    found = difference(net(), net(blocks=3))
    assert found is not None
    added = {n for n, mark in found.other.items() if mark == "added"}
    assert {n for n in added if n.startswith("down")} == {"down.0.block.2", "down.1.block.2", "down.1.attn.2"}
    assert len([n for n in added if n.startswith("up")]) == 5  # a merge and a block each, and one attention
    assert list(found.other_skips.values()).count("added") == 2
    assert "removed" not in found.base.values()


def test_removed_skips_are_marked_and_their_blocks_have_other_channels() -> None:
    found = difference(net(), net(skip="none"))
    assert found is not None
    assert set(found.base_skips.values()) == {"removed"}
    assert found.base["up.0.block.2"] == "follows"
    assert found.counts["removed"] == 6


def test_another_way_to_merge_is_a_change_of_the_merge() -> None:
    found = difference(net(), net(skip="add"))
    assert found is not None
    assert found.base["up.0.skip.0"] == "changed"
    assert found.counts["added"] == found.counts["removed"] == 0


def test_networks_with_other_names_are_drawn_unmarked() -> None:
    left, right, found = unet_pair(net(), Network(built(BY_HAND)), ("a", "b"))
    assert found is None
    assert 'class="badge"' not in left + right


def test_pairs_share_a_frame_and_show_ghosts() -> None:
    left, right, found = unet_pair(net(), net(mult="[1, 2, 2]"), ("a", "b"))
    assert found is not None
    views = [parsed(svg).attrib["viewBox"] for svg in (left, right)]
    assert views[0] == views[1]
    assert left.count('class="ghost"') > 5
    assert "m-added" in right
    assert "m-added" not in left


def test_merged_orders() -> None:
    assert merged(["a", "b", "c"], ["a", "x", "c", "y"]) == ["a", "x", "b", "c", "y"]
    assert merged([], ["a"]) == ["a"]


def test_an_operation_with_other_settings_is_told_from_one_with_other_channels() -> None:
    found = difference(net(), net(mult="[1, 1]"))
    assert found is not None
    assert found.base["down.1.block.0"] == "changed"  # out 64 -> 32
    assert found.base["mid.attn_1"] == "follows"
    assert found.base["norm_out"] == ""
    linear = difference(net(), net(kind="linear"))
    assert linear is not None
    assert linear.counts == {"changed": 6, "follows": 0, "added": 0, "removed": 0}
