"""The device a trial runs on: chosen, described, and its CPU threads pinned."""

from __future__ import annotations

import os
import platform
import re
from functools import lru_cache, partial
from pathlib import Path

import torch

from archspec.text.errors import user_error
from studies.measure.lock import Turn, identity

Fact = str | int | float | None

# What torch takes by itself (OMP_NUM_THREADS, else the cores it may use), before any trial of this process pins it.
_OWN_THREADS = torch.get_num_threads()


def choose(name: str) -> torch.device:
    """The device that `auto`, `cpu`, `cuda` or `cuda:N` names; CUDA devices come with their index.

    Raises:
        UserError: a CUDA device was asked for that is not there.
    """
    count = torch.cuda.device_count() if name != "cpu" and torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and count == 0):
        return torch.device("cpu")
    index = int(name.partition(":")[2] or 0)
    if index >= count:
        have = f"this machine has {count} CUDA device{'s' * (count != 1)} that torch can use"
        raise user_error(f"measure.device is {name}, but {have}.", "Use auto or cpu.")
    return torch.device("cuda", index)


def pin(threads: int | None) -> int:
    """Fix what would make equal runs differ: CPU threads, and cuDNN's choice of algorithms.

    Args:
        threads: CPU threads of torch's operations; None is what torch takes by itself.

    Returns:
        The number of threads.
    """
    torch.set_num_threads(threads or _OWN_THREADS)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False
    return torch.get_num_threads()


def turn_on(device: torch.device) -> Turn:
    """This process's turns on a device that other workers of the machine may use too."""
    idle = partial(torch.cuda.synchronize, device) if device.type == "cuda" else (lambda: None)
    return Turn(identity(device), idle=idle)


def load_average() -> float | None:
    """Processes running or waiting on this machine, averaged over a minute; None where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (OSError, AttributeError):
        return None


def describe(device: torch.device) -> dict[str, Fact]:
    """What a record says about a device: facts that do not change from trial to trial.

    Returns:
        `device` (a name for reports), `device_type`, `cpu` (model), `cores` (logical), `threads` (torch's) and, on
        CUDA, `cuda` (version torch was built for), `driver`, `capability` and `device_memory` (bytes).
    """
    facts: dict[str, Fact] = {
        "device": cpu_model(),
        "device_type": device.type,
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        facts |= {
            "device": properties.name,
            "cuda": torch.version.cuda,
            "driver": _driver_version(),
            "capability": f"{properties.major}.{properties.minor}",
            "device_memory": properties.total_memory,
        }
    return facts


@lru_cache(maxsize=1)
def cpu_model() -> str:
    """The processor's own name, as far as the system tells it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine() or "unknown CPU"


def _driver_version() -> str | None:
    """Version of the NVIDIA kernel module; None where the system does not say."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"(\d+\.\d+(?:\.\d+)?)", text)
    return found[1] if found else None
