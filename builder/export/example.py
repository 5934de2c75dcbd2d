"""Inputs that a network can be tried on."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec import ArchGraph, ops
from archspec.graphs.graph import input_nodes, ops_of, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens
from builder.inputs import ARGUMENTS
from builder.network import Network


def argument_names(network: Network) -> list[str]:
    """The arguments of the network's forward, in order."""
    return [str(node.target) for node in network.graph.find_nodes(op="placeholder")]


def example_inputs(network: Network, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Random values for every input that the network has, by argument, in the order of its forward.

    Maps, vectors and tokens are normal; timesteps are whole numbers as float32 in 0…999, or within the table that the
    network has of them; labels are drawn from the classes.
    """
    generator = torch.Generator().manual_seed(seed)
    graph = network.architecture
    end = _end_of_timesteps(graph), _end_of_labels(graph)
    made = {
        ARGUMENTS[kind]: _value(shape_of(graph, node), batch, generator, end)
        for kind, node in input_nodes(graph).items()
    }
    return {name: made[name] for name in argument_names(network) if name in made}


def _end_of_timesteps(graph: ArchGraph) -> int:
    tables = [op.rows for _, op in ops_of(graph) if isinstance(op, ops.TimeEmbedding) and op.type == "learned"]
    return min([1000, *tables])


def _end_of_labels(graph: ArchGraph) -> int:
    """The number of classes; two where only an operation from outside knows it."""
    return min((op.classes for _, op in ops_of(graph) if isinstance(op, ops.LabelEmbedding | ops.OneHot)), default=2)


def _value(shape: Shape, batch: int, generator: torch.Generator, end: tuple[int, int]) -> Tensor:
    timesteps, labels = end
    match shape:
        case FeatureMap(channels, size):
            return torch.randn(batch, channels, size, size, generator=generator)
        case Embedding(dim):
            return torch.randn(batch, dim, generator=generator)
        case Tokens(dim, length):
            return torch.randn(batch, length, dim, generator=generator)
        case Label():
            return torch.randint(labels, (batch,), generator=generator)
        case Timestep():
            return torch.randint(timesteps, (batch,), generator=generator).float()
        case _:
            raise TypeError(f"no example of {shape}")
