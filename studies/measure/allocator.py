"""The C library's memory allocator, told to keep what torch frees on the CPU.

By itself glibc gives large blocks back to the system when they are freed and takes them anew a moment later; each of
their pages is then faulted in again. Whether it does depends on which blocks the process happened to free before, so
that equal calls in two processes can differ by tens of per cent (mallopt(3): M_MMAP_THRESHOLD and M_TRIM_THRESHOLD).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import platform

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: Blocks below so many bytes come from the heap; its unused end is given back above so many.
_BLOCK, _HEAP = 2**30, 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, for its next blocks.

    Returns:
        Whether the C library is one that can be told.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(ctypes.util.find_library("c") or "libc.so.6")
    return bool(library.mallopt(_MMAP_THRESHOLD, _BLOCK) and library.mallopt(_TRIM_THRESHOLD, _HEAP))
