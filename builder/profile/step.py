"""The two calls whose memory is predicted: an inference and a training step, on the meta device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from archspec import ArchGraph
from archspec.graph import input_nodes, shape_of
from archspec.shapes import Embedding, FeatureMap, Shape, Tokens
from builder.checkpoint import checkpointed
from builder.inputs import ARGUMENTS
from builder.network import Network
from builder.profile.attention import FusedAttention
from builder.profile.casting import Casting
from builder.profile.marks import Marks, marked_network
from builder.profile.options import DTYPES, ProfileOptions
from builder.profile.trace import Trace, Tracer


class Objective(Protocol):
    """What a network is trained for: how images become noisy, and what it should give for them."""

    def noisy(self, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
        """Images ``[b, c, h, w]`` with noise, at timesteps ``[b]``."""
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


def training_trace(architecture: ArchGraph, options: ProfileOptions, objective: Objective | None = None) -> Trace:
    """One step: noise, forward, mean squared error in float32, backward, clipping, optimizer; gradients are freed."""
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
        owners = dict(owned(network))
        for parameter, state in optimizer.state.items():
            tracer.hold(state.values(), "optimizer", owners.get(parameter, ""))
        average = [torch.empty_like(weight) for weight in owners] if options.ema else []
        for weight, node in zip(average, owners.values(), strict=False):
            tracer.hold([weight], "average", node)
        given = {"t": times, **arguments} if "timestep" in input_nodes(architecture) else arguments
        with tracer:
            tracer.phase = "forward"
            noisy = objective.noisy(images, times, noise)
            target = objective.target(images, times, noise)
            with _modes(options):
                output = network(noisy.to(DTYPES[options.dtype]), **given)
                if output.shape[1] > target.shape[1]:  # learned variances: they have a loss of their own
                    output = output[:, : target.shape[1]]
            loss = functional.mse_loss(output.float(), target.float())
            tracer.phase = "backward"
            torch.autograd.backward([loss])
            tracer.tell((p.grad for p in network.parameters() if p.grad is not None), "gradient")
            tracer.phase = "update"
            if options.grad_clip:
                _clip(network)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return tracer.trace


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
