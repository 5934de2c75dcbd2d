"""How fast architectures are checked: ``python benchmarks/archspec.py`` prints what is reached on this machine.

A full check of a graph of 1,000 nodes from its text; specs in short form, checked and priced from data that is read
already, as a search does it, on one core; and the command `ushape check` from start to end. The first are seconds of
processor time, so that a busy machine does not count.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import archspec
from archspec.text.parse import Positions

SEED: dict[str, Any] = {
    "ch": 128, "out_ch": 3, "ch_mult": [1, 1, 2, 2, 4], "num_res_blocks": 2, "attn_resolutions": [16],
    "in_channels": 3, "resolution": 256,
}  # fmt: skip


def chain(nodes: int) -> str:
    """A graph of so many nodes as text: blocks in a row, every tenth an attention."""
    lines = ["version: 1", "name: long", "graph:", "  nodes:"]
    lines += ["    x: {op: input, kind: image, channels: 32, resolution: 16}"]
    middle = nodes - 2
    for index in range(middle):
        op = "attention, heads: 4" if index % 10 == 9 else "resnet_block, out: 32, conditioning: none"
        lines.append(f"    n{index}: {{op: {op}}}")
    lines += ["    y: {op: output}", "  edges:", "    - [x, n0]"]
    lines += [f"    - [n{index}, n{index + 1}]" for index in range(middle - 1)]
    return "\n".join([*lines, f"    - [n{middle - 1}, y]"]) + "\n"


def seconds(action: Callable[[], object], times: int, clock: Callable[[], float] = time.process_time) -> float:
    taken = []
    for _ in range(times):
        start = clock()
        action()
        taken.append(clock() - start)
    return min(taken)  # what else runs on the machine only adds


def short_form(number: int = 0) -> archspec.ArchGraph:
    data = {"version": 1, "name": "s", "unet": {**SEED, "ch": 128 + 32 * (number % 8)}}
    return archspec.check_data(data, Positions("s")).sound()


def main() -> None:
    text = chain(1_000)
    print(f"check of a 1,000-node graph, from text:   {seconds(lambda: archspec.check_text(text).sound(), 5):.2f} s")
    once = seconds(short_form, 200)
    print(f"short forms checked and priced:           {1 / once:.0f} a second (seed-256, {1e3 * once:.2f} ms each)")
    both = seconds(lambda: archspec.fingerprint(short_form()), 100)
    print(f"  with their fingerprint:                 {1 / both:.0f} a second")
    command = [sys.executable, "-m", "ushape", "check", "zoo/seed-256"]
    wall = seconds(lambda: subprocess.run(command, check=True, capture_output=True), 7, time.perf_counter)
    spent = seconds(lambda: subprocess.run(command, check=True, capture_output=True), 7, of_children)
    print(f"`ushape check zoo/seed-256`, whole command: {wall:.2f} s, of which the processor worked {spent:.2f} s")


def of_children() -> float:
    """Seconds of processor time that ended child processes took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
