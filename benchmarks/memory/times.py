"""How long predictions take: ``python benchmarks/memory/times.py`` prints seconds of this process's CPU time.

The first prediction of a process also imports what torch's meta kernels need.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

# Not this folder: torch would find cuda.py here when it looks for NVIDIA's package `cuda`.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[2]))

from archspec import build, load
from builder.profile import ProfileOptions, predict


def main() -> None:
    calls: tuple[Any, ...] = ("inference", "training")
    for name, batch in (("ddpm-cifar10", 8), ("sd15", 1), ("sdxl-base", 1)):
        graph = build(load(f"zoo/{name}"))
        for call in calls:
            seconds = []
            for _ in range(3):
                start = time.process_time()
                memory = predict(graph, call, ProfileOptions(batch=batch)).memory
                seconds.append(time.process_time() - start)
            first, *warm = seconds
            peak = f"{memory / 2**20:10.2f} MiB"
            print(f"{name:13} batch {batch} {call:9} {peak}  first {first:.2f} s, warm {min(warm):.2f} s")


if __name__ == "__main__":
    main()
