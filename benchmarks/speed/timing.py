"""Interleaved timing: every round runs each contender once, in random order; only ratios within rounds count."""

from __future__ import annotations

import gc
import os
import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch

from studies.measure.device import cpu_model

Clock = Callable[[], float]


def clock(device: torch.device, *, cpu_seconds: bool) -> Clock:
    """Wall time after the device is done; or this process's CPU seconds, which a loaded machine disturbs less."""

    def wall() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter()

    return time.process_time if cpu_seconds and device.type == "cpu" else wall


#: Most rounds of a case that is given seconds, and fewest.
MOST, FEWEST = 100, 3


def interleaved(
    calls: Mapping[str, Callable[[], object]], rounds: int | None, now: Clock, seconds: float = 20.0
) -> dict[str, np.ndarray]:
    """Seconds of each call in each round, after one or two rounds that do not count.

    Args:
        calls: the contenders.
        rounds: how many count; None for as many as fit into `seconds`, from `FEWEST` to `MOST`.
        now: the clock.
        seconds: see there.
    """
    order = list(calls)
    found: dict[str, list[float]] = {name: [] for name in order}
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        for name in order:
            calls[name]()
        first = time.perf_counter() - start
        if first < 0.1 * seconds:
            start = time.perf_counter()
            for name in order:
                calls[name]()
            first = time.perf_counter() - start
        for _ in range(rounds or max(FEWEST, min(MOST, int(seconds / max(first, 1e-9))))):
            random.shuffle(order)
            for name in order:
                begun = now()
                calls[name]()
                found[name].append(now() - begun)
    finally:
        gc.enable()
    return {name: np.array(times) for name, times in found.items()}


def ratio(base: np.ndarray, other: np.ndarray, draws: int = 2000) -> tuple[float, float, float]:
    """Median of base / other by rounds (above 1: other is faster), and a 95 % bootstrap interval of it."""
    pairs = base / other
    generator = np.random.default_rng(0)
    medians = np.median(generator.choice(pairs, (draws, len(pairs))), axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(np.median(pairs)), float(low), float(high)


def geometric_mean(ratios: Iterable[float]) -> float:
    """The geometric mean."""
    return float(np.exp(np.mean(np.log(list(ratios)))))


def shown(found: tuple[float, float, float], digits: int = 2) -> str:
    """A ratio with its interval."""
    middle, low, high = (f"{value:.{digits}f}" for value in found)
    return f"{middle} [{low}, {high}]"


def machine(device: torch.device) -> str:
    """What computes."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
    return f"torch {torch.__version__}, {name}"


def processor() -> str:
    """The processor by name, with family and model where Linux tells them: \"AMD EPYC\" alone is many."""
    words = [cpu_model()]
    for key in ("cpu family", "model"):
        found = re.search(rf"^{key}\s*:\s*(\d+)$", _cpuinfo(), re.MULTILINE)
        words += [f"{key.removeprefix('cpu ')} {found[1]}"] if found else []
    return f"{' '.join(words)}, {torch.get_num_threads()} thread(s) on {os.cpu_count()} cores"


def _cpuinfo() -> str:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def load() -> str:
    """How busy the machine was in the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def circumstances(device: torch.device) -> str:
    """What must be known to read the numbers."""
    loads = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{machine(device)}; load average {loads}"
