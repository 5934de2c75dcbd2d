"""What a training sees, and in which order: drawn from the seed, the data and the protocol, never from the network.

The same seed gives every variant the same batches (common random numbers). Everything random is drawn on the CPU, so
that devices agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from studies.sections.protocol import Protocol
from studies.training.diffusion import process


@dataclass(frozen=True, eq=False)
class Batch:
    """What one training step sees: images ``[b, c, h, w]``, timesteps (or σ) ``[b]`` and noise like the images."""

    images: Tensor
    timesteps: Tensor
    noise: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(*(x.to(device, non_blocking=True) for x in (self.images, self.timesteps, self.noise)))


def derived_seed(seed: int, purpose: str) -> int:
    """A seed of 63 bits for one purpose; different purposes and seeds have unrelated streams."""
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def batches(images: Tensor, protocol: Protocol, seed: int) -> Iterator[Batch]:
    """Endless training batches on the CPU: epochs of shuffled images that run on from batch to batch.

    The order of the images comes from one generator and (t, noise) from another, both from `seed`.

    Args:
        images: ``[n, c, h, w]``.
        protocol: batch size and number of timesteps.
        seed: the training seed.
    """
    size = protocol.train.batch
    order = torch.Generator().manual_seed(derived_seed(seed, "order"))
    draw = torch.Generator().manual_seed(derived_seed(seed, "noise"))
    waiting = torch.empty(0, dtype=torch.int64)
    levels = process(protocol.objective, torch.device("cpu"))
    while True:
        while len(waiting) < size:
            waiting = torch.cat([waiting, torch.randperm(len(images), generator=order)])
        chosen, waiting = waiting[:size], waiting[size:]
        timesteps = levels.draw(size, draw)
        noise = torch.randn((size, *images.shape[1:]), generator=draw)
        yield Batch(images[chosen], timesteps, noise)
