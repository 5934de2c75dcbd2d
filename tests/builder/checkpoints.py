"""Weights for tests to write and read."""

import torch

from builder import assemble, initialise


def state_of(graph, seed=0):
    network = assemble(graph)
    initialise(network, seed)
    generator = torch.Generator().manual_seed(seed)
    return {key: torch.randn(value.shape, generator=generator) for key, value in network.state_dict().items()}
