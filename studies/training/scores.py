"""Zero-cost scores that need the network: a few images, a gradient, no training.

A network is built anew for its scores, on its own start, so that nothing of a training changes by them. Weights that
start from zero (`zero_init`, learned gains) would hide all that lies before them: they are drawn, or set to one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from archspec.graphs.graph import ArchGraph, input_nodes
from builder import assemble, initialise
from search.scores import OF_THE_GRAPH, Score, graph_scores
from studies.sections.protocol import Protocol
from studies.training.batch import Batch, batches, derived_seed
from studies.training.diffusion import process

#: Images of the batch that gradients are taken on, at most.
IMAGES = 16


@dataclass(frozen=True)
class Setting:
    """What a network is scored on.

    Attributes:
        protocol: the study's data order, loss and start.
        images: its training images ``[n, c, h, w]`` on the CPU.
        seed: of the network's start and of the batch.
        device: where gradients are computed.
    """

    protocol: Protocol
    images: Tensor
    seed: int
    device: torch.device


def told(graph: ArchGraph, names: Sequence[Score], setting: Setting) -> dict[str, Any]:
    """What a record's detail says: `scores`, `scores_missing` where one has none, `scores_seconds`."""
    start = time.perf_counter()
    found, missing = scores_of(graph, names, setting)
    said = {"scores": found, "scores_seconds": round(time.perf_counter() - start, 4)}
    return {**said, "scores_missing": missing} if missing else said


def scores_of(
    graph: ArchGraph, names: Sequence[Score], setting: Setting
) -> tuple[dict[Score, float], dict[Score, str]]:
    """The scores of an architecture, and why those are missing that it has not.

    torch's generators are left as they were.
    """
    found, missing = graph_scores(graph, names), {}
    devices = [setting.device] if setting.device.type == "cuda" else []
    for name in names:
        if name in OF_THE_GRAPH:
            continue
        try:
            with torch.random.fork_rng(devices=devices):
                value = _OF_THE_NETWORK[name](graph, setting)
        except Exception as error:  # noqa: BLE001 - a score is a help; the training decides
            missing[name] = f"{type(error).__name__}: {error}".splitlines()[0][:300]
            continue
        if math.isfinite(value):
            found[name] = value
        else:
            missing[name] = f"it is {value}"
    return found, missing


def grad_norm(graph: ArchGraph, setting: Setting) -> float:
    """Euclidean norm of the gradient of the study's loss on one batch, at the network's start."""
    return math.sqrt(sum(float(gradient.square().sum()) for _, gradient in _gradients(graph, setting)))


def snip(graph: ArchGraph, setting: Setting) -> float:
    """Sum over all parameters of abs(θ·∂L/∂θ) on one batch (Lee et al. 2019, before its normalisation)."""
    return sum(float((parameter * gradient).abs().sum()) for parameter, gradient in _gradients(graph, setting))


def synflow(graph: ArchGraph, setting: Setting) -> float:
    """log10 of the sum over all parameters of θ·∂R/∂θ (Tanaka et al. 2020).

    R is the sum of the output for an image of ones, with the absolute values of all parameters and with norms bypassed
    (softmaxes too: every position weighs the same, and queries and keys do not count). In float64, since values grow by
    orders of magnitude from layer to layer; hence the logarithm too. The time input is 0, whose sines and cosines are
    not negative.
    """
    network = _network(graph, setting).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    ones = torch.ones(1, *setting.images.shape[1:], dtype=torch.float64, device=setting.device)
    with _Bypassed():
        output = network(ones, torch.zeros(1, dtype=torch.float64, device=setting.device))
    pairs = _pairs(network, output.sum())
    total = sum(float((parameter * gradient).sum()) for parameter, gradient in pairs)
    return math.log10(total) if total > 0 else -math.inf


_OF_THE_NETWORK: Mapping[Score, Callable[[ArchGraph, Setting], float]] = {
    "grad_norm": grad_norm,
    "snip": snip,
    "synflow": synflow,
}


def _network(graph: ArchGraph, setting: Setting) -> nn.Module:
    """The network at its start, without weights that are zero and without dropout."""
    if len(input_nodes(graph)) > 2:
        raise ValueError("scores know networks of an image and a time alone")
    network = assemble(graph)
    initialise(network, setting.seed)
    if setting.protocol.init is not None:
        from studies.training.pretrained import take_over

        take_over(setting.protocol.init, network)
    _draw_zeros(network, derived_seed(setting.seed, "scores"))
    return network.to(setting.device).eval()


def _draw_zeros(network: nn.Module, seed: int) -> None:
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias") or bool(parameter.any()):
                continue
            if parameter.ndim > 1:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))
            else:
                nn.init.ones_(parameter)


def _gradients(graph: ArchGraph, setting: Setting) -> list[tuple[Tensor, Tensor]]:
    network = _network(graph, setting)
    batch = next(batches(setting.images, setting.protocol, setting.seed))
    few = Batch(batch.images[:IMAGES], batch.timesteps[:IMAGES], batch.noise[:IMAGES]).to(setting.device)
    diffusion = process(setting.protocol.objective, setting.device)
    noisy = diffusion.noisy(few.images, few.timesteps, few.noise)
    output = network(noisy, diffusion.time(few.timesteps))
    target = diffusion.target(few.images, few.timesteps, few.noise)
    return _pairs(network, functional.mse_loss(output.float(), target))


def _pairs(network: nn.Module, scalar: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Each parameter that the scalar depends on, with the scalar's gradient."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    found = torch.autograd.grad(scalar, parameters, allow_unused=True)
    return [(p.detach(), g) for p, g in zip(parameters, found, strict=True) if g is not None]


class _Bypassed(TorchFunctionMode):
    """Norms give their input, softmaxes equal weights: at values of many magnitudes rounding would choose them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What a function gives, or what stands in its place."""
        kwargs = kwargs or {}
        if func in _NORMS:
            return args[0] if args else kwargs["input"]
        if func in _SOFTMAXES:
            return _equal(*args, **kwargs)
        if func is functional.scaled_dot_product_attention:
            return _averaged(*args, **kwargs)
        return func(*args, **kwargs)


_NORMS = (functional.group_norm, functional.layer_norm, functional.rms_norm, functional.batch_norm)
_SOFTMAXES = (functional.softmax, torch.softmax, Tensor.softmax)


def _equal(x: Tensor, dim: int, *_: Any, **__: Any) -> Tensor:
    return torch.full_like(x, 1.0 / x.shape[dim])


def _averaged(query: Tensor, key: Tensor, value: Tensor, *_: Any, **__: Any) -> Tensor:
    del key
    return value.mean(dim=-2, keepdim=True).expand(*value.shape[:-2], query.shape[-2], value.shape[-1])
