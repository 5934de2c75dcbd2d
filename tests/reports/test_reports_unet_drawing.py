"""The U as it is drawn: everything is there, at its place, and lines lead where the graph's edges do."""

from __future__ import annotations

import itertools
import random
from functools import cache

import networkx as nx
import pytest

from archspec import ArchGraph, check_data
from archspec.graphs.graph import inputs_of, op_of
from archspec.ops import Input, Output
from archspec.text.positions import Positions
from reports.figures.unet_layout import Layout, layout
from reports.figures.unet_svg import KINDS, LEGEND, unet_form, unet_pair, unet_svg
from reports.figures.unet_units import Network, is_map, size_of
from tests.builder.reduced import reduced
from tests.random_graphs import document, random_sketch
from tests.reports.drawn_svg import corners, number, tags, texts
from tests.reports.synthetic_study import graph_of
from tests.reports.test_reports_unet import overlaps

Box = tuple[float, float, float, float]
ZOO = ("ddpm-cifar10", "adm-64", "edm-ncsnpp-cifar10", "edm2-xs", "sd15", "sdxl-base", "bk-sdm-tiny", "seed-256-none")


@cache
def graph(name: str) -> ArchGraph:
    """One of the zoo, of the made-up study, or the graph that chance makes of a number."""
    if name in ZOO:
        return reduced(name)
    if name == "small":
        return graph_of()
    chance = random.Random(int(name))
    return check_data(document(random_sketch(chance), chance), Positions(name)).sound()


GRAPHS = ("small", *ZOO, *map(str, range(24)))


def drawn_maps(of: ArchGraph) -> set[str]:
    """Every feature map has a place of its own, but for images and what leaves."""
    return {n for n in of if is_map(of, n) and not isinstance(op_of(of, n), (Input, Output))}


def laid_out(of: ArchGraph) -> Layout:
    return layout([Network(of)])[0]


def boxes(svg: str) -> dict[str, Box]:
    """Node -> (left, top, width, height) of what is drawn for it."""
    found = {}
    for group in tags(svg, "g"):
        if "data-node" not in group.attrib:
            continue
        shape = next(child for child in group if child.tag in ("rect", "circle"))
        if shape.tag == "rect":
            found[group.attrib["data-node"]] = tuple(number(shape, name) for name in ("x", "y", "width", "height"))
        else:
            x, y, r = (number(shape, name) for name in ("cx", "cy", "r"))
            found[group.attrib["data-node"]] = (x - r, y - r, 2 * r, 2 * r)
    return {node: (a, b, c, d) for node, (a, b, c, d) in found.items()}


@pytest.mark.parametrize("name", GRAPHS)
def test_every_map_has_a_box_of_its_own_within_the_frame(name: str) -> None:
    drawn = laid_out(graph(name))
    assert set(drawn.boxes) == drawn_maps(graph(name))
    assert overlaps(drawn) == []
    for box in drawn.boxes.values():
        assert 0 <= box.x < box.x + box.w <= drawn.width
        assert 0 <= box.y < box.y + box.h <= drawn.height


@pytest.mark.parametrize("name", GRAPHS)
def test_resolutions_fall_from_top_to_bottom_and_the_middle_is_the_lowest(name: str) -> None:
    of = graph(name)
    drawn = laid_out(of)
    tops = [(stripe.y, stripe.y + stripe.h) for stripe in drawn.stripes]
    assert tops == sorted(tops)
    assert all(low <= high for (_, low), (high, _) in itertools.pairwise(tops)), "stripes do not overlap"
    sizes = [stripe.label.removeprefix("mid ").partition("×")[0] for stripe in drawn.stripes]
    outer = [int(size) for size, stripe in zip(sizes, drawn.stripes, strict=True) if "mid" not in stripe.label]
    assert outer == sorted(set(outer), reverse=True)
    assert not any("mid" in stripe.label for stripe in drawn.stripes[:-1])
    for unit in drawn.units:
        box = drawn.boxes[unit.node]
        (stripe,) = [s for s in drawn.stripes if s.y <= box.y and box.y + box.h <= s.y + s.h]
        if unit.side != "mid":
            assert stripe.label == f"{size_of(of, unit.node)}×{size_of(of, unit.node)}"


