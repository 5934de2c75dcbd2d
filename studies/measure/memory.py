"""Peak memory of a call, in bytes, by the allocator's own account.

What is counted: every byte that the allocator of torch has handed out and not got back, at the moment when that is
most, while the call runs. These bytes are of two kinds: those *held* over the call (parameters, buffers, optimizer
state, averaged weights and the input batch; each storage once) and those that the call itself allocates
(activations, gradients, workspaces that kernels ask the allocator for). Whatever else the process holds is left out,
so the number is the network's own and does not depend on what ran before. Not counted: memory that libraries take
past the allocator, the Python process, code, and the caching allocator's reserve on CUDA.

On the CPU the account is the `[memory]` events of torch.profiler, exact to the byte asked for; on CUDA it is
`torch.cuda.max_memory_allocated`, where each block is rounded up to 512 bytes. A call is run once unmeasured before.
"""

from __future__ import annotations

import gc
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from studies.measure.calls import Call, Measured

# Lines that libkineto writes to stderr whatever its log level is.
_CHATTER = re.compile(rb"^(USDT|STAGE):[^\n]*\n", re.MULTILINE)


def peak_bytes(measured: Measured, device: torch.device) -> int:
    """Peak memory of a call as defined above, in bytes."""
    measured.call()
    gc.collect()  # garbage that is freed during the call would count as memory given back
    held = held_bytes(measured.held())
    if device.type == "cuda":
        return held + _cuda_peak_above(measured.call, device)
    return held + _cpu_peak_above(measured.call)


def held_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the distinct storages behind tensors."""
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}
    return sum(storages.values())


def _cuda_peak_above(call: Call, device: torch.device) -> int:
    """How far `call` raises the allocated bytes of a CUDA device above those at its start."""
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before


def _cpu_peak_above(call: Call) -> int:
    """How far `call` raises the allocated bytes of the CPU above those at its start."""
    live = peak = 0
    for change in allocations(call):
        live += change
        peak = max(peak, live)
    return peak


def allocations(call: Call) -> list[int]:
    """Every allocation (positive) and release (negative) of CPU memory through torch's allocator during a call.

    In the order in which they happened, in bytes. The public face of the profiler merges these events into
    operators; the raw ones stand only in its `kineto_results`, which is touched here and nowhere else.
    """
    profiler = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _without_chatter():
        profiler.start()
    try:
        call()
    finally:
        with _without_chatter():
            profiler.stop()
    results = profiler.profiler.kineto_results if profiler.profiler is not None else None
    if results is None:
        raise RuntimeError("torch.profiler gave no results")
    events: list[Any] = [event for event in results.events() if event.name() == "[memory]"]
    on_cpu = [event for event in events if event.device_type().name == "CPU"]
    return [int(event.nbytes()) for event in sorted(on_cpu, key=lambda event: event.start_ns())]


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what C++ code writes to stderr, and pass on all of it but libkineto's progress lines."""
    try:
        saved = os.dup(2)
    except OSError:  # stderr is closed: nothing can be heard
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            kept.seek(0)
            rest = _CHATTER.sub(b"", kept.read())
            if rest:
                os.write(2, rest)
