"""Predicted against measured peak memory: ``python benchmarks/memory/cpu.py`` writes the table.

Each architecture of the zoo at reduced width, and random ones (``--random 36``), for inference and a training step.
Predicted on the meta device, by rule (static) and with each operation run once alone (calibrated); measured by the
record of torch's own allocator while the network really runs. Seconds are of this process's CPU time.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from itertools import chain, islice
from pathlib import Path
from typing import Any

# Not this folder: torch would find cuda.py here when it looks for NVIDIA's package `cuda`.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from benchmarks.memory.architectures import Case, random_cases, zoo_cases
from benchmarks.memory.real import measured_peaks
from builder.profile.calibrate import by_measurement
from builder.profile.options import ProfileOptions
from builder.profile.step import inference_trace, training_trace
from builder.profile.timeline import peak_of
from builder.profile.workspace import by_rule

MIB = 2**20
NUMBERS = ("batch", "measured", "static", "calibrated")
COLUMNS = (
    "architecture", "batch", "call", "measured", "static", "static_error", "calibrated", "calibrated_error",
    "static_seconds", "calibrated_seconds", "peak_at",
)  # fmt: skip


def rows_of(case: Case) -> list[dict[str, Any]]:
    options = ProfileOptions(batch=case.batch)
    measured = measured_peaks(case.graph, case.batch)
    rows = []
    for call, trace_of in (("inference", inference_trace), ("training", training_trace)):
        start = time.process_time()
        trace = trace_of(case.graph, options)
        static = peak_of(trace, by_rule(trace, "cpu")).nbytes
        between = time.process_time()
        peak = peak_of(trace, by_measurement(trace, "cpu")[0])
        real = measured[call]
        rows.append(
            {
                "architecture": case.name, "batch": case.batch, "call": call, "measured": real, "static": static,
                "static_error": f"{static / real - 1:.6%}", "calibrated": peak.nbytes,
                "calibrated_error": f"{peak.nbytes / real - 1:.6%}",
                "static_seconds": f"{between - start:.2f}",
                "calibrated_seconds": f"{time.process_time() - between:.2f}",
                "peak_at": f"{peak.phase} {peak.node} {peak.operation}",
            }
        )  # fmt: skip
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    static = [abs(row["static"] - row["measured"]) <= max(0.01 * row["measured"], 2 * MIB) for row in rows]
    calibrated = [abs(row["calibrated"] / row["measured"] - 1) for row in rows]
    return (
        f"{len(rows)} peaks: static within max(1 %, 2 MiB) in {sum(static)} ({sum(static) / len(rows):.1%}), "
        f"calibrated within 0.1 % in {sum(e <= 0.001 for e in calibrated)}, worst {max(calibrated):.4%}"
    )


def read(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{**row, **{name: int(row[name]) for name in NUMBERS}} for row in csv.DictReader(file)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=36, help="how many random architectures")
    parser.add_argument("--seed", type=int, default=0, help="of the random ones")
    parser.add_argument("--no-zoo", action="store_true", help="random ones only")
    parser.add_argument("--share", default="1/1", help="2/4: every fourth architecture from the second on")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "cpu.csv")
    parser.add_argument("--join", type=Path, nargs="+", help="only put tables together that are there")
    asked = parser.parse_args()
    if asked.join:  # of several shares: also put together
        rows = [row for path in asked.join for row in read(path)]
        write(asked.out, rows)
        print(summary(rows))
        return
    torch.set_num_threads(1)
    first, shares = map(int, asked.share.split("/"))
    with asked.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        cases = chain(() if asked.no_zoo else zoo_cases(), random_cases(asked.random, asked.seed))
        for case in islice(cases, first - 1, None, shares):
            writer.writerows(rows_of(case))
            file.flush()
    print(summary(read(asked.out)))


if __name__ == "__main__":
    main()
