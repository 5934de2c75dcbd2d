"""Everything that is measured of one network: latency, memory and energy of inference and of a training step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from archspec import from_document
from archspec.graphs.graph import input_nodes, output_node, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Tokens
from builder import assemble, initialise
from builder.inputs import ARGUMENTS
from studies.measure.calls import Call, Measured, inference, sample_batch, training
from studies.measure.compiled import Compiled, first_call
from studies.measure.energy import counter, energy
from studies.measure.latency import Taken, summary, take
from studies.measure.lock import Turn
from studies.measure.memory import memory
from studies.measure.reference import Kind, reference_call
from studies.measure.stopwatch import graphed
from studies.sections.protocol import Measure, Protocol, Section

#: What is measured: prefix of the metrics' names -> how the call is made.
KINDS: dict[str, Kind] = {"": inference, "train_": training}


class Found(Section):
    """What one process found about one network, still raw where several processes are put together.

    Attributes:
        latency: `latency` or `train_latency`, and ``@N`` for a further batch size N -> rounds.
        detail: everything else: `memory` and `train_memory`, `energy` and `train_energy`, `compile_seconds`.
        metrics: `memory` and `train_memory`, in bytes.
    """

    latency: dict[str, Taken]
    detail: dict[str, Any]
    metrics: dict[str, float]


def measure_network(
    module: nn.Module,
    shape: tuple[int, ...],
    protocol: Protocol,
    measure: Measure,
    turn: Turn | None,
    history: Path | None = None,
) -> Found:
    """Measure a network that lies on its device; its weights change.

    Args:
        module: the network.
        shape: of one image, ``(c, h, w)``.
        protocol: objective and training.
        measure: what is measured and how.
        turn: whose turn it is on the device; None where the caller holds it already.
        history: on CUDA, folder for the allocator's histories.
    """
    found = Found(latency={}, detail={}, metrics={})
    for prefix, kind in KINDS.items():
        for size in dict.fromkeys((measure.batch, *measure.batches)):
            mark = "" if size == measure.batch else f"@{size}"
            if measure.latency:
                with _alone(turn, measure):
                    _time(found, (prefix, mark), _Subject(module, kind, shape, size, protocol), measure)
            if measure.memory:
                with _sharing(turn):
                    subject = _Subject(module, kind, shape, size, protocol)
                    file = None if history is None else history / f"{prefix or 'inference_'}memory{mark}.pickle"
                    used = memory(subject.measured(), subject.device, file)
                found.detail[f"{prefix}memory{mark}"] = used.model_dump(mode="json")
                if not mark:
                    found.metrics[f"{prefix}memory"] = float(used.peak)
    return found


class _Subject:
    """One network, as one kind of call on one batch."""

    def __init__(self, module: nn.Module, kind: Kind, shape: tuple[int, ...], size: int, protocol: Protocol) -> None:
        self.module, self.kind, self.protocol = module, kind, protocol
        self.device = next(module.parameters()).device
        self.batch = sample_batch(shape, size, protocol.objective.timesteps, self.device)

    def measured(self, *, compiled: bool = False) -> Measured:
        """The call, of the network as it is or compiled."""
        network = Compiled(self.module) if compiled else self.module
        return self.kind(network, self.batch, self.protocol, self.device)


def _time(found: Found, name: tuple[str, str], subject: _Subject, measure: Measure) -> None:
    """Latency and energy of a subject into `found`, under its prefix and mark."""
    (prefix, mark), device = name, subject.device
    call = subject.measured(compiled=measure.compile).call
    if measure.compile:
        found.detail[f"{prefix}compile_seconds{mark}"] = first_call(call, device)
    found.detail["timer"] = _timer(device, measure)
    calls = [_launched(one, device, measure) for one in (reference_call(subject.kind, device), call)]
    found.latency[f"{prefix}latency{mark}"] = take(calls, device, measure)
    if measure.energy and not mark:
        found.detail[f"{prefix}energy"] = energy(call, device, *counter(device))


def _timer(device: torch.device, measure: Measure) -> str:
    """What the latencies were taken with."""
    if device.type != "cuda":
        return "perf_counter"
    return "CUDA events, L2 flushed" + (", CUDA graph" if measure.cuda_graph else "")


def _launched(call: Call, device: torch.device, measure: Measure) -> Call:
    return graphed(call, device) if measure.cuda_graph and device.type == "cuda" else call


def _alone(turn: Turn | None, measure: Measure) -> AbstractContextManager[None]:
    return nullcontext() if turn is None or not measure.exclusive else turn.measuring()


def _sharing(turn: Turn | None) -> AbstractContextManager[None]:
    return nullcontext() if turn is None else turn.training()


def put_together(found: list[Found], measure: Measure, *, own_process: bool) -> tuple[dict[str, float], dict[str, Any]]:
    """What one or several processes found, as a record keeps it.

    Returns:
        metrics (`latency` in seconds, `memory` in bytes, and both for a training step) and detail: the spread of each
        latency under its name, and by further batch size under `by_batch`.
    """
    metrics = dict(found[0].metrics)
    detail: dict[str, Any] = {}
    for name in found[0].latency:
        base, _, size = name.partition("@")
        taken = [one.latency[name] for one in found]
        latency = summary(taken, int(size or measure.batch), own_process=own_process)
        _placed(detail, name)[base] = latency.as_dict()
        if not size:
            metrics[base] = latency.median
            metrics[f"{base}_ratio"] = latency.ratio
            detail.setdefault("conditions", {})[base] = [one.conditions.model_dump(mode="json") for one in taken]
    for name, value in found[0].detail.items():
        _placed(detail, name)[name.partition("@")[0]] = value
    return metrics, detail


def _placed(detail: dict[str, Any], name: str) -> dict[str, Any]:
    """Where a value goes: beside the others, or under its further batch size."""
    size = name.partition("@")[2]
    if not size:
        return detail
    place: dict[str, Any] = detail.setdefault("by_batch", {}).setdefault(size, {})
    return place


def raced(
    documents: Sequence[dict[str, Any]], protocol: Protocol, measure: Measure, device: torch.device, *, training: bool
) -> Taken:
    """Networks timed against the first of them, side by side in one process.

    Args:
        documents: architectures in full; each takes its own inputs.
        protocol: objective and training.
        measure: batch, rounds and seconds.
        device: where they run.
        training: time training steps; inference otherwise.
    """
    kind = KINDS["train_" if training else ""]
    calls = []
    for document in documents:
        subject = _Subject(built(document, 0, device), kind, image_shape(document), measure.batch, protocol)
        calls.append(_launched(subject.measured(compiled=measure.compile).call, device, measure))
    return take(calls, device, measure)


class Bound(nn.Module):
    """A network as a function of images and timesteps alone: what else it takes is fixed, its extra outputs cut off.

    Args:
        module: the network.
        extras: values ``[1, ...]`` of its other inputs by name, repeated over the batch.
        channels: of the images.
    """

    def __init__(self, module: nn.Module, extras: dict[str, torch.Tensor], channels: int) -> None:
        super().__init__()
        self.module, self.channels = module, channels
        self._extras = extras

    def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """Images ``[b, c, h, w]`` and timesteps ``[b]`` to images."""
        extras = {name: value.expand(len(x), *value.shape[1:]) for name, value in self._extras.items()}
        output: torch.Tensor = self.module(x, t, **extras)
        return output[:, : self.channels]


def image_shape(document: dict[str, Any]) -> tuple[int, int, int]:
    """``(c, h, w)`` of the images that an architecture takes."""
    graph = from_document(document)
    image = cast("FeatureMap", shape_of(graph, input_nodes(graph)["image"]))
    return image.channels, image.size, image.size


def built(document: dict[str, Any], seed: int, device: torch.device) -> nn.Module:
    """The network of an architecture, with the initial weights of a seed, on a device, as images to images."""
    graph = from_document(document)
    module: nn.Module = assemble(graph)
    initialise(module, seed)
    module = module.to(device)
    inputs = input_nodes(graph)
    channels = cast("FeatureMap", shape_of(graph, inputs["image"])).channels
    given = cast("FeatureMap", shape_of(graph, output_node(graph))).channels
    extras = {
        ARGUMENTS[kind]: _value(shape_of(graph, node), device)
        for kind, node in inputs.items()
        if kind not in ("image", "timestep")
    }
    return Bound(module, extras, channels) if extras or given != channels else module


def _value(shape: Shape, device: torch.device) -> torch.Tensor:
    """A fixed value for an input, for a batch of one."""
    draw = torch.Generator().manual_seed(0)
    sizes: dict[type[Shape], Callable[[Any], tuple[int, ...]]] = {
        FeatureMap: lambda one: (1, one.channels, one.size, one.size),
        Embedding: lambda one: (1, one.dim),
        Tokens: lambda one: (1, one.length, one.dim),
    }
    if isinstance(shape, Label):
        return torch.ones(1, dtype=torch.int64, device=device)
    return torch.randn(sizes[type(shape)](shape), generator=draw).to(device)
