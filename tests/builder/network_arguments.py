"""Values for the inputs that an architecture has, by the names of the compiled model's arguments."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec import ArchGraph
from archspec.graphs.graph import input_nodes, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens
from builder.inputs import ARGUMENTS


def network_arguments(graph: ArchGraph, batch: int = 1, device: str = "meta") -> dict[str, Tensor]:
    """Random maps, vectors and tokens, the timestep 17 and the class 1."""
    return {ARGUMENTS[kind]: _value(shape_of(graph, node), batch, device) for kind, node in input_nodes(graph).items()}


def _value(shape: Shape, batch: int, device: str) -> Tensor:
    match shape:
        case Timestep():
            return torch.full((batch,), 17, device=device)
        case Label():
            return torch.full((batch,), 1, device=device)
        case _:
            return torch.randn(torch_size(shape, batch), device=device)


def torch_size(shape: Shape, batch: int) -> tuple[int, ...]:
    """The size of the tensor that a shape stands for."""
    match shape:
        case FeatureMap(channels, size):
            return (batch, channels, size, size)
        case Embedding(dim):
            return (batch, dim)
        case Tokens(dim, length):
            return (batch, length, dim)
        case _:
            return (batch,)
