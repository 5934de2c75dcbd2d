"""Rows of a U-Net's picture: bands by resolution, partners of a skip in one row, the same rows for two networks.

Encoder units run down their band. A decoder unit takes the row of the unit whose output it gets, so that its skip is a
straight line; those without a skip stand where the order of computation puts them. Rows of two networks are laid out
together: what only one of them has leaves a gap in the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.figures.unet_units import Side, Unit

HEAD_ROW = -1.0
"""The network's end (and its input) stand above the first row of the largest resolution."""


@dataclass(frozen=True)
class Band:
    """The rows of one resolution, in pixels per side, or of the middle."""

    size: int
    rows: int
    middle: bool = False


@dataclass(frozen=True)
class Cell:
    """Where a unit stands: its band, its row in it, and its place in the row."""

    side: Side
    band: int
    row: int
    slot: int = 0


@dataclass(frozen=True)
class Placement:
    """The bands that all networks share, and a cell for each network's units by their node."""

    bands: tuple[Band, ...]
    cells: tuple[dict[str, Cell], ...]


def merged(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """Join two orders of names into one: what is only in the second comes after what it follows there."""
    joined, last = list(first), -1
    for name in second:
        if name in joined:
            last = joined.index(name)
        else:
            last += 1
            joined.insert(last, name)
    return joined


def place(networks: Sequence[Sequence[Unit]]) -> Placement:
    """Give every unit of one or two networks its cell."""
    sizes = sorted({u.size for units in networks for u in units if u.side != "mid"}, reverse=True)
    cells: tuple[dict[str, Cell], ...] = tuple({} for _ in networks)
    bands: list[Band] = []
    for index, size in enumerate(sizes):
        positions = _band_positions([[u for u in units if u.size == size] for units in networks])
        distinct = sorted({position for by_node in positions for position in by_node.values()})
        rank = {position: row for row, position in enumerate(distinct)}
        for units, by_node, found in zip(networks, positions, cells, strict=True):
            head = [u.node for u in units if u.side == "head" and u.size == size]
            side_of = {u.node: u.side for u in units}
            for node, position in by_node.items():
                slot = head.index(node) if node in head else 0
                found[node] = Cell(side_of[node], index, rank[position], slot)
        bands.append(Band(size, len(distinct)))
    _place_middle(networks, bands, cells)
    return Placement(tuple(bands), cells)


def _place_middle(
    networks: Sequence[Sequence[Unit]], bands: list[Band], cells: tuple[dict[str, Cell], ...], per_row: int = 4
) -> None:
    middles = [[u for u in units if u.side == "mid"] for units in networks]
    names = [u.node for u in middles[0]]
    for middle in middles[1:]:
        names = merged(names, [u.node for u in middle])
    if not names:
        return
    for middle, found in zip(middles, cells, strict=True):
        for unit in middle:
            row, slot = divmod(names.index(unit.node), per_row)
            found[unit.node] = Cell("mid", len(bands), row, slot)
    size = next(u.size for middle in middles for u in middle)
    bands.append(Band(size, (len(names) - 1) // per_row + 1, middle=True))


def _band_positions(networks: Sequence[Sequence[Unit]]) -> list[dict[str, float]]:
    """Positions of one band's units, by network; fractions stand between rows until all are known."""
    encoders = [[u for u in units if u.side == "down"] for units in networks]
    names = [u.node for u in encoders[0]]
    for encoder in encoders[1:]:
        names = merged(names, [u.node for u in encoder])
    found = []
    for units, encoder in zip(networks, encoders, strict=True):
        rows = {u.node: float(names.index(u.node)) for u in encoder}
        row_of = {node: rows[u.node] for u in encoder for node in u.nodes}
        decoder = [u for u in units if u.side == "up"]
        rows |= _decoder_positions(decoder, row_of, len(names))
        rows |= {u.node: HEAD_ROW for u in units if u.side == "head"}
        found.append(_below_head(rows, units))
    return found


def _below_head(rows: dict[str, float], units: Sequence[Unit]) -> dict[str, float]:
    """Keep the row of the network's end free of others that went above the first row."""
    head = {u.node for u in units if u.side == "head"}
    others = [row for node, row in rows.items() if node not in head]
    if not head or not others or min(others) > HEAD_ROW:
        return rows
    top = min(others) - 1
    return {node: top if node in head else row for node, row in rows.items()}


def _decoder_positions(units: Sequence[Unit], row_of: dict[str, float], encoder_rows: int) -> dict[str, float]:
    """Rows of the decoder, which is computed from the bottom of its band to the top."""
    wanted: list[float | None] = []
    for unit in units:
        row = row_of.get(unit.skip_source) if unit.skip_source is not None else None
        wanted.append(None if row in wanted else row)
    positions: dict[str, float] = {}
    start = 0
    below: float | None = None
    while start < len(units):
        end = next((i for i in range(start, len(units)) if wanted[i] is not None), len(units))
        above = wanted[end] if end < len(units) else None
        for offset, row in enumerate(_gap(end - start, below, above)):
            positions[units[start + offset].node] = row
        if start == 0 < end and len(units) > 1:
            positions[units[0].node] = max(positions[units[0].node], float(encoder_rows))
        if above is not None:
            positions[units[end].node] = above
        below, start = above, end + 1
    return _apart(positions)


def _gap(number: int, below: float | None, above: float | None) -> list[float]:
    """Rows for units without a skip between the rows of those with one, lowest (computed first) first."""
    if above is None:
        return (
            [below - 1 - k for k in range(number)]
            if below is not None
            else [float(number - 1 - k) for k in range(number)]
        )
    if below is None or below - above > number:
        return [above + number - k for k in range(number)]
    span = below - above if below > above else 1.0
    return [above + span * (number - k) / (number + 1) for k in range(number)]


def _apart(positions: dict[str, float]) -> dict[str, float]:
    taken: set[float] = set()
    for node, row in positions.items():
        free = row
        while free in taken:
            free -= 0.5
        positions[node] = free
        taken.add(free)
    return positions
