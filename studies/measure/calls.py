"""The two things that are measured of a network, as calls without arguments: inference and a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studies.sections.protocol import Protocol
from studies.training.batch import Batch
from studies.training.train import TrainingStep, autocast

Call = Callable[[], object]


@dataclass(frozen=True, eq=False)
class Measured:
    """A call to measure, and every tensor that outlives it: weights, optimizer state, averages and inputs."""

    call: Call
    held: Callable[[], list[Tensor]]


def sample_batch(shape: tuple[int, ...], size: int, timesteps: int, device: torch.device) -> Batch:
    """A fixed random batch of images ``(c, h, w)`` on a device; its values do not matter for what is measured."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randn((size, *shape), generator=draw)
    noise = torch.randn((size, *shape), generator=draw)
    return Batch(images, torch.randint(timesteps, (size,), generator=draw), noise).to(device)


def inference(module: nn.Module, batch: Batch, protocol: Protocol, device: torch.device) -> Measured:
    """One forward pass in eval mode without gradients, in the protocol's arithmetic.

    Its inputs are the images and timesteps of the batch; the noise takes no part.
    """
    module.eval()

    def call() -> None:
        with torch.inference_mode(), autocast(protocol.train, device):
            module(batch.images, batch.timesteps)

    return Measured(call, lambda: [*module.parameters(), *module.buffers(), batch.images, batch.timesteps])


def training(module: nn.Module, batch: Batch, protocol: Protocol, device: torch.device) -> Measured:
    """One step of the protocol's own training: noise, forward, loss, backward, clipping, AdamW and averaging.

    It changes the weights of the module.
    """
    step = TrainingStep(module, protocol, device)

    def held() -> list[Tensor]:
        state = [x for values in step.optimizer.state.values() for x in values.values() if isinstance(x, Tensor)]
        average = [] if step.averaged is None else [*step.averaged.module.parameters(), *step.averaged.module.buffers()]
        gradients = [p.grad for p in module.parameters() if p.grad is not None]
        inputs = [batch.images, batch.timesteps, batch.noise]
        return [*module.parameters(), *module.buffers(), *gradients, *state, *average, *inputs]

    return Measured(lambda: step(batch), held)
