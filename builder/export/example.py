"""Inputs that a network can be tried on."""

from __future__ import annotations

import torch
from torch import Tensor

from archspec.graphs.graph import input_nodes, shape_of
from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Timestep, Tokens
from builder.inputs import ARGUMENTS
from builder.network import Network


def argument_names(network: Network) -> list[str]:
    """The arguments of the network's forward, in order."""
    return [str(node.target) for node in network.graph.find_nodes(op="placeholder")]


def example_inputs(network: Network, batch: int, seed: int = 0) -> dict[str, Tensor]:
    """Random values for every input that the network has, by argument, in the order of its forward.

    Maps, vectors and tokens are normal; timesteps are float32 in 0…999; labels are drawn from the classes.
    """
    generator = torch.Generator().manual_seed(seed)
    graph = network.architecture
    made = {
        ARGUMENTS[kind]: _value(shape_of(graph, node), batch, generator) for kind, node in input_nodes(graph).items()
    }
    return {name: made[name] for name in argument_names(network) if name in made}


def _value(shape: Shape, batch: int, generator: torch.Generator) -> Tensor:
    match shape:
        case FeatureMap(channels, size):
            return torch.randn(batch, channels, size, size, generator=generator)
        case Embedding(dim):
            return torch.randn(batch, dim, generator=generator)
        case Tokens(dim, length):
            return torch.randn(batch, length, dim, generator=generator)
        case Label():
            return torch.randint(2, (batch,), generator=generator)
        case Timestep():
            return torch.randint(1000, (batch,), generator=generator).float()
        case _:
            raise TypeError(f"no example of {shape}")
