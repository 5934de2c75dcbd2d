"""A compiled model as one flat graph of functions on tensors: blocks opened up, weights as values of the graph."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from builder.layers.fused import attend
from builder.network import NODE_ID, Network


@dataclass(frozen=True)
class Derived:
    """A constant that is computed from weights: a function, and the paths of the weights that it takes."""

    function: Callable[..., Tensor]
    sources: tuple[str, ...]


@dataclass
class Flat:
    """A graph whose ``get_attr`` nodes name weights, buffers and derived constants.

    Attributes:
        root: the module that the paths start from.
        graph: calls of functions and methods, and of modules that could not be opened.
        derived: name -> how the constant is computed.
    """

    root: Network
    graph: fx.Graph
    derived: dict[str, Derived] = field(default_factory=dict)

    def derive(self, function: Callable[..., Tensor], sources: tuple[str, ...]) -> str:
        """The name of a new constant."""
        name = f"derived_{len(self.derived)}"
        self.derived[name] = Derived(function, sources)
        return name

    def clean(self) -> None:
        """Erase calls whose results nothing reads."""
        self.graph.eliminate_dead_code(is_impure_node=_may_act)

    def constant(self, name: str) -> Tensor:
        """The value of a ``get_attr`` node."""
        if name in self.derived:
            how = self.derived[name]
            return how.function(*(self.constant(source) for source in how.sources))
        owner, _, attribute = name.rpartition(".")
        value: Tensor = getattr(self.root.get_submodule(owner), attribute)
        return value


def flattened(network: Network, opens: Callable[[nn.Module], bool] = lambda module: True) -> Flat:
    """The network as a flat graph. Identities are gone, and dropout where it does nothing.

    A module that `opens` refuses or that `torch.fx` cannot trace (its way depends on values, or it asks shapes for
    numbers) stays a call. Every node knows by `NODE_ID` which node of the architecture it belongs to.
    """
    flat = Flat(network, fx.Graph())
    values: dict[fx.Node, Any] = {}
    for node in network.graph.nodes:
        before = set(flat.graph.nodes)
        if node.op == "call_module" and opens(network.get_submodule(str(node.target))):
            arguments = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
            values[node] = _opened(flat, str(node.target), *arguments)
        else:
            copied = flat.graph.node_copy(node, values.__getitem__)
            values[node] = copied
        for made in set(flat.graph.nodes) - before:
            made.meta[NODE_ID] = node.meta.get(NODE_ID)
    flat.clean()
    return flat


def _may_act(node: fx.Node) -> bool:
    """Whether a node may do more than give a value."""
    return node.op != "get_attr" and node.target not in {getattr, operator.getitem}


def _opened(flat: Flat, path: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The value of a module's call, as the calls that it makes."""
    module = flat.root.get_submodule(path)
    plain = _PLAIN.get(type(module).forward)
    if plain is not None:
        return plain(flat.graph, path, module, args[0])
    inner = None if _is_torchs(module) else _traced(module, len(args))
    if inner is None:
        return flat.graph.call_module(path, args, kwargs)
    values: dict[fx.Node, Any] = {}
    taken = iter(args)
    for node in inner.nodes:
        arguments = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
        match node.op:
            case "placeholder":
                values[node] = next(taken, None)
            case "output":
                return arguments[0][0]
            case "call_module":
                values[node] = _opened(flat, f"{path}.{node.target}", *arguments)
            case "get_attr":
                values[node] = flat.graph.create_node("get_attr", f"{path}.{node.target}")
            case _:
                values[node] = flat.graph.create_node(node.op, node.target, *arguments, name=node.name)
    raise AssertionError("a graph without an output")


class _Opener(fx.Tracer):
    """Stops at the layers that have a plain call."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module stays one call."""
        return type(m).forward in _PLAIN or super().is_leaf_module(m, module_qualified_name)


#: torch.fx changes `nn.Module` itself while it traces, so one thread does at a time
_TRACING = Lock()


def _traced(module: nn.Module, num_given: int) -> fx.Graph | None:
    """The calls of a module that is given so many arguments, or None if it cannot be traced."""
    names = list(_parameters(module))
    absent = dict.fromkeys(names[num_given:])
    try:
        with _TRACING:
            graph = _Opener(autowrap_functions=(attend,)).trace(module, concrete_args=absent)
    except Exception:  # noqa: BLE001 - whatever tracing does not understand stays as it is
        return None
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target.__name__ == "_assert_is_none":
            graph.erase_node(node)
    return graph


def _parameters(module: nn.Module) -> tuple[str, ...]:
    code = module.forward.__code__
    return code.co_varnames[1 : code.co_argcount]


def _is_torchs(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.") and not isinstance(module, nn.Sequential)


def _attribute(graph: fx.Graph, path: str, module: nn.Module, name: str) -> fx.Node | None:
    return None if getattr(module, name) is None else graph.create_node("get_attr", f"{path}.{name}")


def _conv(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    if module.padding_mode != "zeros" or isinstance(module.padding, str):
        return graph.call_module(path, (x,))
    weight, bias = _attribute(graph, path, module, "weight"), _attribute(graph, path, module, "bias")
    rest = (module.stride, module.padding, module.dilation, module.groups)
    return graph.call_function(torch.conv2d, (x, weight, bias, *rest))


def _linear(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    arguments = (x, _attribute(graph, path, module, "weight"), _attribute(graph, path, module, "bias"))
    return graph.call_function(functional.linear, arguments)


def _group_norm(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    weight, bias = _attribute(graph, path, module, "weight"), _attribute(graph, path, module, "bias")
    return graph.call_function(torch.group_norm, (x, module.num_groups, weight, bias, module.eps))


def _layer_norm(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    weight, bias = _attribute(graph, path, module, "weight"), _attribute(graph, path, module, "bias")
    return graph.call_function(torch.layer_norm, (x, module.normalized_shape, weight, bias, module.eps))


def _dropout(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    return graph.call_module(path, (x,)) if module.training and module.p else x


def _unchanged(graph: fx.Graph, path: str, module: Any, x: Any) -> Any:
    del graph, path, module
    return x


#: forward of a module -> the function call that it is
_PLAIN: dict[Callable[..., Any], Callable[[fx.Graph, str, Any, Any], Any]] = {
    nn.Conv2d.forward: _conv,
    nn.Linear.forward: _linear,
    nn.GroupNorm.forward: _group_norm,
    nn.LayerNorm.forward: _layer_norm,
    nn.Dropout.forward: _dropout,
    nn.Identity.forward: _unchanged,
}
