"""Latency of a call, interleaved with a fixed reference network.

*Warm-up*: the call is repeated until three calls in a row were not more than 5 % faster than the fastest before them
(warming up only makes calls faster), at most 50 times or for `max_seconds`. *Rounds*: each times the call and the
reference once, in random order, until there were `rounds` of them and `min_seconds` went by; after `max_seconds`
three rounds are enough. On a machine with other load the absolute median wanders by tens of per cent while the median
of the paired ratios stays within a few, so comparisons should use the ratio.

Times are wall-clock seconds of the whole batch: `perf_counter` on the CPU, CUDA events on CUDA.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

from studies.measure.calls import Call, Measured, sample_batch
from studies.protocol import Measure, Protocol, Train
from studies.train import Batch

REFERENCE = "conv3x3-GroupNorm-SiLU, twice, then conv3x3; 32 channels; 8 images of 3x32x32; float32; version 1"
WARM_CALLS = 50
WARM_STREAK = 3
WARM_GAIN = 0.05
FEWEST_ROUNDS = 3

Stopwatch = Callable[[Call], float]
Kind = Callable[[nn.Module, Batch, Protocol, torch.device], Measured]


@dataclass(frozen=True)
class Latency:
    """Seconds of one call over its rounds.

    Attributes:
        median: of the call, in seconds.
        p10: tenth percentile, in seconds.
        p90: ninetieth percentile, in seconds.
        rounds: number of timed rounds.
        ratio: median over rounds of the call's time by the reference's.
        reference: median of the reference, in seconds.
        warmup: calls before the rounds.
        stable: whether the warm-up ended by its rule and not at its limit.
    """

    median: float
    p10: float
    p90: float
    rounds: int
    ratio: float
    reference: float
    warmup: int
    stable: bool

    def as_dict(self) -> dict[str, float | int | bool]:
        """The attributes under their names."""
        return asdict(self)


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


def stopwatch(device: torch.device) -> Stopwatch:
    """What measures the seconds of one call on a device; the device is idle before and after."""
    return _CudaStopwatch(device) if device.type == "cuda" else _wall_seconds


def _wall_seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class _CudaStopwatch:
    """Seconds between two CUDA events around a call."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def __call__(self, call: Call) -> float:
        with torch.cuda.device(self.device):
            start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()
            start.record()
            call()
            end.record()
            end.synchronize()
            return float(start.elapsed_time(end)) / 1000


def warm_up(call: Call, seconds_of: Stopwatch, max_seconds: float) -> tuple[int, bool]:
    """Repeat a call until it is stable by the rule above.

    Returns:
        Number of calls, and whether the rule was met before the limit.
    """
    best, streak, spent = float("inf"), 0, 0.0
    for count in range(1, WARM_CALLS + 1):
        seconds = seconds_of(call)
        spent += seconds
        streak = 0 if seconds < best * (1 - WARM_GAIN) else streak + 1
        best = min(best, seconds)
        if streak == WARM_STREAK:
            return count, True
        if spent > max_seconds:
            return count, False
    return WARM_CALLS, False


def paired_rounds(call: Call, reference: Call, seconds_of: Stopwatch, measure: Measure) -> list[tuple[float, float]]:
    """Seconds of (call, reference) in each round, the order within a round drawn by a fixed seed."""
    coin = random.Random(0)
    pairs: list[tuple[float, float]] = []
    start = time.perf_counter()
    while True:
        if coin.random() < 0.5:
            seconds = seconds_of(call)
            pairs.append((seconds, seconds_of(reference)))
        else:
            seconds = seconds_of(reference)
            pairs.append((seconds_of(call), seconds))
        elapsed = time.perf_counter() - start
        enough = len(pairs) >= measure.rounds and elapsed >= measure.min_seconds
        late = len(pairs) >= FEWEST_ROUNDS and elapsed >= measure.max_seconds
        if enough or late:
            return pairs


def latency(call: Call, reference: Call, device: torch.device, measure: Measure) -> Latency:
    """Measure a call against the reference on a device; see the module's text for the rules."""
    seconds_of = stopwatch(device)
    warm_up(reference, seconds_of, measure.max_seconds)
    warm, stable = warm_up(call, seconds_of, measure.max_seconds)
    pairs = np.array(paired_rounds(call, reference, seconds_of, measure))
    p10, median, p90 = (float(q) for q in np.quantile(pairs[:, 0], [0.1, 0.5, 0.9]))
    return Latency(
        median=median,
        p10=p10,
        p90=p90,
        rounds=len(pairs),
        ratio=float(np.median(pairs[:, 0] / pairs[:, 1])),
        reference=float(np.median(pairs[:, 1])),
        warmup=warm,
        stable=stable,
    )
