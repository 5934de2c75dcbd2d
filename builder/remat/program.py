"""The forward pass of a network as a program that lets go of what its backward pass can compute again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, fx, nn
from torch.utils.checkpoint import checkpoint, noop_context_fn

from archspec import user_error
from archspec.text.suggest import did_you_mean
from builder.inference import passes
from builder.inference.flat import flattened
from builder.network import NODE_ID, Network
from builder.remat.rewrite import Within, rewritten
from builder.remat.select import HEAVY, Calls, opens, several, with_states


class Program:
    """A network's forward in training.

    Args:
        network: whose weights are used, as they are at each call; in training mode.
        nodes: nodes of its architecture that are computed again but for their last layers.
        cheap: compute what is cheap again everywhere.
        within: what is computed again runs inside of this.
    """

    def __init__(
        self, network: Network, nodes: Iterable[str] = (), *, cheap: bool = True, within: Within = nullcontext
    ) -> None:
        chosen = frozenset(nodes)
        flat = flattened(network, opens)
        with_states(network, flat.graph)
        passes.shared_activation(flat)
        calls = Calls(network.architecture, flat.graph)
        again = calls.inside(chosen) | (calls.cheap() if cheap else set())
        names = passes.names(flat.graph.nodes)
        graph, again = _with_weights(flat.graph, names, again)
        #: paths of modules that are not looked into, and run again as a whole
        self.whole = tuple(str(node.target) for node in graph.find_nodes(op="call_module") if node.target in chosen)
        self._body = fx.GraphModule(network, rewritten(graph, again, within))
        parts = [name.rpartition(".") for name in names]
        self._owners = [(network.get_submodule(path), name) for path, _, name in parts]
        self._dropouts = [one for one in network.modules() if isinstance(one, nn.Dropout)]
        self._constants = self._traced(network)

    def fits(self, network: Network) -> bool:
        """Whether what the graph holds as constants still holds: the type of numbers, and what is dropped."""
        return self._constants == self._traced(network)

    def _traced(self, network: Network) -> tuple[object, ...]:
        weight = next(network.parameters(), None)
        kind = None if weight is None else (weight.dtype, weight.device)
        return kind, [(one.p, one.training) for one in self._dropouts]

    @property
    def code(self) -> str:
        """The generated forward; weights are its first arguments."""
        return self._body.code

    def __call__(self, *args: Tensor | None, **kwargs: Tensor | None) -> Tensor:
        """The network's result."""
        weights = (getattr(owner, name) for owner, name in self._owners)
        found: Tensor = self._body.forward(*weights, *args, **kwargs)
        return found


def candidates(network: Network) -> dict[str, tuple[int, int]]:
    """Nodes that let something go when they are computed again: their layers that run twice, and the weights of these.

    A node that is not looked into runs again as a whole; it counts as six layers, what a transformer's block keeps.
    """
    flat = flattened(network.train(), opens)
    inside = Calls(network.architecture, flat.graph).inside(network.architecture)
    found: dict[str, tuple[int, int]] = {}
    for node in flat.graph.nodes:
        if (
            node.op == "call_module"
            and node.target in network.architecture
            and several(flat.root.get_submodule(node.target))
        ):
            found[node.target] = 6, sum(value.numel() for value in network.get_submodule(node.target).parameters())
        elif node in inside and node.target in HEAVY:
            layers, weights = found.get(node.meta[NODE_ID], (0, 0))
            found[node.meta[NODE_ID]] = layers + 1, weights + flat.constant(_weight(node)).numel()
    return found


def _weight(layer: fx.Node) -> str:
    """The name of a layer's weight, which may be flattened first."""
    (weight,) = (node for node in (layer.args[1], *layer.args[1].all_input_nodes) if node.op == "get_attr")  # type: ignore[union-attr]
    return str(weight.target)


def _with_weights(graph: fx.Graph, names: list[str], again: set[fx.Node]) -> tuple[fx.Graph, set[fx.Node]]:
    """The graph as a function of the weights, in this order, and of the network's arguments; and the calls in it."""
    new = fx.Graph()
    weights = {name: new.placeholder(f"w_{name.replace('.', '_')}") for name in names}
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        is_weight = node.op == "get_attr"
        values[node] = weights[str(node.target)] if is_weight else new.node_copy(node, values.__getitem__)
    return new, {values[node] for node in again}


#: network -> (nodes, cheap) -> its program
_PROGRAMS: WeakKeyDictionary[Network, dict[tuple[frozenset[str], bool], Program]] = WeakKeyDictionary()


@contextmanager
def recomputing(
    network: Network, nodes: Iterable[str] = (), *, cheap: bool = True, within: Within | None = None
) -> Iterator[None]:
    """Run the forward pass inside of this block so that the backward pass, wherever it runs, needs less memory.

    Results and gradients are those of a plain pass, but for the last bit where kernels sum in another order. Gradients
    of gradients are refused by torch. Hooks on modules inside of the network are not called, but on those that are not
    looked into: modules that torch.fx cannot trace, and those that change their weights in training. In evaluation mode
    nothing changes, nor under torch.compile, which plans by itself what is kept. The network's modules stay those of
    the first call. One thread at a time may be inside of the block with a network.

    Args:
        network: whose forward is called.
        nodes: nodes of its architecture that are computed again but for their last layers.
        cheap: compute norms, activations, concatenations and the like again everywhere.
        within: what is computed again runs inside of this; a program for it is made anew.

    Raises:
        UserError: a node is not there, or the network's forward was replaced.
    """
    chosen = frozenset(nodes)
    for name in sorted(chosen - set(network.architecture)):
        raise user_error(f"there is no node {name!r} to compute again.", did_you_mean(name, network.architecture))
    if not network.training:
        yield
        return
    if "forward" in vars(network) and not hasattr(network.forward, "program"):
        hint = "Wrap the call of the network instead, or set its forward back."
        raise user_error("the network's forward was replaced, and what is computed again runs past it.", hint)
    program = _program(network, chosen, cheap=cheap, within=within)
    with ExitStack() as stack:
        for path in program.whole:
            stack.enter_context(_replaced(network.get_submodule(path), partial(_whole, within)))
        stack.enter_context(_replaced(network, partial(_planned, program)))
        yield


def _program(network: Network, nodes: frozenset[str], *, cheap: bool, within: Within | None) -> Program:
    if within is not None:
        return Program(network, nodes, cheap=cheap, within=within)
    made = _PROGRAMS.setdefault(network, {})
    found = made.get((nodes, cheap))
    if found is None or not found.fits(network):
        found = made[nodes, cheap] = Program(network, nodes, cheap=cheap)
    return found


def _planned(program: Program, plain: Callable[..., Any]) -> Callable[..., Any]:
    """The program, and the plain forward where torch.compile, which plans by itself what is kept, traces it."""

    def forward(*args: Tensor | None, **kwargs: Tensor | None) -> Tensor:
        found: Tensor = plain(*args, **kwargs) if torch.compiler.is_compiling() else program(*args, **kwargs)
        return found

    forward.program = program  # type: ignore[attr-defined]
    return forward


def _whole(within: Within | None, plain: Callable[..., Any]) -> Callable[..., Any]:
    contexts = noop_context_fn if within is None else lambda: (nullcontext(), within())
    return partial(checkpoint, plain, use_reentrant=False, context_fn=contexts)


@contextmanager
def _replaced(module: nn.Module, by: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    before = vars(module).get("forward")
    module.forward = by(module.forward)
    try:
        yield
    finally:
        vars(module).pop("forward", None)
        if before is not None:
            module.forward = before
