"""What the CPU's allocator does while single operations run, by its own record.

The record is the `[memory]` events of torch.profiler, exact to the byte asked for. Many operations are recorded in one
session of the profiler; allocations of a size that nothing else has stand between them.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves

from builder.profile.signature import Signature
from builder.profile.workspace import Need

#: Bytes of the allocations that stand between operations; an odd prime, so no tensor of numbers has it.
_MARK = 1_299_709

# Lines that libkineto writes to stderr whatever its log level is.
_CHATTER = re.compile(rb"^(USDT|STAGE):[^\n]*\n", re.MULTILINE)


def recorded(signatures: Sequence[Signature]) -> list[Need | None]:
    """What each operation needs on the CPU, run once alone; None for one that cannot be run alone."""
    profiler = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with _without_chatter():
        profiler.start()
    try:
        with torch.no_grad():
            outputs = [_run(signature) for signature in signatures]
    finally:
        with _without_chatter():
            profiler.stop()
    results = profiler.profiler.kineto_results if profiler.profiler is not None else None
    if results is None:
        raise RuntimeError("torch.profiler gave no results")
    events: list[Any] = [event for event in results.events() if event.name() == "[memory]"]
    on_cpu = [event for event in events if event.device_type().name == "CPU"]
    changes = [int(event.nbytes()) for event in sorted(on_cpu, key=lambda event: event.start_ns())]
    peaks = list(_peaks(changes))
    if len(peaks) != len(signatures):
        raise RuntimeError(f"torch.profiler recorded {len(peaks)} of {len(signatures)} operations")
    return [None if left is None else Need(peak, left) for peak, left in zip(peaks, outputs, strict=True)]


def _run(signature: Signature) -> tuple[int, ...] | None:
    """Run an operation between two marks; the bytes of the storages that it leaves behind."""
    args, kwargs = signature.arguments("cpu")
    torch.empty(_MARK, dtype=torch.uint8)
    try:
        result = signature.operation(*args, **kwargs)
    except (RuntimeError, NotImplementedError):  # not on this device, or not with numbers that are all zero
        result = None
    torch.empty(_MARK, dtype=torch.uint8)
    return None if result is None else left_behind(result, (args, kwargs))


def left_behind(result: object, arguments: object) -> tuple[int, ...]:
    """Bytes of the storages of a result that are none of the arguments', in the order of its tensors."""
    given = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)}
    found: dict[int, int] = {}
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor) and leaf.untyped_storage().nbytes():
            found.setdefault(leaf.untyped_storage().data_ptr(), leaf.untyped_storage().nbytes())
    return tuple(nbytes for pointer, nbytes in found.items() if pointer not in given)


def _peaks(changes: list[int]) -> Iterator[int]:
    """The highest sums of the changes between each mark and the next one."""
    inside = False
    live = peak = 0
    for change in changes:
        if change == _MARK:
            if inside:
                yield peak
            inside = not inside
            live = peak = 0
        elif inside and change != -_MARK:
            live += change
            peak = max(peak, live)


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
