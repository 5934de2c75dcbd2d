"""The picture of a U-Net, drawn as a U, as inline SVG: no script, in the page's own colours, and it prints."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

from archspec import ops
from archspec.graphs.graph import ArchGraph, input_shapes, inputs_of, op_of, shape_of
from archspec.ops import Add, Op
from archspec.ops.shapes import FeatureMap
from reports.figures.unet_diff import SIGNS, Difference, Mark, difference, unet_keys
from reports.figures.unet_labels import node_label, node_tooltip
from reports.figures.unet_layout import GUTTER, MERGE, Box, Layout, layout, main_lines, skip_lines
from reports.figures.unet_units import Network

KINDS: dict[type[Op], str] = {
    **dict.fromkeys(ops.BLOCKS, "res"),
    **dict.fromkeys(ops.ATTENTION, "attn"),
    **dict.fromkeys(ops.MERGES, "merge"),
    **dict.fromkeys((ops.Conv, ops.MpConv, ops.Norm, ops.Act), "conv"),
    **dict.fromkeys((ops.TimeEmbedding, ops.Mlp, ops.LabelEmbedding, ops.AddEmbeddings), "emb"),
    ops.Downsample: "down",
    ops.Upsample: "up",
}
"""Operation -> the class of its colour; others are drawn plain."""

LEGEND: tuple[tuple[str, str], ...] = (
    ("res", "residual block"),
    ("attn", "attention"),
    ("down", "downsample"),
    ("up", "upsample"),
    ("conv", "convolution, norm, activation"),
)


@dataclass(frozen=True)
class _Look:
    """How the nodes and skips of one network are marked, and what the other one has in their place."""

    nodes: dict[str, Mark] = field(default_factory=dict)
    skips: dict[str, Mark] = field(default_factory=dict)
    was: dict[str, str] = field(default_factory=dict)
    """Changed node -> its label in the other network."""
    ghosts: tuple[Box, ...] = ()
    keys: dict[str, str] | None = None
    """Node -> what its counterpart in another network is found by; see `unet_keys`."""


def unet_svg(network: Network, title: str) -> Markup:
    """Draw one network.

    Args:
        network: a built graph (shaped and priced), as `Network(graph)`.
        title: read by screen readers.
    """
    (drawn,) = layout([network])
    return _svg(network, drawn, title, _Look())


def unet_form(network: Network) -> Markup:
    """Draw one network without its words, which the page fills in.

    Its boxes and skips carry what it takes to find their counterparts in another network, and its texts how many
    letters they have room for and the width into which more are squeezed.
    """
    (drawn,) = layout([network])
    return _svg(network, drawn, "", _Look(keys=unet_keys(network)))


def unet_pair(base: Network, other: Network, titles: tuple[str, str]) -> tuple[Markup, Markup, Difference | None]:
    """Draw two networks in one frame with what differs marked; unmarked if their nodes are named too differently."""
    found = difference(base, other)
    if found is None:
        return unet_svg(base, titles[0]), unet_svg(other, titles[1]), None
    left, right = layout([base, other])
    back = {theirs: ours for ours, theirs in found.pairs.items()}
    looks = (
        _Look(
            found.base, found.base_skips, _was(other.graph, found.pairs, found.base), _ghosts(right, found.other, left)
        ),
        _Look(found.other, found.other_skips, _was(base.graph, back, found.other), _ghosts(left, found.base, right)),
    )
    return _svg(base, left, titles[0], looks[0]), _svg(other, right, titles[1], looks[1]), found


def _was(other: ArchGraph, pairs: dict[str, str], marks: dict[str, Mark]) -> dict[str, str]:
    return {node: node_label(other, pairs[node]) for node, mark in marks.items() if mark in ("changed", "follows")}


def _ghosts(of: Layout, marks: dict[str, Mark], into: Layout) -> tuple[Box, ...]:
    """Places that only the other network fills."""
    taken = {(box.x, box.y) for box in into.boxes.values()}
    ours = [box for node, box in of.boxes.items() if marks.get(node) in ("added", "removed")]
    # The small sign of a merge needs no outline of its own beside that of its block.
    return tuple(box for box in ours if (box.x, box.y) not in taken and box.w > MERGE)


LETTER = 5.9
"""Width of a letter in a box, about."""

# ---- drawing -------------------------------------------------------------------------------------------------------

_SVG = Markup('<svg class="unet" viewBox="0 0 {:.0f} {:.0f}" role="group" aria-label="{}"><title>{}</title>{}</svg>')
_STRIPE_LABEL = Markup('<text class="stripe-label" x="8" y="{:.1f}">{}</text>')
_NODE = Markup('<g class="node k-{}{}" tabindex="0" role="img" aria-label="{}" data-node="{}"><title>{}</title>{}</g>')
_BLANK = Markup('<g class="node k-{}" tabindex="0" role="img" data-node="{}" data-key="{}"><title></title>{}</g>')
_TEXT = Markup('<text x="{:.1f}" y="{:.1f}"{}>{}</text>')
_KEYED_SKIP = Markup('<path class="skip" d="{}" data-key="{}" data-from="{}"/>')
_LABEL = Markup('<text class="input" x="{:.1f}" y="{:.1f}">{}</text>')

# Of numbers and our own words alone: nothing to escape, and made by the thousand.
_STRIPE = '<rect class="stripe" x="0" y="{:.1f}" width="{:.0f}" height="{:.1f}" rx="4"/>'
_BLANK_TEXT = '<text x="{:.1f}" y="{:.1f}" data-letters="{:.0f}" data-room="{:.0f}"></text>'
_RECT = '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"/>'
_BADGE = '<circle class="badge" cx="{0:.1f}" cy="{1:.1f}" r="6"/><text class="sign" x="{0:.1f}" y="{2:.1f}">{3}</text>'
_PATH = '<path class="{}" d="{}"/>'
_GHOST = '<rect class="ghost" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" rx="3"/>'
_CIRCLE = '<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}"/><path d="{}"/>'


def _svg(network: Network, drawn: Layout, title: str, look: _Look) -> Markup:
    graph = network.graph
    merges = {u.merge for u in drawn.units if u.merge is not None}
    parts = [
        *(_STRIPE.format(s.y, drawn.width, s.h) for s in drawn.stripes),
        *(_STRIPE_LABEL.format(s.y + s.h / 2 + 4, s.label) for s in drawn.stripes),
        *(_PATH.format("flow", _route(drawn.boxes[a], drawn.boxes[b])) for a, b in main_lines(network, drawn)),
        *(_skip(graph, merge, ends, look) for merge, ends in skip_lines(network, drawn).items()),
        *(_GHOST.format(g.x, g.y, g.w, g.h) for g in look.ghosts),
        *(_input(graph, node, box) for node, box in drawn.inputs.items()),
        *_conditioning(network, look),
        *((_merge if node in merges else _node)(graph, node, box, look) for node, box in drawn.boxes.items()),
    ]
    return _SVG.format(drawn.width, drawn.height, title, title, Markup("".join(parts)))


def _node(graph: ArchGraph, node: str, box: Box, look: _Look) -> Markup:
    mark = look.nodes.get(node, "")
    if look.keys is not None:
        room = _BLANK_TEXT.format(*_text_at(box), (box.w - 6) // LETTER, box.w - 8)
        return _wrap(graph, node, look, Markup(_RECT.format(box.x, box.y, box.w, box.h) + room))
    label = node_label(graph, node)
    # Text that would touch the frame is squeezed rather than cut: the whole label is the point of the picture.
    squeeze = Markup(' textLength="{:.0f}" lengthAdjust="spacingAndGlyphs"').format(box.w - 8)
    text = _TEXT.format(*_text_at(box), squeeze if len(label) > (box.w - 6) // LETTER else "", label)
    body = Markup(_RECT.format(box.x, box.y, box.w, box.h)) + text + _badge(box, mark)
    return _wrap(graph, node, look, body)


def _merge(graph: ArchGraph, node: str, box: Box, look: _Look) -> Markup:
    (x, y), r = box.middle, box.w / 2
    bars = f"M{x - 1.6:.1f} {y - 3:.1f}v6M{x + 1.6:.1f} {y - 3:.1f}v6"
    cross = f"M{x - 3:.1f} {y:.1f}h6M{x:.1f} {y - 3:.1f}v6"
    sign = bars if not isinstance(op_of(graph, node), Add) else cross
    return _wrap(graph, node, look, Markup(_CIRCLE.format(x, y, r, sign)))


def _wrap(graph: ArchGraph, node: str, look: _Look, body: Markup) -> Markup:
    mark = look.nodes.get(node, "")
    kind = KINDS.get(type(op_of(graph, node)), "other")
    if look.keys is not None:
        return _BLANK.format(kind, node, look.keys.get(node, node), body)
    label = f"{node}: {node_label(graph, node)}{f', {mark}' if mark else ''}"
    tooltip = node_tooltip(graph, node, look.was.get(node, ""))
    return _NODE.format(kind, f" m-{mark}" if mark else "", label, node, tooltip, body)


def _badge(box: Box, mark: Mark) -> Markup:
    x, y = box.x + box.w - 1, box.y + 1
    return Markup(_BADGE.format(x, y, y + 3.6, SIGNS[mark]) if SIGNS[mark] else "")


def _text_at(box: Box) -> tuple[float, float]:
    x, y = box.middle
    return x, y + 3.8


def _skip(graph: ArchGraph, merge: str, ends: tuple[Box, Box], look: _Look) -> Markup:
    mark = look.skips.get(merge, "")
    (_, y1), (_, y2) = ends[0].middle, ends[1].middle
    x1, x2 = ends[0].x + ends[0].w, ends[1].x
    straight = f"M{x1:.1f} {y1:.1f}H{x2:.1f}"
    bent = f"M{x1:.1f} {y1:.1f}H{(x1 + x2) / 2:.1f}V{y2:.1f}H{x2:.1f}"
    path = straight if abs(y1 - y2) < 0.1 else bent
    if look.keys is not None:
        source = inputs_of(graph, merge)["skip"]
        return _KEYED_SKIP.format(path, look.keys.get(merge, merge), look.keys.get(source, source))
    line = Markup(_PATH.format(f"skip m-{mark}" if mark else "skip", path))
    if not mark:
        return line
    source = inputs_of(graph, merge)["skip"]
    middle = Box((x1 + x2) / 2, (y1 + y2) / 2, 0, 0)
    tip = Markup("<title>skip {} → {}: {}</title>").format(source, merge, mark)
    badge = Markup(_BADGE.format(middle.x, middle.y, middle.y + 3.6, SIGNS[mark]))
    return line + Markup('<g class="m-{}">{}{}</g>').format(mark, tip, badge)


def _route(a: Box, b: Box) -> str:
    """A path with right angles that turns in the gap before its target."""
    (ax, ay), (bx, by) = a.middle, b.middle
    if abs(ay - by) < HALF:
        start, end = (a.x + a.w, b.x) if ax < bx else (a.x, b.x + b.w)
        return f"M{start:.1f} {ay:.1f}H{end:.1f}"
    if by > ay:
        turn = b.y - 4.5
        return f"M{ax:.1f} {a.y + a.h:.1f}V{turn:.1f}H{bx:.1f}V{b.y:.1f}"
    turn = b.y + b.h + 4.5
    return f"M{ax:.1f} {a.y:.1f}V{turn:.1f}H{bx:.1f}V{b.y + b.h:.1f}"


HALF = 6.0
"""Boxes whose middles differ by less than this stand in one row."""


def _input(graph: ArchGraph, node: str, box: Box) -> Markup:
    shape = shape_of(graph, node)
    assert isinstance(shape, FeatureMap)
    return _LABEL.format(*_text_at(box), f"{node} {shape.channels}×{shape.size}×{shape.size}")


def _conditioning(network: Network, look: _Look) -> list[Markup]:
    """Embeddings stand above the U in a row; lines to every block would hide it."""
    graph = network.graph
    nodes = [n for n in network.conditioning if input_shapes(graph, n)]
    parts: list[Markup] = []
    x = GUTTER
    for node in nodes:
        box = Box(x, 5.0, 104.0)
        if parts:
            parts.append(Markup(_PATH.format("flow", f"M{x - 12:.1f} 15H{x:.1f}")))
        parts.append(_node(graph, node, box, look))
        x += 116.0
    if nodes:
        takers = len({t for n in nodes for t in graph.successors(n)} - set(nodes))
        words = "block" if takers == 1 else "blocks"
        parts.append(Markup('<text class="note" x="{:.1f}" y="19">→ {} {}</text>').format(x - 6, takers, words))
    return parts
