"""The picture of one node: what comes in at each port, the node itself, what leaves. SVG in the page's own colours."""

from __future__ import annotations

from html import escape

from archspec.graphs.graph import ArchGraph, input_shapes, inputs_of, op_of, price_of, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Shape
from reports.figures.unet_labels import node_label
from reports.figures.unet_svg import KINDS

ROW, BOX, LEFT, WIDTH = 44, 190, 210, 640


def picture(graph: ArchGraph, node: str) -> str:
    """The picture as one line of SVG, with its words as its title."""
    inputs = input_shapes(graph, node)
    sources = inputs_of(graph, node)
    rows = max(len(inputs), 1)
    height = rows * ROW + 16
    middle = height / 2
    parts = [_input(8 + (i + 0.5) * ROW, port, sources[port], words(s)) for i, (port, s) in enumerate(inputs.items())]
    parts += [_box(graph, node, height), _output(middle, words(shape_of(graph, node)))]
    title = escape(f"{node}: {', '.join(f'{port} {words(s)}' for port, s in inputs.items()) or 'no input'}")
    frame = f'<svg class="op" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">'
    return frame + f"<title>{title}</title>{''.join(parts)}</svg>"


def words(shape: Shape | None) -> str:
    """A shape as people write it."""
    if isinstance(shape, FeatureMap):
        return f"{shape.channels}×{shape.size}×{shape.size}"
    return f"[{shape.dim}]" if isinstance(shape, Embedding) else str(shape)


def _input(y: float, port: str, source: str, shape: str) -> str:
    text = f'<text x="{LEFT - 14}" y="{y - 5:.0f}" class="port">{escape(port)}: {escape(shape)}</text>'
    below = f'<text x="{LEFT - 14}" y="{y + 14:.0f}" class="from">{escape(source)}</text>'
    return f'{text}{below}<path d="M20 {y:.0f}H{LEFT - 2}"/><path class="tip" d="M{LEFT - 9} {y - 4:.0f}l7 4l-7 4z"/>'


def _box(graph: ArchGraph, node: str, height: float) -> str:
    kind = KINDS.get(type(op_of(graph, node)), "other")
    price = price_of(graph, node)
    cost = f"{price.parameters:,} parameters, {_macs(price.macs)}" if price.parameters or price.macs else "free"
    middle = LEFT + BOX / 2
    label = escape(node_label(graph, node))
    return (
        f'<g class="k-{kind}"><rect x="{LEFT}" y="4" width="{BOX}" height="{height - 8:.0f}" rx="4"/>'
        f'<text x="{middle}" y="{height / 2 - 3:.0f}" class="name">{label}</text>'
        f'<text x="{middle}" y="{height / 2 + 14:.0f}" class="cost">{cost}</text></g>'
    )


def _macs(macs: int) -> str:
    return f"{macs / 1e9:.2f} GMACs" if macs >= 1e9 else f"{macs / 1e6:.2f} MMACs"


def _output(y: float, shape: str) -> str:
    start, end = LEFT + BOX, WIDTH - 30
    return (
        f'<path d="M{start} {y:.0f}H{end}"/><path class="tip" d="M{end - 7} {y - 4:.0f}l7 4l-7 4z"/>'
        f'<text x="{start + 14}" y="{y - 6:.0f}" class="out">{escape(shape)}</text>'
    )
