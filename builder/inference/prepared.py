"""The network that `for_inference` gives."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, fx, nn

from archspec import ArchGraph, user_error
from archspec.graphs.graph import input_nodes, shape_of
from archspec.ops.shapes import FeatureMap
from builder.inference import passes
from builder.inference.calls import checked
from builder.inference.flat import Flat, flattened
from builder.inference.options import InferenceOptions
from builder.network import Network

#: From this height and width in pixels on, convolutions gain more from channels innermost than group norms lose.
_LARGE = 32


def for_inference(network: nn.Module, options: InferenceOptions = InferenceOptions()) -> InferenceNetwork:  # noqa: B008
    """A copy of a compiled model that is faster and cannot be trained; the model itself is left as it is.

    Its forward takes the same arguments and gives the same result but for the order of sums: to 1e-5 of the largest
    value. Its `state_dict` has the same keys and shapes and can be loaded into the model, and the model's into it.
    Weights may be channels_last; intermediate results are overwritten, and freed at their last use. Hooks of the model
    and of its submodules are not called. After weights were changed otherwise than by `load_state_dict` or `to`, call
    `refresh()`. `torch.func.functional_call` is refused: use the model for that.

    Args:
        network: what `assemble` gave; with its weights.
        options: which ideas to use; all of them by default.

    Raises:
        UserError: it is not a compiled model. In `train()`, and in a forward with gradients, with autocast, or after
            weights were replaced without `refresh()`.
    """
    if not isinstance(network, Network):
        hint = "Give what builder.assemble returned."
        raise user_error(f"for_inference takes a compiled model, not a {type(network).__name__}.", hint)
    return InferenceNetwork(copy.deepcopy(network), options)


class InferenceNetwork(nn.Module):
    """A compiled model for inference alone; made by `for_inference`.

    Args:
        network: is taken over and changed.
        options: which ideas to use.
    """

    _network: Network
    _flat: Flat
    _body: fx.GraphModule
    _constants: tuple[Tensor, ...]
    #: what was taken into account: the dictionary of a module, the name there, and the weight or buffer
    _held: tuple[tuple[dict[str, Tensor | None], str, Tensor | None], ...]

    def __init__(self, network: Network, options: InferenceOptions) -> None:
        super().__init__()
        network.eval().requires_grad_(requires_grad=False)
        self._modules.update(network._modules)  # noqa: SLF001 - the same paths, and so the same state_dict
        self.training = False
        self.options = options
        self.__dict__["_network"] = network  # not a submodule: its keys would come twice
        self._plan()
        self.register_load_state_dict_post_hook(_refreshed)  # type: ignore[no-untyped-call]  # torch's own

    @property
    def architecture(self) -> ArchGraph:
        """The architecture that this was compiled from."""
        return self._network.architecture

    @property
    def code(self) -> str:
        """The generated forward; weights and constants are its last arguments."""
        return self._body.code

    def _plan(self) -> None:
        """Make the forward; anew where weights change their type or device, which tracing takes as given."""
        self.__dict__["_flat"] = _planned(self._network, self.options)
        self._names = passes.names(self._flat.graph.nodes)
        self.__dict__["_body"] = _compiled(self._flat, self._names)
        self.refresh()

    def refresh(self) -> None:
        """Compute anew what was derived from the weights; called after loading them."""
        self.__dict__["_constants"] = tuple(self._flat.constant(name) for name in self._names)
        parts: list[dict[str, Any]] = [kind for one in self.modules() for kind in (one._parameters, one._buffers)]  # noqa: SLF001
        self.__dict__["_held"] = tuple((part, name, value) for part in parts for name, value in part.items())

    def forward(self, *args: Tensor | None, **kwargs: Tensor | None) -> Tensor:
        """The model's result; the arguments are the model's."""
        if not torch.compiler.is_compiling():
            self._check_weights()
        found: Tensor = self._body(*self._constants, *args, **kwargs)
        return found

    def _check_weights(self) -> None:
        """`UserError` if a weight is another tensor now; some 20 ns for each of them."""
        for part, name, value in self._held:
            if part[name] is not value:
                message = "weights of a network prepared for inference were replaced, which its forward does not see."
                hint = "Call refresh() afterwards; for torch.func.functional_call use the network it was made from."
                raise user_error(message, hint)

    def train(self, mode: bool = True) -> InferenceNetwork:  # noqa: FBT001, FBT002 - torch's
        """Evaluation mode is the only one; `UserError` otherwise."""
        if mode:
            hint = "Train the network that for_inference was given, then call for_inference again."
            raise user_error("a network prepared for inference cannot be trained.", hint)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> InferenceNetwork:  # noqa: FBT001, FBT002 - torch's
        """`UserError` if gradients are asked for."""
        return self.train(requires_grad)

    def _apply(self, fn: Any, recurse: bool = True) -> InferenceNetwork:  # noqa: FBT001, FBT002 - torch's
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch's own
        self._plan()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return InferenceNetwork, (self._network, self.options)


def _refreshed(network: InferenceNetwork, keys: Any) -> None:
    del keys
    network.refresh()


def _planned(network: Network, options: InferenceOptions) -> Flat:
    """The flat graph after all passes; the layout of the network's weights is changed."""
    flat = flattened(network)
    device = next((value.device for value in network.parameters()), torch.device("cpu"))
    last = options.channels_last
    if last is None:
        last = device.type == "cpu" and _size(network.architecture) >= _LARGE
    if options.shared_embedding:
        passes.shared_activation(flat)
        passes.shared_projection(flat)
    if options.fused_upsampling and last:
        passes.fused_upsampling(flat)
    if last:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it
        passes.channels_last(flat)
    if options.in_place:
        passes.in_place(flat)
    flat.clean()
    _check_input(flat.graph)
    return flat


def _size(architecture: ArchGraph) -> int:
    """Height and width of the image."""
    shape = shape_of(architecture, input_nodes(architecture)["image"])
    assert isinstance(shape, FeatureMap)
    return shape.size


def _check_input(graph: fx.Graph) -> None:
    x = next(node for node in graph.find_nodes(op="placeholder") if node.target == "x")
    with graph.inserting_after(x):
        same = graph.call_function(checked, (x,))
    x.replace_all_uses_with(same, delete_user_cb=lambda user: user is not same)


def _compiled(flat: Flat, names: list[str]) -> fx.GraphModule:
    """The graph as a function of its weights and constants, in this order, and the network's arguments."""
    graph = fx.Graph()
    constants = {name: graph.placeholder(f"w_{name.replace('.', '_')}") for name in names}
    values: dict[fx.Node, Any] = {}
    for node in flat.graph.nodes:
        is_constant = node.op == "get_attr"
        values[node] = constants[str(node.target)] if is_constant else graph.node_copy(node, values.__getitem__)
    graph.lint()
    return fx.GraphModule(flat.root, graph)
