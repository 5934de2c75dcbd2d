"""Which parts of a network to compute again in the backward pass, so that training fits a memory budget."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import nn

from archspec import ArchGraph, UserError, to_document, user_error
from archspec.graphs.graph import shape_of
from archspec.ops.shapes import FeatureMap
from builder.assemble import assemble
from builder.network import Network
from builder.profile.options import ProfileOptions
from builder.profile.step import Objective, training_trace
from builder.profile.timeline import peak_of
from builder.profile.workspace import by_rule
from builder.remat import recomputing
from builder.remat.program import candidates

#: What is left for what predictions do not see: on a CPU a share of what a step takes beside weights, averages and the
#: optimizer's state, which are known; on CUDA, where kernels' own memory is among it, a share of everything.
_MARGIN = {"cpu": 0.02, "cuda": 0.12}
#: Traces that are spent on leaving out what turns out not to be needed.
_TRIES = 8


@dataclass(frozen=True)
class MemoryPlan:
    """What is computed again.

    Attributes:
        cheap: results of norms, activations, concatenations and the like.
        nodes: nodes whose inner results are computed again too.
        estimate: bytes at the peak of a training step with this plan.
        plain: bytes at its peak without any.
    """

    cheap: bool
    nodes: tuple[str, ...]
    estimate: int
    plain: int

    @property
    def again(self) -> tuple[str, ...] | None:
        """The nodes, as `builder.profile.step.training_trace` takes them; None if nothing is computed again."""
        return self.nodes if self.cheap else None

    def applied(self, network: nn.Module) -> AbstractContextManager[None]:
        """Run the forward pass inside of this."""
        if not self.cheap:
            return nullcontext()
        assert isinstance(network, Network)
        return recomputing(network, self.nodes)


def memory_plan(
    architecture: ArchGraph,
    budget: int,
    options: ProfileOptions,
    objective: Objective | None = None,
    *,
    must_fit: bool = True,
) -> MemoryPlan:
    """The cheapest plan with which a training step is predicted to fit `budget` bytes.

    Nothing first; then norms, activations and the like everywhere, which are most of the bytes and little of the time;
    then nodes whose inner results go too, those first that free most numbers for each multiply-accumulate that is done
    twice; and of these those are taken back, the dearest first, without which the peak still fits. Peaks are those of
    `builder.profile`, its static tier.

    Args:
        architecture: what is trained.
        budget: bytes, of everything that the training holds.
        options: device, batch, arithmetic, optimizer, averaged weights.
        objective: what is trained for.
        must_fit: whether a plan that does not fit is an error, or is given all the same if it needs least.

    Raises:
        UserError: nothing fits, and something must; with the least that was found.
    """
    planned = _Planned(architecture, options, objective, json.dumps(to_document(architecture)))
    surely, margin = _peak(planned, None)[1] if options.device == "cpu" else 0, 1 + _MARGIN[options.device]
    room = int(surely + (budget - surely) / margin)

    def peak(nodes: tuple[str, ...] | None) -> int:
        return _peak(planned, nodes)[0]

    plain = peak(None)
    if plain <= room:
        return MemoryPlan(cheap=False, nodes=(), estimate=plain, plain=plain)
    worth = _by_worth(architecture)
    if peak(()) <= room:
        return MemoryPlan(cheap=True, nodes=(), estimate=peak(()), plain=plain)
    if peak(tuple(worth)) > room:
        nodes = min((), tuple(worth), key=peak)
        if must_fit:
            raise _too_small(surely + (peak(nodes) - surely) * margin, budget)
        return MemoryPlan(cheap=True, nodes=nodes, estimate=peak(nodes), plain=plain)
    nodes = _thinned(worth[: _first(worth, peak, room)], peak, room)
    return MemoryPlan(cheap=True, nodes=nodes, estimate=peak(nodes), plain=plain)


@dataclass(frozen=True)
class _Planned:
    """What a step's peak depends on beside its plan; the architecture is known by its document."""

    architecture: ArchGraph = field(compare=False)
    options: ProfileOptions
    objective: Objective | None
    document: str


@lru_cache(maxsize=256)
def _peak(planned: _Planned, nodes: tuple[str, ...] | None) -> tuple[int, int]:
    """Bytes at the peak, and of them those that are there before a step.

    Kept, since training, measuring and every seed of a network ask for the same ones.
    """
    trace = training_trace(planned.architecture, planned.options, planned.objective, nodes)
    found = peak_of(trace, by_rule(trace, planned.options.device))
    return found.nbytes, found.held


def _too_small(least: float, budget: int) -> UserError:
    hint = "Allow more, or train with a smaller batch (or micro_batch), fewer channels or a smaller image."
    return user_error(f"a training step needs about {_mib(least)}, and the budget is {_mib(budget)}.", hint)


def _first(nodes: Sequence[str], peak: Callable[[tuple[str, ...]], int], room: int) -> int:
    """How many of the nodes fit the room, by halving: none of them does not, and all do."""
    low, high = 0, len(nodes)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if peak(tuple(nodes[:middle])) <= room else (middle, high)
    return high


def _thinned(nodes: Sequence[str], peak: Callable[[tuple[str, ...]], int], room: int) -> tuple[str, ...]:
    """The nodes without those that the peak does not need, the last first."""
    kept = tuple(nodes)
    for node in reversed(nodes[-_TRIES:]):
        fewer = tuple(one for one in kept if one != node)
        if peak(fewer) <= room:
            kept = fewer
    return kept


def _mib(number: float) -> str:
    return f"{number / 2**20:,.0f} MiB"


def _by_worth(architecture: ArchGraph) -> list[str]:
    """Nodes that can be computed again, those first that free most numbers for each multiply-accumulate."""
    worth: dict[str, float] = {}
    with torch.device("meta"):
        network = assemble(architecture)
    for node, (layers, weights) in candidates(network).items():
        shape = shape_of(architecture, node)
        width = shape.channels if isinstance(shape, FeatureMap) else 0
        # Each layer's result has about as many numbers as the node's, and each weight is used once a position.
        worth[node] = layers * width / max(weights, 1)
    return sorted((node for node in worth if worth[node]), key=lambda node: -worth[node])
