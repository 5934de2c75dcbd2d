"""Starting values that depend on the seed and a module's path alone."""

from __future__ import annotations

import copy
import hashlib
from typing import Protocol, runtime_checkable

import torch
from torch import nn


@runtime_checkable
class Resettable(Protocol):
    """A module that knows its own start."""

    def reset_parameters(self) -> None:
        """Draw new values from torch's global generator."""


def seed_of(seed: int, path: str) -> int:
    """The seed of the module at a path: 63 bits of sha256."""
    digest = hashlib.sha256(f"{seed}:{path}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def initialise(module: nn.Module, seed: int) -> None:
    """Give every submodule its own `reset_parameters` under a seed made of (`seed`, its path).

    So two variants of an architecture start with the same values in every module that they share by name and shape,
    whatever else was added or removed. Values are drawn on the CPU and copied, so they do not depend on the device.
    Modules that start from zero (`zero_init`) do. torch's global generators are left as they were; what is on the meta
    device has no values and stays without.
    """
    with torch.random.fork_rng(devices=[]):
        for path, part in module.named_modules():
            devices = {parameter.device.type for parameter in part.parameters(recurse=False)}
            if isinstance(part, Resettable) and "meta" not in devices:
                torch.default_generator.manual_seed(seed_of(seed, path))
                _reset(part, on_cpu=devices <= {"cpu"})


def _reset(part: Resettable, *, on_cpu: bool) -> None:
    if on_cpu:
        part.reset_parameters()
        return
    assert isinstance(part, nn.Module)
    drawn = copy.deepcopy(part).to("cpu")
    drawn.reset_parameters()
    part.load_state_dict(drawn.state_dict())
