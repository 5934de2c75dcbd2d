"""The edit `control`: a copy of the encoder that steers the network by a second image (ControlNet, Zhang et al. 2023).

The copy takes what the encoder takes; the control image joins its first layer with weights, through a convolution, SiLU
and a zero convolution. What the encoder and the middle give to the way up gets the copy's share added, through zero
convolutions, so that the network starts as it was.
"""

from __future__ import annotations

from collections.abc import Mapping

from archspec.edits.edit import ControlEdit
from archspec.edits.operate import refuse
from archspec.graphs.graph import (
    ArchGraph,
    Edge,
    add_edge,
    add_node,
    drop_port,
    edges_from,
    edges_into,
    input_nodes,
    known_shape,
    op_of,
    order,
    price_of,
)
from archspec.graphs.sides import standings
from archspec.ops import Act, Add, Conv, Input
from archspec.ops.io import InputKind
from archspec.ops.shapes import FeatureMap
from archspec.text.positions import Place


def control(graph: ArchGraph, edit: ControlEdit, place: Place) -> None:
    """Make the edit; refuses a graph that has a controlled copy already, or no encoder.

    The control image is the argument `context` of the network's forward, or `control` where there is a context already.
    """
    kinds = input_nodes(graph)
    if "control" in kinds or "control.image" in graph:
        there = kinds.get("control", "control.image")
        refuse(place, "U306", "the network takes a control image already.", f"Its input is `{there}`.")
    taken = next((node for node in graph if node == "control" or node.startswith("control.")), None)
    if taken is not None:
        refuse(place, "U306", f"there is a node `{taken}` already.", "Rename it: the copy stands under `control`.")
    sides = standings(graph)
    below = [node for node in order(graph) if sides[node].side in ("down", "mid") and _is_map(graph, node)]
    copied = {node: f"control.{node}" for node in below if not isinstance(op_of(graph, node), Input)}
    stem = next((node for node in copied if price_of(graph, node).parameters), None)
    image = known_shape(graph, kinds["image"]) if "image" in kinds else None
    if stem is None or not isinstance(image, FeatureMap):
        refuse(place, "U306", "there is no encoder to copy.", "It ends where a map is made smaller for the last time.")
    kind: InputKind = "control" if "context" in kinds else "context"
    add_node(graph, "control.image", Input(kind=kind, channels=edit.channels, resolution=image.size), place)
    _copy(graph, copied, place)
    _let_in(graph, copied[stem], place)
    _lead_out(graph, {**copied, stem: "control.with_hint"}, place)


def _is_map(graph: ArchGraph, node: str) -> bool:
    return isinstance(known_shape(graph, node), FeatureMap)


def _copy(graph: ArchGraph, copied: Mapping[str, str], place: Place) -> None:
    for node, copy in copied.items():
        add_node(graph, copy, op_of(graph, node), place)
        for edge in list(edges_into(graph, node)):
            add_edge(graph, Edge(copied.get(edge.source, edge.source), copy, edge.port, place))


def _let_in(graph: ArchGraph, stem: str, place: Place) -> None:
    """The control image joins what the first copied node gives."""
    shape = known_shape(graph, stem.removeprefix("control."))
    assert isinstance(shape, FeatureMap)
    users = list(edges_from(graph, stem))
    ways = {"control.hint": Conv(out=shape.channels), "control.hint_act": Act()}
    ways["control.hint_zero"] = Conv(out=shape.channels, kernel=1, zero_init=True)
    before = "control.image"
    for node, op in ways.items():
        add_node(graph, node, op, place)
        add_edge(graph, Edge(before, node, "x", place))
        before = node
    _joined(graph, "control.with_hint", stem, before, place)
    for edge in users:
        drop_port(graph, edge)
        add_edge(graph, Edge("control.with_hint", edge.target, edge.port, place))


def _lead_out(graph: ArchGraph, copied: Mapping[str, str], place: Place) -> None:
    """What leaves the encoder and the middle gets the copy's share."""
    for number, node in enumerate(list(copied)):
        leaving = [e for e in edges_from(graph, node) if e.target not in copied and not e.target.startswith("control.")]
        shape = known_shape(graph, node)
        if not leaving or not isinstance(shape, FeatureMap):
            continue
        add_node(graph, f"control.zero.{number}", Conv(out=shape.channels, kernel=1, zero_init=True), place)
        add_edge(graph, Edge(copied[node], f"control.zero.{number}", "x", place))
        _joined(graph, f"control.sum.{number}", node, f"control.zero.{number}", place)
        for edge in leaving:
            drop_port(graph, edge)
            add_edge(graph, Edge(f"control.sum.{number}", edge.target, edge.port, place))


def _joined(graph: ArchGraph, node: str, x: str, skip: str, place: Place) -> None:
    add_node(graph, node, Add(), place)
    add_edge(graph, Edge(x, node, "x", place))
    add_edge(graph, Edge(skip, node, "skip", place))
