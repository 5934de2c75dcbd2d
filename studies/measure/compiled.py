"""A network under `torch.compile`, for timing only: what is trained and evaluated stays as it is."""

from __future__ import annotations

import copy
import time
from typing import Any

import torch
from torch import nn

from studies.measure.calls import Call


class Compiled(nn.Module):
    """Runs a network's compiled forward on the network's own parameters. A copy of it is a copy of the network."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        # In a tuple, so that it is no second child that holds the same parameters.
        self._fast = (torch.compile(module),)

    def forward(self, *inputs: Any) -> Any:
        """Whatever the network takes and gives."""
        return self._fast[0](*inputs)

    def __deepcopy__(self, memo: dict[int, Any]) -> nn.Module:
        return copy.deepcopy(self.module, memo)


def first_call(call: Call, device: torch.device) -> float:
    """Seconds of a call that compiles; in them is one run of it."""
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
