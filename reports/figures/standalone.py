"""A drawing of ours as a file of its own: every colour and line written on its elements, so that any program shows it.

On the page the style sheet says how drawings look. Editors and TeX know little of style sheets and nothing of
variables, so here each element carries what applies to it, in the colours for paper.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from reports.theme import LIGHT

#: A font that papers and every system have.
PAPER_FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_SVG = "http://www.w3.org/2000/svg"
#: Pixels in an inch, as browsers count.
PIXELS = 96

_MARKS = {"m-changed": LIGHT["changed"], "m-added": LIGHT["added"], "m-removed": LIGHT["removed"]}
_FILLS = {f"k-{kind}": LIGHT[f"node-{kind}"] for kind in ("res", "attn", "down", "up", "conv")}


@dataclass(frozen=True)
class _Place:
    """An element's tag and classes, and those of the group it stands in."""

    tag: str
    own: frozenset[str]
    group: frozenset[str]


def standalone_unet(svg: Markup, width: float | None = None) -> str:
    """A U of `figures.unet_svg` as an SVG file.

    Args:
        svg: the drawing.
        width: of the file in inches; None: as it was drawn.
    """
    root = ET.fromstring(svg)
    _style(root, frozenset())
    title = root.attrib.get("aria-label", "")
    body = "".join(ET.tostring(child, encoding="unicode") for child in root if child.tag != "title")
    _, _, wide, high = (float(number) for number in root.attrib["viewBox"].split())
    return svg_file(body, wide, high, title, width)


def svg_file(body: str, wide: float, high: float, title: str, width: float | None = None) -> str:
    """An SVG file on white paper around `body`, which is SVG in user units.

    Args:
        body: its content.
        wide: user units across.
        high: user units down.
        title: what it shows, as plain text.
        width: of the file in inches; None: one pixel a unit.
    """
    scale = 1.0 if width is None else width * PIXELS / wide
    head = Markup(
        '<svg xmlns="{}" width="{:.2f}in" height="{:.2f}in" viewBox="0 0 {:.1f} {:.1f}" font-family="{}">'
        '<title>{}</title><rect width="{:.1f}" height="{:.1f}" fill="#ffffff"/>'
    ).format(
        _SVG, wide * scale / PIXELS, high * scale / PIXELS, wide, high, PAPER_FONT, title, wide, high
    )  # fmt: skip
    return f"{head}{body}</svg>\n"


def beside(drawings: Mapping[str, Markup], width: float | None = None, stacked: float = 5.0) -> str:
    """Several U's in one file, each under its heading: side by side, or one above the other in a narrow file.

    Args:
        drawings: heading -> drawing.
        width: of the file in inches; None: one pixel a unit.
        stacked: inches below which they stand one above the other.
    """
    x = y = 0.0
    wide = high = 0.0
    parts = []
    narrow = width is not None and width < stacked
    for heading, svg in drawings.items():
        root = ET.fromstring(svg)
        _style(root, frozenset())
        _, _, w, h = (float(number) for number in root.attrib["viewBox"].split())
        inner = "".join(ET.tostring(child, encoding="unicode") for child in root if child.tag != "title")
        words = Markup('<text x="4" y="14" font-size="13" font-weight="600" fill="{}">{}</text>').format(
            LIGHT["ink"], heading
        )
        parts.append(f'<g transform="translate({x:.1f} {y:.1f})">{words}<g transform="translate(0 22)">{inner}</g></g>')
        wide, high = max(wide, x + w), max(high, y + h + 22)
        x, y = (0.0, high + 14) if narrow else (x + w + 24, 0.0)
    return svg_file("".join(parts), wide, high, " and ".join(drawings), width)


def _style(element: ET.Element, group: frozenset[str]) -> None:
    own = frozenset(element.attrib.pop("class", "").split())
    for name in ("tabindex", "role", "aria-label", "data-node"):
        if element.tag != "svg":
            element.attrib.pop(name, None)
    element.attrib |= _looks(_Place(element.tag, own, group))
    for child in element:
        _style(child, group | own)


def _looks(place: _Place) -> dict[str, str]:
    if place.tag == "text":
        return _text(place)
    if place.tag == "path":
        return _path(place)
    if place.tag in ("rect", "circle"):
        return _shape(place)
    return {}


def _text(place: _Place) -> dict[str, str]:
    looks = {"font-size": "10.5", "fill": LIGHT["ink"], "text-anchor": "middle"}
    if place.own & {"stripe-label", "note"}:
        looks |= {"text-anchor": "start", "fill": LIGHT["muted"]}
    if "input" in place.own:
        looks["fill"] = LIGHT["muted"]
    return looks | {"fill": LIGHT["paper"], "font-weight": "700"} if "sign" in place.own else looks


def _path(place: _Place) -> dict[str, str]:
    looks = {"fill": "none", "stroke": LIGHT["ink"], "stroke-width": "1.2"}
    if "flow" in place.own:
        looks |= {"stroke": LIGHT["node-line"], "stroke-width": "1"}
    if "skip" in place.own:
        colour = next((_MARKS[mark] for mark in _MARKS if mark in place.own), LIGHT["skip"])
        looks |= {"stroke": colour, "stroke-width": "2.2" if "m-added" in place.own else "1.6"}
        looks |= {"stroke-dasharray": "5 3"} if "m-removed" in place.own else {}
    return looks


def _shape(place: _Place) -> dict[str, str]:
    mark = next((_MARKS[name] for name in _MARKS if name in place.group), None)
    if "stripe" in place.own:
        return {"fill": LIGHT["panel"]}
    if "ghost" in place.own:
        return {"fill": "none", "stroke": LIGHT["node-line"], "stroke-dasharray": "3 3"}
    if "badge" in place.own:
        return {"fill": mark or LIGHT["ink"], "stroke": LIGHT["paper"], "stroke-width": "1"}
    fill = next((_FILLS[kind] for kind in _FILLS if kind in place.group), LIGHT["node-conv"])
    looks = {"fill": LIGHT["paper"] if "k-merge" in place.group else fill, "stroke": mark or LIGHT["node-line"]}
    looks["stroke-width"] = "1.8" if mark else "1"
    if "m-follows" in place.group:
        looks |= {"stroke": LIGHT["changed"], "stroke-width": "1.5"}
    return looks | ({"stroke-dasharray": "5 2"} if "m-removed" in place.group and place.tag == "rect" else {})
