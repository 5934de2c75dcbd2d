"""Memory that is freed is not faulted in again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studies.measure.allocator import keep_freed_memory

AGAIN = """
import resource, sys
import torch
from studies.measure.device import pin
if sys.argv[1] == "pinned":
    pin(1)
sizes = [2**20 * n for n in (64, 8, 33, 1)]
def use():
    for size in sizes:
        torch.ones(size // 4)
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="the C library is not glibc")
def test_the_pages_of_freed_tensors_are_used_again() -> None:
    faults = {
        how: int(subprocess.run([sys.executable, "-c", AGAIN, how], check=True, capture_output=True, text=True).stdout)
        for how in ("free", "pinned")
    }
    assert faults["pinned"] < faults["free"] / 4  # not none: the system may take pages back by itself
