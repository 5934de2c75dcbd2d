"""Drawings as files of their own: what the page's style sheet says stands on each element, in the colours for paper."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache

import pytest
from markupsafe import Markup

from reports.figures.standalone import beside, standalone_unet, svg_file
from reports.figures.unet_svg import unet_pair, unet_svg
from reports.figures.unet_units import Network
from reports.paper.browser import size_of
from reports.theme import LIGHT
from tests.reports.drawn_svg import tags, texts
from tests.reports.synthetic_study import graph_of

BASE = Network(graph_of())


@cache
def drawing() -> Markup:
    return unet_svg(BASE, 'the "base" <&>')


@cache
def pictures(side: int, **changes: object) -> Markup:
    return unet_pair(BASE, Network(graph_of(**changes)), ("a", "b"))[side]


def test_a_file_has_the_size_that_is_asked_for_and_the_shape_of_the_drawing() -> None:
    _, _, wide, high = (float(n) for n in ET.fromstring(drawing()).attrib["viewBox"].split())
    assert size_of(standalone_unet(drawing())) == pytest.approx((wide / 96, high / 96), abs=0.006)
    assert size_of(standalone_unet(drawing(), 3.3)) == pytest.approx((3.3, 3.3 * high / wide), abs=0.006)


def test_a_title_with_markup_is_its_text() -> None:
    root = ET.fromstring(standalone_unet(drawing()))
    assert root.findtext("{http://www.w3.org/2000/svg}title") == 'the "base" <&>'
    assert len([e for e in root if e.tag.endswith("title")]) == 1


def test_the_words_of_the_drawing_stay_and_nothing_of_the_page_does() -> None:
    svg = standalone_unet(drawing())
    assert texts(svg) == texts(drawing())
    assert not re.search(r"class=|tabindex|data-node|role=|aria-", svg)


@pytest.mark.parametrize(
    ("css", "fill"),
    [("k-res", "node-res"), ("k-attn", "node-attn"), ("k-down", "node-down"), ("k-up", "node-up"),
     ("k-conv", "node-conv"), ("k-merge", "paper")],
)  # fmt: skip
def test_a_block_is_filled_as_on_the_page(css: str, fill: str) -> None:
    groups = [g for g in tags(drawing(), "g", css) if "data-node" in g.attrib]
    names = {g.findtext("title") for g in groups}
    written = [
        g for g in tags(standalone_unet(drawing()), "g") if g.findtext("{http://www.w3.org/2000/svg}title") in names
    ]
    assert len(written) == len(groups) > 0
    shapes = [e.attrib for g in written for e in g if e.tag.rpartition("}")[2] in ("rect", "circle")]
    assert {shape["fill"] for shape in shapes} == {LIGHT[fill]}
    assert {shape["stroke"] for shape in shapes} == {LIGHT["node-line"]}


@pytest.mark.parametrize(
    ("tag", "css", "wanted"),
    [
        ("path", "flow", {"stroke": LIGHT["node-line"], "fill": "none", "stroke-width": "1"}),
        ("path", "skip", {"stroke": LIGHT["skip"], "fill": "none", "stroke-width": "1.6"}),
        ("rect", "stripe", {"fill": LIGHT["panel"]}),
        ("text", "stripe-label", {"fill": LIGHT["muted"], "text-anchor": "start"}),
        ("text", "note", {"fill": LIGHT["muted"], "text-anchor": "start"}),
        ("text", "input", {"fill": LIGHT["muted"], "text-anchor": "middle"}),
    ],
)
def test_lines_stripes_and_words_look_as_on_the_page(tag: str, css: str, wanted: dict[str, str]) -> None:
    count = len(tags(drawing(), tag, css))
    alike = [e for e in tags(standalone_unet(drawing()), tag) if wanted.items() <= e.attrib.items()]
    assert len(alike) >= count > 0


def test_what_differs_is_marked_in_its_colour() -> None:
    left, right = pictures(0, attn="[]"), pictures(1, attn="[8, 4]")
    for svg, name, number in ((left, "removed", 5), (right, "added", 5), (pictures(1, kind="linear"), "changed", 6)):
        written = standalone_unet(svg)
        marked = [e for e in tags(written, "rect") if e.attrib.get("stroke") == LIGHT[name]]
        assert {e.attrib["stroke-width"] for e in marked} == {"1.8"}
        assert len(marked) == number
        badges = [e for e in tags(written, "circle") if e.attrib["fill"] == LIGHT[name]]
        assert len(badges) == number
        assert {e.attrib.get("stroke-dasharray") for e in marked} == ({"5 2"} if name == "removed" else {None})


def test_what_only_follows_has_the_thinner_frame() -> None:
    written = standalone_unet(pictures(1, mult="[1, 1]"))
    assert {e.attrib["stroke-width"] for e in tags(written, "rect") if e.attrib.get("stroke") == LIGHT["changed"]} == {
        "1.5", "1.8",
    }  # fmt: skip


def test_skips_that_are_gone_are_dashed_and_new_ones_are_thick() -> None:
    gone = [e for e in tags(standalone_unet(pictures(0, skip="none")), "path") if "stroke-dasharray" in e.attrib]
    assert len(gone) == 6
    assert {(e.attrib["stroke"], e.attrib["stroke-dasharray"]) for e in gone} == {(LIGHT["removed"], "5 3")}
    new = [e for e in tags(standalone_unet(pictures(1, blocks=3)), "path") if e.attrib["stroke"] == LIGHT["added"]]
    assert [e.attrib["stroke-width"] for e in new] == ["2.2", "2.2"]


def test_outlines_of_what_the_other_has_are_dashed_and_empty() -> None:
    svg = pictures(1, attn="[]")
    ghosts = [e for e in tags(standalone_unet(svg), "rect") if e.attrib.get("stroke-dasharray") == "3 3"]
    assert len(ghosts) == len(tags(svg, "rect", "ghost")) == 5
    assert {e.attrib["fill"] for e in ghosts} == {"none"}


def test_a_picture_stands_on_white_paper() -> None:
    root = ET.fromstring(svg_file("<g/>", 200.0, 100.0, "t"))
    ground = next(e for e in root if e.tag.endswith("rect"))
    assert (ground.attrib["fill"], ground.attrib["width"], ground.attrib["height"]) == ("#ffffff", "200.0", "100.0")
    assert size_of(svg_file("<g/>", 192.0, 96.0, "t")) == (2.0, 1.0)
    assert size_of(svg_file("<g/>", 192.0, 96.0, "t", 7.0)) == (7.0, 3.5)


@pytest.mark.parametrize(("width", "stacked"), [(None, False), (7.0, False), (5.0, False), (4.9, True)])
def test_two_stand_side_by_side_unless_the_file_is_narrow(width: float | None, stacked: bool) -> None:
    _, _, wide, high = (float(n) for n in ET.fromstring(drawing()).attrib["viewBox"].split())
    svg = beside({"one": drawing(), "two <b>": drawing()}, width)
    moves = [
        move for e in tags(svg, "g") if (move := e.attrib.get("transform", "translate(0 22)")) != "translate(0 22)"
    ]
    wanted = (0.0, high + 22 + 14) if stacked else (wide + 24, 0.0)
    assert moves == ["translate(0.0 0.0)", f"translate({wanted[0]:.1f} {wanted[1]:.1f})"]
    view = [float(n) for n in ET.fromstring(svg).attrib["viewBox"].split()]
    assert view[2:] == pytest.approx([wide, 2 * (high + 22) + 14] if stacked else [2 * wide + 24, high + 22])
    assert [t for t in texts(svg) if t in ("one", "two <b>")] == ["one", "two <b>"]
    assert ET.fromstring(svg).findtext("{http://www.w3.org/2000/svg}title") == "one and two <b>"