@pytest.mark.parametrize("name", GRAPHS)
def test_the_drawing_has_each_box_where_the_layout_put_it(name: str) -> None:
    of = graph(name)
    drawn, svg = laid_out(of), unet_svg(Network(of), "t")
    found = boxes(svg)
    embeddings = [n for n in Network(of).conditioning if n in found]
    assert set(found) == set(drawn.boxes) | set(embeddings)
    for node, box in drawn.boxes.items():
        assert found[node] == pytest.approx((box.x, box.y, box.w, box.h), abs=0.11), node
    view = [float(n) for n in tags(svg, "svg")[0].attrib["viewBox"].split()]
    assert view == pytest.approx([0, 0, drawn.width, drawn.height], abs=0.51)


def touches(box: Box, at: tuple[float, float]) -> bool:
    x, y = at
    return box[0] - 0.3 <= x <= box[0] + box[2] + 0.3 and box[1] - 0.3 <= y <= box[1] + box[3] + 0.3


@pytest.mark.parametrize("name", GRAPHS)
def test_every_edge_between_maps_is_a_line_from_its_source_to_its_target(name: str) -> None:
    of = graph(name)
    network, svg = Network(of), unet_svg(Network(of), "t")
    found = boxes(svg)
    maps = drawn_maps(of)
    edges = {(s, t) for t in maps for port, s in inputs_of(of, t).items() if s in maps}
    skips = {(source, merge) for merge, source in network.skips.items() if source in maps}
    lines = {css: [list(corners(p.attrib["d"])) for p in tags(svg, "path", css)] for css in ("flow", "skip")}
    flows = [line for line in lines["flow"] if line[0][1] > 30 or not network.conditioning]
    assert len(lines["skip"]) == len(skips)
    assert len(flows) == len(edges - skips)
    for kind, wanted in ((lines["skip"], skips), (flows, edges - skips)):
        for source, target in wanted:
            ends = [line for line in kind if touches(found[source], line[0]) and touches(found[target], line[-1])]
            assert ends, f"no line from {source} to {target}"


@pytest.mark.parametrize("name", ["small", "edm2-xs", "sd15", "7"])
def test_lines_run_across_and_down_only(name: str) -> None:
    for css in ("flow", "skip"):
        for path in tags(unet_svg(Network(graph(name)), "t"), "path", css):
            points = list(corners(path.attrib["d"]))
            assert len(points) >= 2
            assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(points))


def test_a_label_too_long_for_its_box_is_squeezed_into_it_and_not_cut() -> None:
    of = nx.relabel_nodes(graph("sdxl-base"), {})
    svg = unet_svg(Network(of), "t")
    squeezed = [text for text in tags(svg, "text") if "textLength" in text.attrib]
    assert all(len(text.text or "") > 13 for text in squeezed)
    assert {text.attrib["lengthAdjust"] for text in squeezed} <= {"spacingAndGlyphs"}
    widths = [box[2] for box in boxes(svg).values()]
    assert all(number(text, "textLength") <= max(widths) - 8 for text in squeezed)
    assert not [text for text in texts(svg) if text.endswith("…")]


def test_every_kind_in_the_legend_is_the_class_of_an_operation() -> None:
    assert {css for css, _ in LEGEND} <= set(KINDS.values())
    classes = {
        css for group in tags(unet_svg(Network(graph("small")), "t"), "g") for css in group.attrib["class"].split()
    }
    assert {"k-res", "k-attn", "k-down", "k-up", "k-conv", "k-merge", "k-emb"} <= classes


def test_the_image_is_named_with_its_shape_above_the_block_that_takes_it() -> None:
    svg = unet_svg(Network(graph("small")), "t")
    (label,) = tags(svg, "text", "input")
    assert label.text == "x 1×8×8"
    left, top, width, _ = boxes(svg)["conv_in"]
    assert left < number(label, "x") < left + width
    assert number(label, "y") < top


def test_embeddings_stand_in_a_row_above_the_u_and_say_how_many_blocks_take_them() -> None:
    of = graph("small")
    svg = unet_svg(Network(of), "t")
    found = boxes(svg)
    row = [n for n in Network(of).conditioning if n in found]
    assert row == ["time", "temb"]
    assert all(found[n][1] + found[n][3] < min(found[m][1] for m in drawn_maps(of)) + 20 for n in row)
    takers = {t for n in row for t in of.successors(n)} - set(row)
    assert [text.text for text in tags(svg, "text", "note")] == [f"→ {len(takers)} blocks"]


