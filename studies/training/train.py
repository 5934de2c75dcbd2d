"""Training of one network: the step, what goes with it (warm-up, clipping, averaged weights), and its curve."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn
from torch.nn import functional

from studies.sections.protocol import Protocol, Train
from studies.training.accumulate import Accumulation, generators, set_generators
from studies.training.batch import Batch, batches, derived_seed
from studies.training.diffusion import process
from studies.training.failures import Diverged
from studies.training.recompute import Recomputation

CURVE_POINTS = 50
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
Report = Callable[[int, float], None]


class Averaged:
    """An exponential moving average of a network's parameters, with buffers copied.

    After n updates the decay is min(decay, (1+n)/(10+n)), so that short trainings are not averages of their start
    (the rule of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).eval().requires_grad_(False)  # noqa: FBT003 - torch's own signature
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the current weights of `module`."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for average, current in zip(self.module.parameters(), module.parameters(), strict=True):
            average.lerp_(current, 1 - decay)
        for kept, latest in zip(self.module.buffers(), module.buffers(), strict=True):
            kept.copy_(latest)


class TrainingStep:
    """One step of a protocol: forward, loss, backward, clipping, AdamW and averaging.

    The network takes ``(x_t, t)`` and gives what the objective asks for; the loss is the mean squared error in
    float32. Gradients are freed at the end of a step.

    Args:
        module: the network, on `device`; put into training mode and trained in place.
        protocol: objective and training.
        device: where it runs.
    """

    def __init__(self, module: nn.Module, protocol: Protocol, device: torch.device) -> None:
        self.module = module.train()
        self.train = protocol.train
        self.device = device
        self.diffusion = process(protocol.objective, device)
        # Fused, because the loop over parameters is slower and `foreach` peaks a parameter's worth higher.
        self.optimizer = torch.optim.AdamW(
            module.parameters(),
            lr=self.train.lr,
            betas=self.train.betas,
            weight_decay=self.train.weight_decay,
            fused=True,
            capturable=device.type == "cuda",
        )
        self.averaged = None if self.train.ema is None else Averaged(module, self.train.ema)
        self.recomputation = Recomputation(module, self.train)
        self.accumulated = Accumulation(self.loss, module, self.train)

    @property
    def evaluated(self) -> nn.Module:
        """The network whose loss counts: the averaged one where there is one."""
        return self.module if self.averaged is None else self.averaged.module

    def __call__(self, batch: Batch, rate: float = 1.0) -> Tensor:
        """Take one step on a batch that lies on the device, with `rate` times the learning rate.

        Returns:
            The loss before the step, a scalar on the device.
        """
        loss = self.accumulated.backward(batch)
        if self.train.grad_clip is not None:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.train.grad_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.train.lr * rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.averaged is not None:
            self.averaged.update(self.module)
        return loss

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error of the network on a batch, a scalar in float32 with its graph."""
        noisy = self.diffusion.noisy(batch.images, batch.timesteps, batch.noise)
        target = self.diffusion.target(batch.images, batch.timesteps, batch.noise)
        with self.recomputation.applied(len(batch.images)), autocast(self.train, self.device):
            output = self.module(noisy, self.diffusion.time(batch.timesteps))
        return functional.mse_loss(output.float(), target)


def autocast(train: Train, device: torch.device) -> torch.autocast:
    """The arithmetic of a forward pass: autocast for bfloat16, nothing for float32."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=DTYPES[train.dtype] is not torch.float32)


def warmup(step: int, train: Train) -> float:
    """Share of the learning rate at a step, counted from 1: linear to 1 over the warm-up."""
    return min(1.0, step / (train.warmup + 1))


@dataclass
class Span:
    """A part of a training.

    Attributes:
        start: steps that were taken before.
        stop: the step after which it ends; None: the protocol's last.
        done: steps that are taken when it has ended.
        rng: states of dropout's generators at its start, and then at its end; empty for a training's beginning.
    """

    start: int = 0
    stop: int | None = None
    done: int = 0
    rng: tuple[Tensor, ...] = ()


def fit(
    step: TrainingStep,
    images: Tensor,
    protocol: Protocol,
    seed: int,
    report: Report,
    between: Callable[[], None] = lambda: None,
    span: Span | None = None,
) -> None:
    """Train for the protocol's steps and report the curve as it grows.

    Args:
        step: the network and its optimizer.
        images: training images ``[n, c, h, w]`` on the CPU.
        protocol: what is trained and for how long.
        seed: order of data, timesteps, noise and dropout.
        report: called at most 50 times, at the last step too, with the step, from 1, and the mean training loss since
            the call before.
        between: called after each step.
        span: a part of the training, noted in it as it is done; default the whole.

    Raises:
        Diverged: a loss was NaN or infinite; reported points are finite.
    """
    span = span if span is not None else Span()
    steps = protocol.train.steps
    stop = min(steps, span.stop if span.stop is not None else steps)
    every = math.ceil(steps / CURVE_POINTS)
    losses: list[Tensor] = []
    with torch.random.fork_rng(devices=[step.device] if step.device.type == "cuda" else []):
        torch.manual_seed(derived_seed(seed, "dropout"))
        set_generators(span.rng, step.device)
        taken = islice(batches(images, protocol, seed), span.start, stop)
        for number, batch in enumerate(taken, start=span.start + 1):
            losses.append(step(batch.to(step.device), warmup(number, protocol.train)))
            if number % every == 0 or number == stop:
                report(number, _mean(losses, number))
                losses.clear()
            between()
        span.done, span.rng = max(span.start, stop), generators(step.device)


def _mean(losses: list[Tensor], last: int) -> float:
    """Mean of the losses of the steps up to `last`; one transfer from the device for all of them."""
    values = torch.stack(losses).cpu()
    bad = (~values.isfinite()).nonzero()
    if len(bad):
        raise Diverged(last - len(losses) + 1 + int(bad[0]))
    return float(values.double().mean())
