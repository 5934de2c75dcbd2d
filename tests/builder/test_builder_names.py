"""Node ids as module paths and variable names, and the table from operations to modules."""

import itertools

import pytest
import torch
from torch import nn

from archspec import OPS, Op, UserError
from archspec.graphs.graph import Edge, add_edge, add_node, empty
from archspec.graphs.infer import annotate
from archspec.ops import Attention, Conv, Input, Output
from archspec.ops.shapes import FeatureMap
from archspec.text.names import RESERVED as REFUSED_IN_SPECS
from builder import assemble
from builder.lowering import LOWERINGS, lower, register
from builder.names import RESERVED
from builder.network import Group, grouped


def named(*names):
    """A chain of 1×1 convolutions with these ids, not checked by archspec."""
    graph = empty("named")
    add_node(graph, "x", Input(channels=2, resolution=4))
    for source, node in itertools.pairwise(["x", *names]):
        add_node(graph, node, Conv(out=2, kernel=1))
        add_edge(graph, Edge(source, node, "x"))
    add_node(graph, "y", Output())
    add_edge(graph, Edge(names[-1], "y", "x"))
    annotate(graph)
    return graph


def test_ids_that_hide_something_of_torchs_are_refused():
    with pytest.raises(UserError) as caught:
        assemble(named("half", "fine.forward", "graph.block", "a.training.b", "in"))
    refused = [("half", "half"), ("fine.forward", "forward"), ("graph.block", "graph"), ("a.training.b", "training")]
    assert str(caught.value).splitlines() == [
        f"error U109 {node}: `{word}` cannot be the name of a module: torch or Python uses it. "
        "Give the node another id."
        for node, word in [*refused, ("in", "in")]
    ]


def test_specs_refuse_every_public_name_of_this_torch():
    assert {name for name in RESERVED if not name.startswith("_")} <= REFUSED_IN_SPECS


def test_ids_inside_a_node_with_weights_are_refused():
    with pytest.raises(UserError) as caught:
        assemble(named("a.b.c", "a"))
    assert str(caught.value) == (
        "error U109 a.b.c: this path lies inside `a`, which is a node with weights of its own. "
        "Give the node another id."
    )


def test_ids_that_look_alike_do_not_collide():
    network = assemble(named("a.b", "a_b", "sum", "self", "float_", "t", "context"))
    assert network(torch.randn(1, 2, 4, 4)).shape == (1, 2, 4, 4)
    assert sorted({key.rsplit(".", 1)[0] for key in network.state_dict()}) == [
        "a.b", "a_b", "context", "float_", "self", "sum", "t",
    ]  # fmt: skip


def test_every_operation_has_a_lowering():
    assert set(LOWERINGS) == set(OPS.values())


class Doubled(Op):
    op: str = "doubled"

    def shape(self, inputs):
        return inputs["x"]


def test_operations_from_outside_come_in_by_registering(monkeypatch):
    shapes = {"x": FeatureMap(4, 8)}
    with pytest.raises(
        UserError, match=r"^error U090 nobody says what the operation Doubled becomes in torch\. Call bu"
    ):
        lower(Doubled(), shapes)
    monkeypatch.setattr("builder.lowering.LOWERINGS", dict(LOWERINGS))
    register(Doubled, lambda op, inputs: nn.Conv2d(inputs["x"].channels, 1, 1))
    assert isinstance(lower(Doubled(), shapes), nn.Conv2d)
    with pytest.raises(UserError, match=r"^error U090 the operation Attention has a lowering already"):
        register(Attention, lambda op, inputs: nn.Identity())


def test_groups_keep_numbers_in_order():
    layers = {name: nn.Identity() for name in ("up.2.b", "up.10.a", "up.1.a", "z", "a")}
    tree = grouped(layers)
    assert list(dict(tree.named_children())) == ["up", "z", "a"]
    assert list(dict(tree.up.named_children())) == ["1", "2", "10"]
    assert tree.up[10].a is layers["up.10.a"]
    assert isinstance(tree.up[1], Group)