@pytest.mark.parametrize(("merge", "sign"), [("concat", "v6M"), ("add", "h6M")])
def test_a_merge_is_a_sign_that_tells_how_it_joins(merge: str, sign: str) -> None:
    circles = [g for g in tags(unet_svg(Network(graph_of(skip=merge)), "t"), "g") if "k-merge" in g.attrib["class"]]
    assert len(circles) == 6
    assert all(sign in next(c for c in g if c.tag == "path").attrib["d"] for g in circles)


# ---- two beside each other


def pair(**changes: object) -> tuple[str, str]:
    left, right, found = unet_pair(Network(graph("small")), Network(graph_of(**changes)), ("base", "other"))
    assert found is not None
    return left, right


def test_what_both_have_stands_at_the_same_place_on_both_sides() -> None:
    left, right = (boxes(svg) for svg in pair(blocks=3))
    shared = {n for n in left if n in right and n.startswith(("down", "mid", "conv"))}
    assert len(shared) > 10
    assert all(left[n] == right[n] for n in shared)


def test_an_outline_stands_where_only_the_other_has_a_block() -> None:
    left, right = pair(attn="[]")
    ghosts = [tuple(number(g, name) for name in ("x", "y", "width", "height")) for g in tags(right, "rect", "ghost")]
    gone = {node: box for node, box in boxes(left).items() if ".attn." in node}
    assert sorted(ghosts) == sorted(gone.values())
    assert tags(left, "rect", "ghost") == []


@pytest.mark.parametrize(
    ("changes", "sides", "sign"),
    [({"attn": "[]"}, (5, 0), "−"), ({"attn": "[8, 4]"}, (0, 5), "+"), ({"kind": "linear"}, (6, 6), "≠")],
)
def test_what_differs_carries_a_sign(changes: dict[str, object], sides: tuple[int, int], sign: str) -> None:
    signs = [[text.text for text in tags(svg, "text", "sign")] for svg in pair(**changes)]
    assert [len(one) for one in signs] == list(sides)
    assert {text for one in signs for text in one} == {sign}


def test_a_changed_block_says_what_the_other_side_has() -> None:
    left, right = pair(kind="linear")
    told = {side: {g.attrib["data-node"]: g for g in tags(svg, "g") if "data-node" in g.attrib} for side, svg in
            (("left", left), ("right", right))}  # fmt: skip
    one, other = told["left"]["mid.attn_1"], told["right"]["mid.attn_1"]
    assert (one.findtext("title") or "").splitlines()[-1] == "other side: linear 64"
    assert (other.findtext("title") or "").splitlines()[-1] == "other side: attn 64"
    assert one.attrib["aria-label"] == "mid.attn_1: attn 64, changed"
    assert told["left"]["conv_in"].attrib["aria-label"] == "conv_in: conv 1→32"


def test_skips_that_are_gone_are_marked_and_named() -> None:
    left, right = pair(skip="none")
    assert len(tags(left, "path", "m-removed")) == 6
    assert tags(right, "path", "skip") == []
    told = [g.findtext("title") for g in tags(left, "g") if g.attrib.get("class") == "m-removed"]
    assert len(told) == 6
    assert "skip conv_in → up.0.skip.2: removed" in told


# ---- forms


def test_a_form_is_the_drawing_without_its_words() -> None:
    network = Network(graph("small"))
    form = unet_form(network)
    assert boxes(form) == boxes(unet_svg(network, "t"))
    blank = [g for g in tags(form, "g") if "data-key" in g.attrib]
    assert {title.text for g in blank for title in g.iter("title")} == {None}
    words = {g.attrib["data-node"]: text for g in blank for text in g.iter("text")}
    assert {text.text for text in words.values()} == {None}
    for node, text in words.items():
        width = boxes(form)[node][2]
        # A letter takes about 5.9, and what is squeezed keeps 4 from the frame on both sides.
        assert abs(number(text, "data-letters") - (width - 6) / 5.9) <= 1
        assert number(text, "data-room") == pytest.approx(width - 8, abs=0.51)


def test_keys_of_a_form_find_counterparts_with_ids_that_shifted() -> None:
    def keys(of: ArchGraph) -> dict[str, str]:
        return {
            g.attrib["data-key"]: g.attrib["data-node"]
            for g in tags(unet_form(Network(of)), "g")
            if "data-key" in g.attrib
        }

    ours, theirs = keys(graph("small")), keys(graph_of(blocks=3))
    assert ours["up 8 down.0.block.1"] == "up.0.block.0"
    assert theirs["up 8 down.0.block.1"] == "up.0.block.1"
    assert len(ours) == len(boxes(unet_form(Network(graph("small"))))), "each key is one node's"
