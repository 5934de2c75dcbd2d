"""Peak memory of a call, in bytes, by the allocator's own account.

What is counted: every byte that the allocator of torch has handed out and not got back, at the moment when that is
most, while the call runs. These bytes are of two kinds: those *held* over the call (parameters, buffers, optimizer
state, averaged weights and the input batch; each storage once) and those that the call itself allocates
(activations, gradients, workspaces that kernels ask the allocator for). Whatever else the process holds is left out,
so the number is the network's own and does not depend on what ran before. Not counted: memory that libraries take
past the allocator, the Python process, code, and the caching allocator's reserve on CUDA.

On the CPU the account is the `[memory]` events of torch.profiler, exact to the byte asked for; on CUDA it is
`torch.cuda.max_memory_allocated`, where each block is rounded up to 512 bytes (*allocated*), and beside it what the
caching allocator took from the device (*reserved*). Neither has been validated on CUDA. A call is run once unmeasured
before. The process's own high-water mark is kept too: it holds Python, code and caches, and is no measure of a network.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from builder.allocations import allocations
from studies.measure.calls import Call, Measured
from studies.sections.protocol import Section


class Memory(Section):
    """Memory of a call, in bytes.

    Attributes:
        peak: peak memory as defined above.
        held: of these, what outlives the call.
        reserved: most that CUDA's caching allocator had taken from the device; None on the CPU.
        resident_before: resident memory of the whole process before the call; None where the system does not say.
        resident_peak: its high-water mark during the call; likewise.
    """

    peak: int
    held: int
    reserved: int | None
    resident_before: int | None
    resident_peak: int | None


def memory(measured: Measured, device: torch.device, snapshot: Path | None = None) -> Memory:
    """Memory of a call.

    Args:
        measured: the call and what outlives it.
        device: where it runs.
        snapshot: on CUDA, file for the allocator's history of the call (a pickle for pytorch.org/memory_viz).
    """
    measured.call()
    gc.collect()  # garbage that is freed during the call would count as memory given back
    held = held_bytes(measured.held())
    if device.type == "cuda":
        with _history(snapshot, device):
            above, reserved = _cuda_peak_above(measured.call, device)
        return Memory(peak=held + above, held=held, reserved=reserved, resident_before=None, resident_peak=None)
    above = _cpu_peak_above(measured.call)
    before, highest = high_water(measured.call)
    return Memory(peak=held + above, held=held, reserved=None, resident_before=before, resident_peak=highest)


def peak_bytes(measured: Measured, device: torch.device) -> int:
    """Peak memory of a call as defined above, in bytes."""
    return memory(measured, device).peak


def held_bytes(tensors: Iterable[Tensor]) -> int:
    """Bytes of the distinct storages behind tensors."""
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in tensors}
    return sum(storages.values())


def _cuda_peak_above(call: Call, device: torch.device) -> tuple[int, int]:
    """How far `call` raises the allocated bytes of a CUDA device above those at its start, and the most reserved."""
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()  # what the allocator keeps from before would count as reserved
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    call()
    torch.cuda.synchronize(device)
    return torch.cuda.max_memory_allocated(device) - before, torch.cuda.max_memory_reserved(device)


@contextmanager
def _history(file: Path | None, device: torch.device) -> Iterator[None]:
    """Record the CUDA allocator's history into a file; without one nothing.

    torch documents these functions for users although their names begin with an underscore.
    """
    if file is None:
        yield
        return
    torch.cuda.memory._record_memory_history(device=device)  # noqa: SLF001
    try:
        yield
        torch.cuda.memory._dump_snapshot(str(file))  # type: ignore[no-untyped-call]  # noqa: SLF001
    finally:
        torch.cuda.memory._record_memory_history(enabled=None, device=device)  # noqa: SLF001


def high_water(call: Call, process: Path = Path("/proc/self")) -> tuple[int | None, int | None]:
    """Resident memory of this process before a call, and its high-water mark during it.

    Linux forgets the mark of the past when asked to (``clear_refs``); (None, None) where there is no such thing or it
    may not be used.

    Args:
        call: what is run.
        process: the process's folder.
    """
    try:
        (process / "clear_refs").write_text("5", encoding="ascii")
        before = _status(process, "VmRSS")
    except (OSError, LookupError):
        call()
        return None, None
    call()
    return before, _status(process, "VmHWM")


def _status(process: Path, key: str) -> int:
    """A line of ``status`` in bytes."""
    for line in (process / "status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(key)


def _cpu_peak_above(call: Call) -> int:
    """How far `call` raises the allocated bytes of the CPU above those at its start."""
    live = peak = 0
    for change in allocations(call):
        live += change
        peak = max(peak, live)
    return peak
