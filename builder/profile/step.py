"""The two calls whose memory is predicted: an inference and a training step, on the meta device."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec import ArchGraph
from archspec.graphs.graph import input_nodes, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Tokens
from builder.checkpoint import checkpointed
from builder.inputs import ARGUMENTS
from builder.network import Network
from builder.profile.attention import FusedAttention
from builder.profile.casting import Casting
from builder.profile.marks import Marks, marked_network
from builder.profile.options import DTYPES, ProfileOptions
from builder.profile.trace import Trace, Tracer
from builder.remat import recomputing


class Objective(Protocol):
    """What a network is trained for: how images become noisy, and what it should give for them."""

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Images ``[b, c, h, w]`` with noise, at timesteps ``[b]``."""
        ...

    def time(self, t: Tensor) -> Tensor:
        """The network's time input for timesteps ``[b]``."""
        ...

    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """What the network should give, ``[b, c, h, w]``."""
        ...


class EpsPrediction:
    """The noise in ``a·x0 + s·eps`` (Ho et al. 2020, eq. 4 and 14), a and s from tables of 1,000 timesteps."""

    def __init__(self, timesteps: int = 1000) -> None:
        self.a = torch.empty(timesteps, device="meta")
        self.s = torch.empty(timesteps, device="meta")

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Images with noise."""
        a, s = self.a[t].view(-1, 1, 1, 1), self.s[t].view(-1, 1, 1, 1)
        return a * x0 + s * eps

    def time(self, t: Tensor) -> Tensor:
        """The timesteps themselves."""
        return t

    def target(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """The noise itself."""
        del x0, t
        return eps


def inference_trace(architecture: ArchGraph, options: ProfileOptions) -> Trace:
    """One forward pass in eval mode without gradients."""
    with _traced(architecture, options) as (network, tracer):
        network.eval()
        arguments = inputs(architecture, options)
        tracer.hold(arguments.values(), "input")
        with torch.no_grad(), _modes(options), tracer:
            tracer.phase = "forward"
            network(**arguments)
    return tracer.trace


def training_trace(
    architecture: ArchGraph,
    options: ProfileOptions,
    objective: Objective | None = None,
    again: Collection[str] | None = None,
) -> Trace:
    """One step: noise, forward, mean squared error in float32, backward, clipping, optimizer; gradients are freed.

    Args:
        architecture: what is trained.
        options: how.
        objective: what for.
        again: nodes that the backward pass computes again beside all that is cheap, see `builder.remat`; None: nothing.
    """
    objective = objective or EpsPrediction()
    with _traced(architecture, options) as (network, tracer):
        network.train()
        if options.checkpointing:
            checkpointed(network, lambda: (nullcontext(), _modes(options)))
        arguments = inputs(architecture, options)
        images, times = (
            arguments.pop("x"),
            arguments.pop("t", torch.empty(options.batch, dtype=torch.long, device="meta")),
        )
        noise = torch.empty_like(images)
        tracer.hold([images, times, noise, *arguments.values()], "input")
        optimizer = optimizer_of(network, options)
        held = _hold_state(tracer, network, optimizer, options)
        step = _Step(network, objective, options, arguments, again)
        with tracer:
            for part in _parts((images, times, noise), options.micro_batch or options.batch):
                tracer.phase = "forward"
                loss = step.loss(*part)
                if len(part[0]) < options.batch:
                    loss = loss * (len(part[0]) / options.batch)
                tracer.phase = "backward"
                torch.autograd.backward([loss])
            _tell_gradients(tracer, network, optimizer)
            tracer.phase = "update"
            if options.grad_clip:
                _clip(network)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        del held
    return tracer.trace


def _hold_state(
    tracer: Tracer, network: Network, optimizer: torch.optim.Optimizer, options: ProfileOptions
) -> list[Tensor]:
    """Take in the optimizer's state and the averaged weights; the latter are returned, to be kept over the step.

    The average is updated in place, which needs nothing.
    """
    owners = dict(owned(network))
    for parameter, state in optimizer.state.items():
        tracer.hold(state.values(), "optimizer", owners.get(parameter, ""))
    average = [torch.empty_like(weight) for weight in owners] if options.ema else []
    for weight, node in zip(average, owners.values(), strict=False):
        tracer.hold([weight], "average", node)
    return average


def _tell_gradients(tracer: Tracer, network: Network, optimizer: torch.optim.Optimizer) -> None:
    """Say what gradients are; a weight without one has no part in the result, and the optimizer no state for it."""
    for parameter in network.parameters():
        if parameter.grad is None:
            tracer.forget(optimizer.state.pop(parameter, {}).values())
        else:
            tracer.tell([parameter.grad], "gradient")


class _Step:
    """Forward and loss of one part of a batch; what is local to it goes before the backward begins."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        options: ProfileOptions,
        given: dict[str, Tensor],
        again: Collection[str] | None,
    ) -> None:
        self.network, self.objective, self.options, self.given = network, objective, options, given
        self._again = again
        self.timed = "timestep" in input_nodes(network.architecture)

    def loss(self, images: Tensor, times: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error in float32, a scalar with its graph."""
        noisy = self.objective.noisy(images, times, noise)
        target = self.objective.target(images, times, noise)
        given = {name: value[: len(images)] for name, value in self.given.items()}
        with self._recomputing(), _modes(self.options):
            if self.timed:
                given["t"] = self.objective.time(times)
            output = self.network(noisy.to(DTYPES[self.options.dtype]), **given)
            if output.shape[1] > target.shape[1]:  # learned variances: they have a loss of their own
                output = output[:, : target.shape[1]]
        return functional.mse_loss(output.float(), target.float())

    def _recomputing(self) -> AbstractContextManager[None]:
        if self._again is None:
            return nullcontext()
        return recomputing(self.network, self._again, within=lambda: _modes(self.options))


def _parts(batch: tuple[Tensor, ...], size: int) -> Iterator[tuple[Tensor, ...]]:
    for start in range(0, len(batch[0]), size):
        yield tuple(tensor[start : start + size] for tensor in batch)


def _clip(network: nn.Module) -> None:
    """What clipping by the global norm needs: a norm for each gradient, and these once more in one row.

    `torch.nn.utils.clip_grad_norm_` itself takes half a second of Python on meta, a parameter at a time.
    """
    norms = [torch.empty((), device="meta") for p in network.parameters() if p.grad is not None]
    torch.empty((len(norms),), device="meta")


def inputs(architecture: ArchGraph, options: ProfileOptions) -> dict[str, Tensor]:
    """What the forward takes, by the names of its arguments, on the meta device."""
    found = {
        ARGUMENTS[kind]: _value(shape_of(architecture, node), options)
        for kind, node in input_nodes(architecture).items()
    }
    return {"x": found.pop("x"), **found}


def _value(shape: Shape, options: ProfileOptions) -> Tensor:
    dtype, batch = DTYPES[options.dtype], options.batch
    layout = torch.channels_last if options.channels_last else torch.contiguous_format
    match shape:
        case FeatureMap(channels, size):
            return torch.empty((batch, channels, size, size), dtype=dtype, device="meta", memory_format=layout)
        case Embedding(dim):
            return torch.empty((batch, dim), dtype=dtype, device="meta")
        case Tokens(dim, length):
            return torch.empty((batch, length, dim), dtype=dtype, device="meta")
        case _:
            return torch.empty((batch,), dtype=torch.long, device="meta")


@contextmanager
def _traced(architecture: ArchGraph, options: ProfileOptions) -> Iterator[tuple[Network, Tracer]]:
    """The network, and a tracer that holds its weights."""
    marks = Marks()
    with marks.active():
        network = marked_network(architecture)
        if options.dtype != "float32":
            network.to(DTYPES[options.dtype])
        if options.channels_last:
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Small states of the optimizer lie on the host, and count where the host is the device.
        tracer = Tracer(marks, frozenset({"meta", "cpu"} if options.device == "cpu" else {"meta"}))
        for weight, node in owned(network):
            kind = "parameter" if isinstance(weight, nn.Parameter) else "buffer"
            tracer.hold([weight], kind, node)
        yield network, tracer


def owned(network: Network) -> Iterator[tuple[Tensor, str]]:
    """Every parameter and buffer with the node of the architecture that it belongs to."""
    nodes = set(network.architecture)
    for name, weight in [*network.named_parameters(), *network.named_buffers()]:
        node = name
        while node not in nodes and node:
            node = node.rpartition(".")[0]
        yield weight, node


@contextmanager
def _modes(options: ProfileOptions) -> Iterator[None]:
    """The kernels and casts of the target; entered anew where a block is computed again in the backward."""
    with ExitStack() as stack:
        stack.enter_context(FusedAttention(options.device))
        if options.autocast is not None and options.autocast != options.dtype:
            stack.enter_context(Casting(options.device, DTYPES[options.autocast]))
        yield


_OPTIMIZERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any], tuple[str, ...]]] = {
    "adamw": (torch.optim.AdamW, {}, ("exp_avg", "exp_avg_sq")),
    "adam": (torch.optim.Adam, {}, ("exp_avg", "exp_avg_sq")),
    "sgd": (torch.optim.SGD, {}, ()),
    "sgd-momentum": (torch.optim.SGD, {"momentum": 0.9}, ("momentum_buffer",)),
}


def optimizer_of(network: nn.Module, options: ProfileOptions) -> torch.optim.Optimizer:
    """The optimizer as it is after its first step: with its state.

    The state is put there beforehand, because torch refuses to start a fused optimizer on meta, and picks another
    variant where none is asked for.
    """
    kind, arguments, names = _OPTIMIZERS[options.optimizer]
    variants: dict[str, dict[str, Any]] = {
        "fused": {"fused": True},
        "foreach": {"foreach": True},
        "loop": {"foreach": False},
    }
    optimizer = kind(network.parameters(), **arguments, **variants[options.variant])
    for parameter in network.parameters():
        state = {name: torch.zeros_like(parameter) for name in names}
        if kind is not torch.optim.SGD:
            # The number of steps: on the device where the fused kernel reads it, else on the host.
            state["step"] = torch.zeros((), device="meta" if options.variant == "fused" else "cpu")
        optimizer.state[parameter] = state
    return optimizer
