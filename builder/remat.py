"""Training in less memory: what is cheap to compute is computed again in the backward pass instead of being kept.

Norms and activations are most of the bytes that a U-Net keeps for its backward pass and little of its time (the idea of
in-place activated batch norm, Rota Bulo et al. 2018, for any of them); whole blocks as in Chen et al. 2016.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils.checkpoint import checkpoint

#: Functions whose results are cheap to compute again from what is kept anyway, or from less.
CHEAP: frozenset[Callable[..., Any]] = frozenset(
    {
        functional.group_norm,
        functional.layer_norm,
        functional.silu,
        functional.relu,
        functional.gelu,
        functional.pad,
        functional.interpolate,
        torch.cat,
    }
)


@contextmanager
def recomputing(network: nn.Module, nodes: Iterable[str] = (), *, cheap: bool = True) -> Iterator[None]:
    """Run the forward pass inside of this block so that the backward pass, wherever it runs, needs less memory.

    Results and gradients are those of a plain pass, but for the last bit where kernels sum in another order.

    Args:
        network: whose forward is called.
        nodes: modules that keep only their inputs and are run again as a whole.
        cheap: compute the results of `CHEAP` functions again everywhere else.
    """
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(_checkpointed(network.get_submodule(node)))
        if cheap:
            keeper = _Keeper()
            stack.callback(keeper.forget)
            stack.enter_context(saved_tensors_hooks(keeper.pack, keeper.unpack))
            stack.enter_context(keeper)
        yield


@contextmanager
def _checkpointed(module: nn.Module) -> Iterator[None]:
    plain = module.forward
    module.forward = partial(checkpoint, plain, use_reentrant=False)
    try:
        yield
    finally:
        del module.forward


class _Recipe:
    """How a tensor that was let go is computed again.

    Attributes:
        uses: how often the backward pass will still ask for it; while it is more than zero a value that was computed
            on the way to another one is kept.
    """

    __slots__ = ("_args", "_autocast", "_function", "_kwargs", "_value", "uses")

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any, autocast: _Autocast) -> None:
        self._function, self._args, self._kwargs, self._autocast = function, args, kwargs, autocast
        self._value: Tensor | None = None
        self.uses = 0

    def value(self) -> Tensor:
        """The tensor, for another recipe."""
        value = self._computed() if self._value is None else self._value
        self._value = value if self.uses > 0 else None
        return value

    def used(self) -> Tensor:
        """The tensor, for the backward pass."""
        value = self._computed() if self._value is None else self._value
        self.uses -= 1
        self._value = value if self.uses > 0 else None
        return value

    def _computed(self) -> Tensor:
        kind, enabled, dtype = self._autocast
        with torch.no_grad(), torch.autocast(kind, dtype=dtype, enabled=enabled):
            result: Tensor = self._function(*_given(self._args), **_given(self._kwargs))
        return result


def _weak(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]  # torch's own


_Autocast: TypeAlias = tuple[str, bool, torch.dtype]


def _given(value: Any) -> Any:
    """Arguments with recipes replaced by what they give."""
    if isinstance(value, _Recipe):
        return value.value()
    if isinstance(value, list | tuple):
        return type(value)(_given(item) for item in value)
    return {key: _given(item) for key, item in value.items()} if isinstance(value, dict) else value


class _Keeper(TorchFunctionMode):
    """Notes the recipe of every cheap result, and hands recipes to autograd instead of tensors."""

    def __init__(self) -> None:
        super().__init__()
        #: storage -> a weak reference to it (so that its address is not taken by another), shape, strides, recipe
        self._recipes: dict[int, tuple[StorageWeakRef, torch.Size, tuple[int, ...], _Recipe]] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function; note how its result came about if it is cheap."""
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func in CHEAP and isinstance(result, Tensor) and result.requires_grad and not kwargs.get("inplace"):
            kind = result.device.type
            autocast = (kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind))
            recipe = _Recipe(func, self._kept(args), self._kept(kwargs), autocast)
            storage = _weak(result)
            self._recipes[storage.cdata] = (storage, result.shape, result.stride(), recipe)
        return result

    def _kept(self, value: Any) -> Any:
        """Arguments with tensors that have recipes replaced by these."""
        if isinstance(value, Tensor):
            return self._recipe(value) or (value if value.is_leaf else value.detach())
        if isinstance(value, list | tuple):
            return type(value)(self._kept(item) for item in value)
        return {key: self._kept(item) for key, item in value.items()} if isinstance(value, dict) else value

    def _recipe(self, tensor: Tensor) -> _Recipe | None:
        found = self._recipes.get(_weak(tensor).cdata)
        if found is None or found[1] != tensor.shape or found[2] != tensor.stride():
            return None
        return found[3]

    def pack(self, tensor: Tensor) -> Tensor | _Recipe:
        """What autograd keeps for a tensor."""
        recipe = self._recipe(tensor)
        if recipe is None:
            return tensor
        recipe.uses += 1
        return recipe

    def forget(self) -> None:
        """Let go of recipes that autograd did not ask for, and of what they hold."""
        self._recipes.clear()

    @staticmethod
    def unpack(kept: Tensor | _Recipe) -> Tensor:
        """The tensor that was kept, or that its recipe gives."""
        return kept.used() if isinstance(kept, _Recipe) else kept
