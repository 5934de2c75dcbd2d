"""Which calls of a flat graph are computed again: what is cheap anywhere, and most of the nodes that are named."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from archspec import ArchGraph
from archspec.graphs.graph import shape_of
from archspec.ops.shapes import FeatureMap, Tokens
from builder import layers
from builder.layers import magnitude
from builder.network import NODE_ID, Network
from builder.remat.calls import drawn_from, dropped

#: Functions whose results are cheap to compute again from what is kept anyway, or from less.
CHEAP: frozenset[Callable[..., Any]] = frozenset(
    {
        torch.group_norm, torch.layer_norm, functional.rms_norm, functional.silu, functional.relu, functional.gelu,
        functional.pad, functional.interpolate, functional.avg_pool2d, torch.cat, layers.scaled_concat, dropped,
        magnitude.mp_silu, magnitude.mp_concat, magnitude.pixel_norm, magnitude.ones_channel,
    }
)  # fmt: skip

#: Methods and functions that only arrange numbers anew: cheap where a convolution is all that reads the result.
_ARRANGES = frozenset({"transpose", "reshape", "flatten", "contiguous", "movedim", "permute", "view", "unflatten"})

#: Sums and products, cheap where one side is cheap and the other small: the scale and shift of an embedding.
_SUMS = frozenset({operator.add, operator.mul})

HEAVY = frozenset({torch.conv2d, functional.linear})


def several(module: nn.Module) -> bool:
    """Whether a module is made of several layers, so that computing it again lets something go."""
    return any(True for _ in module.children())


def opens(module: nn.Module) -> bool:
    """Whether a training program may look into a module: whether its layers do nothing of their own in training."""
    return all(_known(type(inner)) for inner in module.modules())


def _known(kind: type[nn.Module]) -> bool:
    ours = kind.__module__.startswith(("torch.nn.", "builder.layers."))
    return ours and not issubclass(kind, (magnitude.MpConv2d, magnitude.MpLinear))


class Calls:
    """The calls of a flat graph by what they are.

    Args:
        architecture: whose graph it is.
        graph: the calls; each knows its node of the architecture by `NODE_ID`.
    """

    def __init__(self, architecture: ArchGraph, graph: fx.Graph) -> None:
        self._graph = graph
        #: values that hold a vector for each image, and weights
        self.small = _small(architecture, graph)

    def cheap(self) -> set[fx.Node]:
        """The calls that are cheap."""
        found: set[fx.Node] = set()
        for node in self._graph.nodes:
            if node not in self.small and (node.target in CHEAP or self._is_scaled(node, found)):
                found.add(node)
        for node in reversed(self._graph.nodes):
            arranges = _arranges(node) and node not in self.small and not _is_attended(node)
            readers = [user.target in HEAVY or (user in found and user.target in _ARRANGES) for user in node.users]
            if arranges and readers and all(readers):
                found.add(node)
        return found

    def _is_scaled(self, node: fx.Node, found: set[fx.Node]) -> bool:
        """Whether the call adds or multiplies something small to something cheap."""
        if node.target not in _SUMS:
            return False
        sides = [side for side in node.args if isinstance(side, fx.Node)]
        return any(side in found for side in sides) and all(side in found or side in self.small for side in sides)

    def inside(self, nodes: Iterable[str]) -> set[fx.Node]:
        """The calls inside of these nodes of the architecture whose results some other layer of the same node reads.

        The last layers are left out: the backward pass needs what they read, and not what they give.
        """
        chosen, found, sizes = set(nodes), set[fx.Node](), _sizes(self._graph)
        for node in reversed(self._graph.nodes):
            owner = node.meta.get(NODE_ID)
            computes = node.op in {"call_function", "call_method"} and node not in self.small and node not in sizes
            if owner in chosen and computes:
                readers = [user for user in node.users if user.meta.get(NODE_ID) == owner]
                if any(user in found or _weighs(user) for user in readers):
                    found.add(node)
        return found


def _arranges(node: fx.Node) -> bool:
    return node.op == "call_method" and node.target in _ARRANGES


def _is_attended(node: fx.Node) -> bool:
    """Whether a call only looks at what attention gave, whose kernels lay it out as the next layer reads it."""
    source: Any = node
    while _arranges(source):
        source = source.args[0]
    return source.target in {layers.fused.attend, functional.scaled_dot_product_attention}


def _sizes(graph: fx.Graph) -> set[fx.Node]:
    """Shapes of values, and numbers that are computed from them."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        read = node.all_input_nodes
        if node.target is getattr or (read and all(source in found for source in read)):
            found.add(node)
    return found


def _small(architecture: ArchGraph, graph: fx.Graph) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in graph.nodes:
        owner = node.meta.get(NODE_ID)
        read = node.all_input_nodes
        large = owner is None or isinstance(shape_of(architecture, owner), FeatureMap | Tokens)
        if node.op == "get_attr" or not large or (read and all(source in found for source in read)):
            found.add(node)
    return found


def _weighs(node: fx.Node) -> bool:
    return node.target in HEAVY or node.op == "call_module"


def with_states(network: Network, graph: fx.Graph) -> None:
    """Dropout that can be computed again: with the state of its generator as a value of the graph."""
    for node in list(graph.find_nodes(op="call_module")):
        module = network.get_submodule(str(node.target))
        if type(module) is not nn.Dropout:
            continue
        with graph.inserting_before(node):
            state = graph.call_function(drawn_from, (node.args[0],))
            again = graph.call_function(dropped, (node.args[0], module.p, state))
        again.meta[NODE_ID] = node.meta.get(NODE_ID)
        node.replace_all_uses_with(again)
        graph.erase_node(node)
