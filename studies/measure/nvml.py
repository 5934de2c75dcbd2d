"""NVIDIA's management library, asked through the extra `nvml`; without it everything here is absent and says why."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import torch

#: Bits of NVML's clock event reasons that slow a GPU down (nvml.h), as people call them.
_THROTTLING = {
    "nvmlClocksEventReasonSwPowerCap": "power cap",
    "nvmlClocksEventReasonHwSlowdown": "hardware slowdown",
    "nvmlClocksEventReasonSwThermalSlowdown": "heat",
    "nvmlClocksEventReasonHwThermalSlowdown": "heat (hardware)",
    "nvmlClocksEventReasonHwPowerBrakeSlowdown": "power brake",
}


class Gpu:
    """One GPU of this machine.

    Args:
        library: the module `pynvml`, initialised.
        handle: NVML's handle of the device.
    """

    def __init__(self, library: Any, handle: Any) -> None:
        self._library = library
        self._handle = handle

    def facts(self) -> dict[str, Any]:
        """`sm_clock_mhz`, `temperature_c`, `throttled_by` (words), `foreign_processes` (a number).

        None stands for what is not told. Where process ids mean something else inside a container than to NVML, one
        of the processes is taken to be this one.
        """
        nvml = self._library
        return {
            "sm_clock_mhz": self._ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
            "temperature_c": self._ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
            "throttled_by": self._throttled_by(),
            "foreign_processes": self._foreign_processes(),
        }

    def _throttled_by(self) -> list[str] | None:
        bits = self._ask(self._library.nvmlDeviceGetCurrentClocksEventReasons)
        if bits is None:
            return None
        return [word for name, word in _THROTTLING.items() if bits & getattr(self._library, name)]

    def _foreign_processes(self) -> int | None:
        running = self._ask(self._library.nvmlDeviceGetComputeRunningProcesses)
        if running is None:
            return None
        pids = {process.pid for process in running}
        own = {os.getpid(), os.getppid()}
        return len(pids - own) if pids & own else max(0, len(pids) - 1)

    def _ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What NVML answers; None where this GPU, driver or user may not know."""
        try:
            return function(self._handle, *arguments)
        except self._library.NVMLError:
            return None

    def joules(self) -> float | None:
        """Energy that the GPU used since the driver was loaded, in joules; None before Volta."""
        millijoules = self._ask(self._library.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else float(millijoules) / 1000


def gpu_of(device: torch.device) -> tuple[Gpu | None, str]:
    """NVML's view of a CUDA device; None and the reason where it cannot be had."""
    try:
        import pynvml
    except ImportError:
        return None, "NVML cannot be asked: the package nvidia-ml-py is not installed (extra nvml)"
    try:
        pynvml.nvmlInit()
        gpu = Gpu(pynvml, _handle(pynvml, device))
    except pynvml.NVMLError as error:
        return None, f"NVML cannot be asked: {error}"
    return gpu, ""


def _handle(library: Any, device: torch.device) -> Any:
    """By UUID where torch knows it: the index of a device depends on what the process may see."""
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    if uuid is None:
        return library.nvmlDeviceGetHandleByIndex(device.index or 0)
    return library.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
