"""The ideas as changes of a flat graph. Each keeps what is computed, up to the order of sums."""

from __future__ import annotations

import operator
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import fx
from torch.nn import functional

from builder.inference.calls import (
    add_into,
    doubled_kernel,
    embedding_into,
    entered,
    entered_if_given,
    group_norm,
    left,
    silu_into,
    stacked,
)
from builder.inference.flat import Flat
from builder.layers.fused import attend

#: Arguments of forward that are feature maps.
_MAPS = ("x", "context", "control")

#: Functions whose results share no memory with anything else.
_FRESH = frozenset(
    {
        torch.conv2d, torch.conv_transpose2d, torch.group_norm, group_norm, torch.layer_norm, torch.cat,
        embedding_into, add_into, silu_into, functional.linear, functional.silu, operator.add, operator.mul,
        functional.scaled_dot_product_attention, attend,
    }
)  # fmt: skip

_WHOLE = (slice(None), slice(None), None, None)


def channels_last(flat: Flat) -> None:
    """Feature maps enter with channels innermost, and the result leaves in the layout that `x` came in."""
    for node in flat.graph.find_nodes(op="call_function", target=torch.group_norm):
        if node.args[2] is not None:
            node.target = group_norm
    (output,) = flat.graph.find_nodes(op="output")
    for node in flat.graph.find_nodes(op="placeholder"):
        if node.target not in _MAPS:
            continue
        with flat.graph.inserting_after(node):
            laid = flat.graph.call_function(entered if node.target == "x" else entered_if_given, (node,))
        node.replace_all_uses_with(laid, delete_user_cb=lambda user, laid=laid: user is not laid)
        if node.target == "x":
            with flat.graph.inserting_before(output):
                out = flat.graph.call_function(left, (output.args[0], node))
            output.args = (out,)


def shared_activation(flat: Flat) -> None:
    """SiLU of one value is computed once."""
    first: dict[fx.Node, fx.Node] = {}
    for node in list(flat.graph.nodes):
        if _is_silu(node):
            x = node.args[0]
            if x in first:
                node.replace_all_uses_with(first[x])
                flat.graph.erase_node(node)
            else:
                first[x] = node


def _is_silu(node: fx.Node) -> bool:
    """Whether a node is SiLU that leaves its argument as it is."""
    return node.target is functional.silu and len(node.args) == 1 and not node.kwargs.get("inplace", False)


def shared_projection(flat: Flat) -> None:
    """Linear layers of one embedding become one product, whose columns are taken apart."""
    groups: dict[fx.Node, list[fx.Node]] = defaultdict(list)
    for node in flat.graph.nodes:
        if node.target is functional.linear and _is_embedding(node) and node.args[2] is not None:
            groups[node.args[0]].append(node)
    for embedding, layers in groups.items():
        if len(layers) > 1:
            _join(flat, embedding, layers)


def _is_embedding(node: fx.Node) -> bool:
    """Whether a linear layer's result is used as ``[b, channels]``: at every position of a map, and nowhere else."""
    return all(user.target is operator.getitem and user.args[1] == _WHOLE for user in node.users)


def _join(flat: Flat, embedding: fx.Node, layers: list[fx.Node]) -> None:
    weights = [str(layer.args[1].target) for layer in layers]  # type: ignore[union-attr]
    biases = [str(layer.args[2].target) for layer in layers]  # type: ignore[union-attr]
    widths = [flat.constant(name).shape[0] for name in biases]
    with flat.graph.inserting_after(embedding):
        weight = flat.graph.create_node("get_attr", flat.derive(stacked, tuple(weights)))
    with flat.graph.inserting_after(weight):
        bias = flat.graph.create_node("get_attr", flat.derive(stacked, tuple(biases)))
    with flat.graph.inserting_after(bias):
        joined = flat.graph.call_function(functional.linear, (embedding, weight, bias))
    with flat.graph.inserting_after(joined):
        parts = flat.graph.call_function(torch.split, (joined, widths), {"dim": 1})
    for number, layer in enumerate(layers):
        with flat.graph.inserting_before(layer):
            part = flat.graph.call_function(operator.getitem, (parts, number))
        layer.replace_all_uses_with(part)
        flat.graph.erase_node(layer)


def fused_upsampling(flat: Flat) -> None:
    """Nearest neighbour and 3×3 convolution as one transposed convolution with 4×4 weights."""
    for node in list(flat.graph.find_nodes(op="call_function", target=torch.conv2d)):
        if not _is_layer(node):
            continue
        larger, weight, bias, stride, padding, dilation, groups = node.args
        if not _doubles(larger) or (stride, padding, dilation, groups) != ((1, 1), (1, 1), (1, 1), 1):
            continue
        name = str(weight.target)
        if flat.constant(name).shape[2:] != (3, 3):
            continue
        with flat.graph.inserting_before(node):
            kernel = flat.graph.create_node("get_attr", flat.derive(doubled_kernel, (name,)))
            arguments = (larger.args[0], kernel, bias, (2, 2), (1, 1))
            whole = flat.graph.call_function(torch.conv_transpose2d, arguments)
        node.replace_all_uses_with(whole)
        flat.graph.erase_node(node)
        flat.graph.erase_node(larger)


def _is_layer(conv: fx.Node) -> bool:
    """Whether a convolution is one of `nn.Conv2d`: with all its arguments, and a weight that is a weight."""
    return len(conv.args) == 7 and isinstance(conv.args[1], fx.Node) and conv.args[1].op == "get_attr"


def _doubles(node: Any) -> bool:
    """Whether a node is the nearest neighbour at twice the size, for one user."""
    wanted = {"scale_factor": 2.0, "mode": "nearest"}
    return (
        isinstance(node, fx.Node)
        and node.target is functional.interpolate
        and len(node.users) == 1
        and len(node.args) == 1
        and {key: value for key, value in node.kwargs.items() if value not in (None, False)} == wanted
    )


def _alone(node: fx.Node) -> bool:
    return len(node.users) == 1


def in_place(flat: Flat) -> None:
    """Activations and sums overwrite what nothing else reads."""
    for node in list(flat.graph.nodes):
        if node.op != "call_function":
            continue
        if _is_silu(node) and _overwritable(node.args[0]):
            node.target, node.kwargs = silu_into, {}
        elif node.target is operator.add:
            x, other = node.args
            if _overwritable(x) and isinstance(other, fx.Node):
                spread = other.target is operator.getitem and other.args[1] == _WHOLE
                node.target, node.args = (embedding_into, (x, other.args[0])) if spread else (add_into, (x, other))
            elif _overwritable(other) and isinstance(x, fx.Node):
                node.target, node.args = add_into, (other, x)


def _overwritable(node: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in _FRESH and _alone(node)


def names(nodes: Iterable[fx.Node]) -> list[str]:
    """Names of the weights and constants that a graph reads, each once, in order."""
    return list(dict.fromkeys(str(node.target) for node in nodes if node.op == "get_attr"))
