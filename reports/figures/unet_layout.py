"""Geometry of a U-Net's picture, in user units of the SVG (pixels at scale 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from archspec.graphs.graph import ArchGraph, inputs_of, op_of, shape_of
from archspec.ops import Input
from archspec.ops.shapes import FeatureMap
from reports.figures.unet_rows import Band, Cell, Placement, place
from reports.figures.unet_units import Network, Unit

BOX, ATTENTION, HEIGHT = 88.0, 80.0, 20.0
GAP, ROW, PAD = 7.0, 29.0, 9.0
GUTTER, MARGIN, MERGE = 60.0, 8.0, 11.0
INDENT, CENTRE = 14.0, 84.0
BAND_GAP, TOP = 6.0, 34.0


@dataclass(frozen=True)
class Box:
    """A rectangle for one node."""

    x: float
    y: float
    w: float
    h: float = HEIGHT

    @property
    def middle(self) -> tuple[float, float]:
        """Its centre."""
        return self.x + self.w / 2, self.y + self.h / 2


@dataclass(frozen=True)
class Stripe:
    """The background of one band and its label."""

    y: float
    h: float
    label: str


@dataclass(frozen=True)
class Layout:
    """One network in a frame that it may share with another."""

    width: float
    height: float
    stripes: tuple[Stripe, ...]
    boxes: dict[str, Box]
    """Node -> box; merges drawn as a small sign before a block have a box of that size."""
    units: tuple[Unit, ...]
    inputs: dict[str, Box]
    """Image and context inputs -> the place of their label."""


@dataclass(frozen=True)
class _Frame:
    """Measures that all networks of a picture share."""

    attention: float
    middle_slots: int
    levels: int

    @property
    def unit(self) -> float:
        return BOX + (GAP + self.attention if self.attention else 0)

    @property
    def width(self) -> float:
        u_shape = CENTRE + 2 * INDENT * max(0, self.levels - 1) + 2 * self.unit
        middle = self.middle_slots * (BOX + GAP)
        return GUTTER + max(u_shape, middle) + MARGIN

    def left(self, cell: Cell) -> float:
        inner = GUTTER + INDENT * cell.band
        if cell.side == "down":
            return inner
        if cell.side == "up":
            return self.width - MARGIN - INDENT * cell.band - self.unit
        row_width = self.middle_slots * (BOX + GAP) - GAP
        return (GUTTER + self.width - MARGIN - row_width) / 2 + cell.slot * (BOX + GAP)


def layout(shown: Sequence[Network]) -> tuple[Layout, ...]:
    """Lay out one network, or two in one frame so that what they share stands at the same place."""
    networks = [network.units for network in shown]
    placement = place(networks)
    beside = any(u.attention is not None for network in networks for u in network)
    slots = max((c.slot + 1 for cells in placement.cells for c in cells.values() if c.side == "mid"), default=0)
    frame = _Frame(ATTENTION if beside else 0.0, slots, sum(not band.middle for band in placement.bands))
    stripes = _stripes(placement)
    return tuple(_layout(network, placement, stripes, frame, index) for index, network in enumerate(shown))


def _stripes(placement: Placement) -> tuple[Stripe, ...]:
    y, found = TOP, []
    for band in placement.bands:
        height = band.rows * ROW - (ROW - HEIGHT) + 2 * PAD
        found.append(Stripe(y, height, _label(band)))
        y += height + BAND_GAP
    return tuple(found)


def _label(band: Band) -> str:
    return f"{'mid ' if band.middle else ''}{band.size}×{band.size}"


def _layout(network: Network, placement: Placement, stripes: tuple[Stripe, ...], frame: _Frame, index: int) -> Layout:
    boxes: dict[str, Box] = {}
    cells = placement.cells[index]
    heads = [u.node for u in network.units if cells[u.node].side == "head"]
    for unit in network.units:
        cell = cells[unit.node]
        y = stripes[cell.band].y + PAD + cell.row * ROW
        if cell.side == "head":
            boxes[unit.node] = _head_box(heads.index(unit.node), len(heads), y, frame)
            continue
        x = frame.left(cell)
        boxes[unit.node] = Box(x, y, BOX)
        if unit.attention is not None:
            boxes[unit.attention] = Box(x + BOX + GAP, y, frame.attention)
        if unit.merge is not None:
            boxes[unit.merge] = Box(x - MERGE - 3, y + (HEIGHT - MERGE) / 2, MERGE, MERGE)
    height = stripes[-1].y + stripes[-1].h + 2 if stripes else TOP
    labels = _own_labels(stripes, network.units)
    return Layout(frame.width, height, labels, boxes, network.units, _inputs(network.graph, boxes))


def _own_labels(stripes: tuple[Stripe, ...], network: tuple[Unit, ...]) -> tuple[Stripe, ...]:
    """Name the middle by this network's size; two in one frame may differ there."""
    size = next((u.size for u in network if u.side == "mid"), None)
    if size is None or not stripes or not stripes[-1].label.startswith("mid"):
        return stripes
    return (*stripes[:-1], replace(stripes[-1], label=f"mid {size}×{size}"))


def _head_box(position: int, number: int, y: float, frame: _Frame) -> Box:
    """The end of the network runs to the right in one row; norm and activation need little room."""
    room = max(frame.unit, 160.0)
    small = min(52.0, (room - BOX) / max(1, number - 1) - GAP) if number > 1 else BOX
    right = frame.width - MARGIN
    start = right - BOX - (number - 1) * (small + GAP)
    last = position == number - 1
    return Box(right - BOX if last else start + position * (small + GAP), y, BOX if last else small)


def _inputs(graph: ArchGraph, boxes: dict[str, Box]) -> dict[str, Box]:
    """Labels of the images that enter, above the node that takes them."""
    found: dict[str, Box] = {}
    images = [n for n in graph if isinstance(op_of(graph, n), Input) and isinstance(shape_of(graph, n), FeatureMap)]
    for node in images:
        target = next((t for t in graph.successors(node) if t in boxes), None)
        if target is not None:
            box = boxes[target]
            found[node] = Box(box.x + len(found) * (BOX + GAP), box.y - ROW, BOX)
    return found


def skip_lines(network: Network, drawn: Layout) -> dict[str, tuple[Box, Box]]:
    """Return merge -> the boxes between which its skip runs."""
    return {
        merge: (drawn.boxes[source], drawn.boxes[merge])
        for merge, source in network.skips.items()
        if source in drawn.boxes and merge in drawn.boxes
    }


def main_lines(network: Network, drawn: Layout) -> list[tuple[str, str]]:
    """Return the edges of the running feature map, and of every other map that is no skip, as pairs of nodes."""
    return [
        (source, target)
        for target in drawn.boxes
        for source in inputs_of(network.graph, target).values()
        if source in drawn.boxes and network.skips.get(target) != source
    ]
