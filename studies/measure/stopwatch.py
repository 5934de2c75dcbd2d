"""What tells the seconds of a call on a device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from studies.measure.calls import Call

#: Of an L2 cache whose size torch does not tell; larger than any so far (H200: 50 MiB).
_L2_BYTES = 64 * 2**20


class Lap(NamedTuple):
    """Seconds of a call.

    Attributes:
        wall: by the clock on the wall, or the device's own.
        cpu: of CPU time in all threads of this process.
        work: what the call needs of its device, as little disturbed as can be had: CPU time on the CPU, `wall` else.
    """

    wall: float
    cpu: float
    work: float


Stopwatch = Callable[[Call], Lap]


def stopwatch(device: torch.device) -> Stopwatch:
    """What measures the seconds of one call on a device; the device is idle before and after."""
    return CudaStopwatch(device) if device.type == "cuda" else wall_clock


def wall_clock(call: Call) -> Lap:
    """`perf_counter` around a call, and the CPU time of the process beside it."""
    cpu = time.process_time()
    start = time.perf_counter()
    call()
    wall = time.perf_counter() - start
    cpu = time.process_time() - cpu
    return Lap(wall, cpu, cpu)


class CudaStopwatch:
    """Seconds between two CUDA events around a call that finds the L2 cache flushed, as in a network's daily life.

    Args:
        device: the CUDA device.
        flush: write over as many bytes as the L2 cache holds, twice, before the first event.
    """

    def __init__(self, device: torch.device, *, flush: bool = True) -> None:
        self.device = device
        size = getattr(torch.cuda.get_device_properties(device), "L2_cache_size", 0) or _L2_BYTES
        self._spill = torch.empty(2 * size, dtype=torch.int8, device=device) if flush else None

    def __call__(self, call: Call) -> Lap:
        """Seconds of one call; the device is synchronised before and after it."""
        with torch.cuda.device(self.device):
            start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            if self._spill is not None:
                self._spill.zero_()
            torch.cuda.synchronize()
            cpu = time.process_time()
            start.record()
            call()
            end.record()
            end.synchronize()
            wall = float(start.elapsed_time(end)) / 1000
            return Lap(wall, time.process_time() - cpu, wall)


def graphed(call: Call, device: torch.device) -> Call:
    """The same work as one CUDA graph: captured after three calls on a side stream, replayed at each call.

    Whatever a call reads (weights, inputs) must stay where it is. Kernels that a capture forbids make it fail.

    Raises:
        RuntimeError: the call cannot be captured; says so and why.
    """
    with torch.cuda.device(device):
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                call()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                call()
        except RuntimeError as error:
            raise RuntimeError(
                f"the network cannot be captured as a CUDA graph, so measure.cuda_graph has to be false: {error}"
            ) from error
    return graph.replay
