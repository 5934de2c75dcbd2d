"""Of which parts a feature map is joined: so that weights can follow a part whose place has changed."""

from __future__ import annotations

from archspec import ArchGraph, ops
from archspec.graphs.graph import inputs_of, op_of, order, shape_of
from archspec.ops.shapes import FeatureMap

#: (what the part is, its channels): "" for the running map, "skip 1" for the map joined to it, and so on.
Segments = tuple[tuple[str, int], ...]

_JOINS = (ops.Concat, ops.MpConcat, ops.GatedConcat, ops.FreeUConcat)
#: Operations that keep every channel in its place.
_KEEPS = (ops.Act, ops.Norm, ops.PixelNorm, ops.MpSilu, ops.Clip)


def segments(architecture: ArchGraph) -> dict[str, Segments]:
    """Node -> the parts of its output, in their order; for nodes that give feature maps."""
    found: dict[str, Segments] = {}
    for node in order(architecture):
        shape = shape_of(architecture, node)
        if not isinstance(shape, FeatureMap):
            continue
        op, inputs = op_of(architecture, node), inputs_of(architecture, node)
        if isinstance(op, _JOINS):
            here = found[inputs["x"]]
            joined = sum(width for _, width in found[inputs["skip"]])
            found[node] = (*here, (f"skip {len(here)}", joined))
        elif isinstance(op, _KEEPS):
            found[node] = found[inputs["x"]]
        else:
            found[node] = (("", shape.channels),)
    return found


def overlaps(parent: Segments, child: Segments) -> list[tuple[slice, slice]]:
    """(where in the parent, where in the child) for the channels of each part that both have."""
    starts: dict[str, tuple[int, int]] = {}
    at = 0
    for name, width in parent:
        starts[name] = (at, width)
        at += width
    found, at = [], 0
    for name, width in child:
        if name in starts:
            start, there = starts[name]
            both = min(width, there)
            found.append((slice(start, start + both), slice(at, at + both)))
        at += width
    return found
