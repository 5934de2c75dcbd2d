"""Reads an SVG of a report: what was drawn, and where."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"


def tags(svg: str, tag: str, css: str | None = None) -> list[ET.Element]:
    """The elements of one tag, whether it has a name space or none; those of one class, if that is asked for."""
    found = [e for e in ET.fromstring(svg).iter() if e.tag.removeprefix(SVG) == tag]
    return [e for e in found if css is None or css in e.attrib.get("class", "").split()]


def number(element: ET.Element, name: str) -> float:
    """An attribute as a number, per cents and inches without their unit."""
    return float(re.sub(r"(%|in)$", "", element.attrib[name]))


def texts(svg: str) -> list[str]:
    """What stands in the drawing, in order."""
    return [e.text or "" for e in tags(svg, "text")]


def corners(path: str) -> Iterator[tuple[float, float]]:
    """The points of a path of M, H and V with absolute places."""
    x = y = 0.0
    for letter, numbers in re.findall(r"([MHV])([-0-9. ]+)", path):
        given = [float(one) for one in numbers.split()]
        if letter == "M":
            x, y = given
        elif letter == "H":
            (x,) = given
        else:
            (y,) = given
        yield x, y
