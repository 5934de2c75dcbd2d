"""How the kinds of a search's trials look, the same in every figure and in the table: symbol first, colour second."""

from __future__ import annotations

from dataclasses import dataclass

from reports.theme import LIGHT


@dataclass(frozen=True)
class Kind:
    """One kind of trial."""

    name: str
    label: str
    symbol: str
    """plotly's name of the symbol."""
    sign: str
    """The same as a character."""
    colour: str
    css: str
    """Class of lines and signs in SVG and tables."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("front", "on the front", "diamond", "◆", LIGHT["front"], "front"),
        Kind("dominated", "dominated", "circle-open", "○", LIGHT["dominated"], "dominated"),
        Kind("infeasible", "over a budget", "triangle-up-open", "△", LIGHT["infeasible"], "infeasible"),
        Kind("no result", "no result", "x-thin", "×", LIGHT["lost"], "lost"),
    )
}

KNEE = Kind("knee", "knee", "square-open", "□", LIGHT["front"], "knee")
"""What stands around the mark of the front's knee."""

KNEE_SIZE = 17
"""Pixels across, so that the mark within is seen."""
