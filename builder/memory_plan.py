"""Which parts of a network to compute again in the backward pass, so that training fits a memory budget."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archspec import ArchGraph, user_error
from archspec.graphs.graph import price_of, shape_of
from archspec.ops.shapes import FeatureMap
from builder.assemble import assemble
from builder.export.example import argument_names, example_inputs
from builder.remat import recomputing

#: Copies of the parameters that a training with Adam holds beside the gradients: weights and two moments.
_HELD = 3


#: Of a budget, what is left for what estimates do not see: kernels' own memory, the loss, the inputs (measured: 8 %).
_MARGIN = 0.12


@dataclass(frozen=True)
class MemoryPlan:
    """What is computed again.

    Attributes:
        cheap: results of norms, activations, concatenations and the like.
        nodes: modules that are run again as a whole.
        estimate: bytes at the peak of a training step with this plan.
        plain: bytes at its peak without any.
    """

    cheap: bool
    nodes: tuple[str, ...]
    estimate: int
    plain: int

    def applied(self, network: nn.Module) -> AbstractContextManager[None]:
        """Run the forward pass inside of this."""
        return recomputing(network, self.nodes, cheap=self.cheap)


def memory_plan(architecture: ArchGraph, budget: int, batch: int, *, averaged: bool = True) -> MemoryPlan:
    """The cheapest plan with which a training step in float32 with Adam is estimated to fit `budget` bytes.

    Nothing first; then norms, activations and the like everywhere, which are most of the bytes and little of the time;
    then whole nodes, those first that keep most for each multiply-accumulate that is done twice. Estimates are those of
    a pass on tensors without memory; a margin of the budget is left for what they do not see.

    Args:
        architecture: what is trained.
        budget: bytes, of everything that the training holds.
        batch: images per forward pass.
        averaged: whether averaged weights are held too.

    Raises:
        UserError: nothing fits; with the least that was found.
    """
    trial = _Trial(architecture, batch, copies=_HELD + averaged)
    asked, budget = budget, int(budget / (1 + _MARGIN))
    plain = trial.peak((), cheap=False)
    if plain <= budget:
        return MemoryPlan(cheap=False, nodes=(), estimate=plain, plain=plain)
    nodes = trial.by_worth()
    found = {count: trial.peak(nodes[:count], cheap=True) for count in (0, len(nodes))}
    low, high = 0, len(nodes)
    while found[0] > budget >= found[high] and high - low > 1:
        middle = (low + high) // 2
        found[middle] = trial.peak(nodes[:middle], cheap=True)
        low, high = (low, middle) if found[middle] <= budget else (middle, high)
    count = min((count for count in found if found[count] <= budget), default=None)
    if count is not None:
        return MemoryPlan(cheap=True, nodes=tuple(nodes[:count]), estimate=found[count], plain=plain)
    whole = trial.peak(nodes, cheap=False)
    if whole <= budget:
        return MemoryPlan(cheap=False, nodes=tuple(nodes), estimate=whole, plain=plain)
    least = int(min(whole, *found.values()) * (1 + _MARGIN))
    hint = "Allow more, or train with a smaller batch (or micro_batch), fewer channels or a smaller image."
    raise user_error(f"a training step needs about {_mib(least)}, and the budget is {_mib(asked)}.", hint)


def _mib(number: int) -> str:
    return f"{number / 2**20:,.0f} MiB"


class _Trial:
    """Forward and backward passes on tensors without memory."""

    def __init__(self, architecture: ArchGraph, batch: int, copies: int) -> None:
        self.architecture, self.copies = architecture, copies
        self.mode = FakeTensorMode()
        with self.mode:
            self.network = assemble(architecture).train()
        given = example_inputs(self.network, batch)
        inputs = {name: self.mode.from_tensor(value) for name, value in given.items()}
        self.arguments = [inputs.get(name) for name in argument_names(self.network)]

    def by_worth(self) -> list[str]:
        """Nodes of several layers, those first that give most numbers for each multiply-accumulate."""
        modules = dict(self.network.named_modules())
        several = [
            node for node in self.architecture if node in modules and any(True for _ in modules[node].children())
        ]
        worth = {
            node: _numbers(self.architecture, node) / (price_of(self.architecture, node).macs + 1) for node in several
        }
        return sorted((node for node in several if worth[node]), key=lambda node: -worth[node])

    def peak(self, nodes: list[str] | tuple[str, ...], *, cheap: bool) -> int:
        """Bytes at the peak of a step that computes these again."""
        with self.mode, _Live() as live:
            with recomputing(self.network, nodes, cheap=cheap):
                output = self.network(*self.arguments)
            torch.autograd.backward([output.square().mean()])
            del output
        self.network.zero_grad(set_to_none=True)
        held = sum(value.numel() * value.element_size() for value in self.network.parameters())
        return int(self.copies * held + live.peak)


def _numbers(architecture: ArchGraph, node: str) -> int:
    shape = shape_of(architecture, node)
    return shape.channels * shape.size**2 if isinstance(shape, FeatureMap) else 0


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Adds up the bytes of what is made inside of it, as long as it lives.

    Attributes:
        peak: the most there was at once.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's own
        self.peak = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        """Run an operation and count the storages that are new."""
        given = {id(value.untyped_storage()) for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)}
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and id(value.untyped_storage()) not in given | self._known:
                self._count(value.untyped_storage())
        self.peak = max(self.peak, self._now)
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        nbytes, key = storage.nbytes(), id(storage)
        self._known.add(key)
        self._now += nbytes

        def gone() -> None:
            self._known.discard(key)
            self._now -= nbytes

        weakref.finalize(storage, gone)
