"""What else went on while something was timed: other processes, throttling, clocks, temperature.

Two looks, before and after, and a rule for each thing that disturbs. What the system does not tell is said to be
unknown, never taken to be fine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil
import torch

from studies.measure.nvml import Gpu, gpu_of
from studies.sections.protocol import Section

#: Share of the CPU time of all cores that a hypervisor may keep before it is said to disturb.
STOLEN = 0.02
#: Share by which a GPU's clock may differ between the two looks.
CLOCK_DRIFT = 0.05

Facts = dict[str, Any]
T = TypeVar("T")


class Conditions(Section):
    """The two looks and what follows from them.

    Attributes:
        before: facts at the start.
        after: facts at the end.
        disturbed: what disturbed the measurement, each as a sentence.
        unknown: what could not be asked, and why.
    """

    before: Facts
    after: Facts
    disturbed: tuple[str, ...]
    unknown: tuple[str, ...]


class Probe(Protocol):
    """One source of facts."""

    def look(self) -> Facts:
        """The facts now, as plain data."""

    def judge(self, before: Facts, after: Facts) -> list[str]:
        """What disturbed between two looks, each as a sentence."""


class Watch:
    """Looks when it is made and once more when it has ended.

    Args:
        device: what the measurement runs on.
        probes: sources of facts; default those of the device.
    """

    def __init__(self, device: torch.device, probes: list[Probe] | None = None) -> None:
        self._unknown: list[str] = []
        self._probes = self._own_probes(device) if probes is None else probes
        self._before = [probe.look() for probe in self._probes]

    def ended(self) -> Conditions:
        """The second look, and the verdict."""
        looks = list(zip(self._probes, self._before, [probe.look() for probe in self._probes], strict=True))
        return Conditions(
            before={key: value for _, before, _ in looks for key, value in before.items()},
            after={key: value for _, _, after in looks for key, value in after.items()},
            disturbed=tuple(word for probe, before, after in looks for word in probe.judge(before, after)),
            unknown=tuple(self._unknown),
        )

    def _own_probes(self, device: torch.device) -> list[Probe]:
        if device.type != "cuda":
            return [Cpu()]
        gpu, why = gpu_of(device)
        if gpu is None:
            self._unknown.append(why)
            return []
        return [Nvml(gpu)]


class Cpu:
    """Other processes on the cores, time that the hypervisor keeps, quotas and heat.

    Args:
        root: where the system's own files are.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root

    def look(self) -> Facts:
        """Load, and counters since the start of the system; `own_s` is this process's CPU time."""
        times = psutil.cpu_times()
        own = os.times()
        return {
            "load": _or_none(lambda: round(os.getloadavg()[0], 2)),
            "clock_s": time.monotonic(),
            "idle_s": times.idle + getattr(times, "iowait", 0.0),
            "stolen_s": getattr(times, "steal", 0.0),
            "own_s": own.user + own.system,
            "quota_throttled_s": self._quota(),
            "heat_throttled": self._heat(),
        }

    def judge(self, before: Facts, after: Facts) -> list[str]:
        """Too many processes for the cores, a hypervisor that keeps time, a quota, heat."""
        seconds = after["clock_s"] - before["clock_s"]
        if seconds <= 0:
            return []
        cores = os.cpu_count() or 1
        stolen = (after["stolen_s"] - before["stolen_s"]) / seconds
        idle = (after["idle_s"] - before["idle_s"]) / seconds
        own = (after["own_s"] - before["own_s"]) / seconds
        others = cores - idle - own - stolen
        said = []
        if others + torch.get_num_threads() > cores + 0.25:
            said.append(f"other processes used {others:.1f} of {cores} cores")
        if stolen / cores > STOLEN:
            said.append(f"the hypervisor kept {stolen / cores:.0%} of the CPU time")
        for key, words in (
            ("quota_throttled_s", "the CPU quota of the cgroup stopped the process"),
            ("heat_throttled", "the CPU was throttled by heat"),
        ):
            if before[key] is not None and after[key] is not None and after[key] > before[key]:
                said.append(words)
        return said

    def _quota(self) -> float | None:
        """Seconds for which the cgroup's quota stopped its processes; None where the system does not say."""
        for name, key, unit in (
            ("sys/fs/cgroup/cpu.stat", "throttled_usec", 1e6),
            ("sys/fs/cgroup/cpu/cpu.stat", "throttled_time", 1e9),
        ):
            text = _or_none((self._root / name).read_text)
            for line in (text or "").splitlines():
                if line.startswith(f"{key} "):
                    return float(line.split()[1]) / unit
        return None

    def _heat(self) -> int | None:
        """How often cores were throttled by heat since the start; None where the system does not say."""
        files = self._root.glob("sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
        counts = [int(text) for file in files if (text := _or_none(file.read_text))]
        return sum(counts) if counts else None


class Nvml:
    """What NVML says of a GPU: clocks, temperature, throttling, other processes."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu = gpu

    def look(self) -> Facts:
        """Clock of the multiprocessors (MHz), temperature (°C), reasons for throttling, foreign processes."""
        return self._gpu.facts()

    def judge(self, before: Facts, after: Facts) -> list[str]:
        """Foreign processes, throttling, clocks that drift."""
        said = []
        others = max(before["foreign_processes"] or 0, after["foreign_processes"] or 0)
        if others:
            said.append(f"{others} other process{'es' * (others > 1)} on the GPU")
        reasons = dict.fromkeys([*(before["throttled_by"] or ()), *(after["throttled_by"] or ())])
        if reasons:
            said.append(f"the GPU was throttled: {', '.join(reasons)}")
        old, new = before["sm_clock_mhz"], after["sm_clock_mhz"]
        if old and new and abs(new - old) > CLOCK_DRIFT * max(old, new):
            said.append(f"the GPU's clock went from {old} to {new} MHz")
        return said


def _or_none(ask: Callable[[], T]) -> T | None:
    """What the system says; None where it does not."""
    try:
        return ask()
    except (OSError, ValueError, AttributeError):
        return None
