"""The measured side: a study's own inference and training step, by the record of torch's allocator."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from archspec import ArchGraph
from archspec.graphs.graph import input_nodes, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Label, Tokens
from builder import assemble
from builder.inputs import ARGUMENTS
from studies.measure.calls import Measured, inference, sample_batch, training
from studies.measure.memory import peak_bytes
from studies.sections.protocol import Protocol

CPU = torch.device("cpu")


class Conditioned(nn.Module):
    """A network as a study calls it, with images and timesteps; whatever else it is conditioned on is given here."""

    def __init__(self, network: nn.Module, given: dict[str, Tensor], *, timed: bool) -> None:
        super().__init__()
        self.network, self.given, self.timed = network, given, timed

    def forward(self, x: Tensor, t: Tensor) -> Any:
        output = self.network(x, **({"t": t} if self.timed else {}), **self.given)
        # Networks that learn variances give more channels than the loss of a study takes.
        return output[:, : x.shape[1]] if output.shape[1] > x.shape[1] else output


def measured_peaks(graph: ArchGraph, batch: int) -> dict[str, int]:
    """Peak bytes of inference and of a training step on the CPU."""
    kinds = input_nodes(graph)
    given = {
        ARGUMENTS[kind]: input_like(shape_of(graph, node), batch)
        for kind, node in kinds.items()
        if kind not in ("image", "timestep")
    }
    network = Conditioned(assemble(graph), given, timed="timestep" in kinds)
    image = shape_of(graph, kinds["image"])
    assert isinstance(image, FeatureMap)
    sample = sample_batch((image.channels, image.size, image.size), batch, 1000, CPU)
    peaks = {}
    for kind in (inference, training):
        call = kind(network, sample, Protocol(), CPU)
        held = call.held
        peaks[kind.__name__] = peak_bytes(Measured(call.call, lambda held=held: [*held(), *given.values()]), CPU)
    return peaks


def input_like(shape: Any, batch: int) -> Tensor:
    """Random numbers for an input of an architecture."""
    match shape:
        case FeatureMap(channels, size):
            return torch.randn(batch, channels, size, size)
        case Embedding(dim):
            return torch.randn(batch, dim)
        case Tokens(dim, length):
            return torch.randn(batch, length, dim)
        case Label():
            return torch.zeros(batch, dtype=torch.long)
    raise AssertionError(shape)
