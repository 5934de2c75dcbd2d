"""The C library's memory allocator, told to keep what torch frees on the CPU.

By itself glibc gives large blocks back to the system when they are freed and takes them anew a moment later; each of
their pages is then faulted in again. Whether it does depends on which blocks the process happened to free before, so
that equal calls in two processes can differ by tens of per cent (mallopt(3): M_MMAP_THRESHOLD and M_TRIM_THRESHOLD).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: (blocks below so many bytes come from the heap, its unused end is given back above so many): while memory is kept,
#: and afterwards, which is where glibc's own adjustment ends.
_KEPT, _USUAL = (2**30, 2**31 - 1), (2**25, 2**26)


@contextmanager
def freed_memory_kept() -> Iterator[bool]:
    """Let this process keep the memory that it frees inside of this block, and give it back at its end.

    Only for timing: a heap that keeps everything has gaps, so that a training at its limit may find no room in it.

    Yields:
        Whether the C library is one that can be told.
    """
    library = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6") if platform.libc_ver()[0] == "glibc" else None
    try:
        yield library is not None and _told(library, _KEPT)
    finally:
        if library is not None:
            _told(library, _USUAL)
            library.malloc_trim(0)


def _told(library: ctypes.CDLL, thresholds: tuple[int, int]) -> bool:
    block, heap = thresholds
    return bool(library.mallopt(_MMAP_THRESHOLD, block) and library.mallopt(_TRIM_THRESHOLD, heap))
