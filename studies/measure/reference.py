"""The fixed network that every measured one is timed together with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from studies.measure.calls import Call, Measured, sample_batch
from studies.sections.protocol import Protocol, Train
from studies.training.batch import Batch

REFERENCE = "conv3x3-GroupNorm-SiLU, twice, then conv3x3; 32 channels; 8 images of 3x32x32; float32; version 1"

Kind = Callable[[nn.Module, Batch, Protocol, torch.device], Measured]


class ReferenceNetwork(nn.Module):
    """The network that every measured one is interleaved with; see `REFERENCE`. Its weights are fixed."""

    def __init__(self) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.layers = nn.Sequential(
                nn.Conv2d(3, 32, 3, padding=1),
                nn.GroupNorm(8, 32),
                nn.SiLU(),
                nn.Conv2d(32, 32, 3, padding=1),
                nn.GroupNorm(8, 32),
                nn.SiLU(),
                nn.Conv2d(32, 3, 3, padding=1),
            )

    def forward(self, x: torch.Tensor, t: torch.Tensor | None = None) -> torch.Tensor:
        """Images ``[b, 3, h, w]`` to images; timesteps are taken and not used."""
        del t
        images: torch.Tensor = self.layers(x)
        return images


_REFERENCE_PROTOCOL = Protocol(train=Train(ema=None, grad_clip=None))


def reference_call(kind: Kind, device: torch.device) -> Call:
    """The reference network's own inference or training step; `kind` is `calls.inference` or `calls.training`."""
    batch = sample_batch((3, 32, 32), 8, _REFERENCE_PROTOCOL.objective.timesteps, device)
    return kind(ReferenceNetwork().to(device), batch, _REFERENCE_PROTOCOL, device).call
