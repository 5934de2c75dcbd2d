"""The CPU allocator's own record of a call: torch.profiler's `[memory]` events, exact to the byte asked for."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.profiler import ProfilerActivity, profile

# Lines that libkineto writes to stderr whatever its log level is.
_CHATTER = re.compile(rb"^(USDT|STAGE):[^\n]*\n", re.MULTILINE)


def allocations(call: Callable[[], object]) -> list[int]:
    """Every allocation (positive) and release (negative) of CPU memory through torch's allocator during a call.

    In the order in which they happened, in bytes. The public face of the profiler merges these events into
    operators; the raw ones stand only in its `kineto_results`, which is touched here and nowhere else.
    """
    profiler = profile(activities=[ProfilerActivity.CPU], profile_memory=True)
    with without_chatter():
        profiler.start()
    try:
        call()
    finally:
        with without_chatter():
            profiler.stop()
    results = profiler.profiler.kineto_results if profiler.profiler is not None else None
    if results is None:
        raise RuntimeError("torch.profiler gave no results")
    events: list[Any] = [event for event in results.events() if event.name() == "[memory]"]
    on_cpu = [event for event in events if event.device_type().name == "CPU"]
    return [int(event.nbytes()) for event in sorted(on_cpu, key=lambda event: event.start_ns())]


@contextmanager
def without_chatter() -> Iterator[None]:
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
