"""Memory that is freed is not faulted in again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

AGAIN = """
import resource, sys
import torch
from contextlib import nullcontext
from studies.measure.allocator import freed_memory_kept
sizes = [2**20 * n for n in (64, 8, 33, 1)]
def use():
    for size in sizes:
        torch.ones(size // 4)
with freed_memory_kept() if sys.argv[1] == "kept" else nullcontext():
    use()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        use()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_the_pages_of_freed_tensors_are_used_again() -> None:
    def faults(how: str) -> int:
        return int(
            subprocess.run([sys.executable, "-c", AGAIN, how], check=True, capture_output=True, text=True).stdout
        )

    # not none, and once in eight: the system may take pages back by itself, the more so while others need them
    few = faults("free") / 4
    assert any(faults("kept") < few for _ in range(8))
