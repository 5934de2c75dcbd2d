"""Joules per call, where the machine has a counter; nothing is made up where it has none.

GPU: NVML's total since the driver was loaded. CPU: RAPL's packages in ``/sys/class/powercap`` (Linux; since 5.10 for
root only). A counter sees the whole device, so what idles or runs beside the call is in the number, and sensors are
slow: the call is repeated for a second at least.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

import torch

from studies.measure.calls import Call
from studies.measure.nvml import Gpu, gpu_of

MIN_SECONDS = 1.0
MIN_CALLS = 3


class Counter(Protocol):
    """Something that counts joules."""

    name: str

    def joules(self, since: float | None = None) -> float:
        """What it stands at; with `since`, what went by from there."""


class Rapl:
    """The packages of Intel's and AMD's running average power limit.

    Args:
        zones: folders ``intel-rapl:N`` of packages.
    """

    name = "RAPL"

    def __init__(self, zones: list[Path]) -> None:
        self._zones = zones
        self._start = self._stand()
        self._most = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]

    def joules(self, since: float | None = None) -> float:
        """Joules since the counter was made, or since it stood at `since`; one overflow is allowed for."""
        microjoules = sum(
            (now - then) % (most + 1) for now, then, most in zip(self._stand(), self._start, self._most, strict=True)
        )
        return microjoules / 1e6 - (since or 0.0)

    def _stand(self) -> list[int]:
        return [int((zone / "energy_uj").read_text()) for zone in self._zones]


class _GpuCounter:
    """A GPU's own counter."""

    name = "NVML"

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu

    def joules(self, since: float | None = None) -> float:
        """Joules since the driver was loaded, or since the counter stood at `since`."""
        return (self._gpu.joules() or 0.0) - (since or 0.0)


def counter(device: torch.device, powercap: Path = Path("/sys/class/powercap")) -> tuple[Counter | None, str]:
    """What counts a device's joules; None and the reason where nothing does."""
    if device.type == "cuda":
        gpu, why = gpu_of(device)
        if gpu is not None and gpu.joules() is None:
            return None, "NVML counts no energy on this GPU, or not for this user"
        return (None, why) if gpu is None else (_GpuCounter(gpu), "")
    zones = sorted(zone for zone in powercap.glob("intel-rapl:*") if zone.name.count(":") == 1)
    if not zones:
        return None, "this machine has no RAPL counter"
    try:
        return Rapl(zones), ""
    except PermissionError as error:
        return None, f"the RAPL counter may not be read: {error.strerror} ({error.filename}); root may"
    except (OSError, ValueError) as error:
        return None, f"the RAPL counter cannot be read: {error}"


def energy(call: Call, device: torch.device, meter: Counter | None = None, why: str = "") -> dict[str, Any]:
    """Joules of one call, averaged over at least a second of calls.

    Returns:
        `joules`, `counter` and `calls`; where nothing counts, only `absent`, the reason.
    """
    if meter is None:
        return {"absent": why}
    calls, start, stood = 0, time.perf_counter(), meter.joules()
    while calls < MIN_CALLS or time.perf_counter() - start < MIN_SECONDS:
        call()
        calls += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return {"joules": meter.joules(stood) / calls, "counter": meter.name, "calls": calls}
