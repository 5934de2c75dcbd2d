"""How far latencies repeat: the absolute median against the ratio, in fresh processes, with and without other load.

    python -m benchmarks.measurement.repeatability            # about 25 minutes on two quiet cores
    python -m benchmarks.measurement.repeatability --quick    # about 4 minutes

Three tables, as text on standard output and as CSV with `--out FOLDER`:

1. *Spread*: fresh processes, one after another, each measures the same network. CV (standard deviation by mean) and
   max/min - 1 of the absolute median and of the ratio to the reference network.
2. *A/A*: a network raced against itself. Share of the 95 % intervals of the ratio that contain 1; a run with too few
   rounds in its time has no interval.
3. *Cost*: seconds that measuring adds to a trial that measures in its own process, as studies do by default.

The load is one process that convolves without end on one thread. The load average stands beside each row; rows called
quiet are only as quiet as it says.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from archspec import build, loads, to_document
from studies.measure.apart import Apart, found_apart, taken_apart
from studies.measure.latency import summary
from studies.sections.protocol import Measure, Protocol

SPEC = """
version: 1
name: {name}
unet: {{ch: {ch}, out_ch: {c}, ch_mult: {mult}, num_res_blocks: {blocks}, attn_resolutions: [{attn}], in_channels: {c},
  resolution: {size}}}
"""
NETWORKS = {
    "digits, 8x8": {"ch": 32, "c": 1, "mult": [1, 2], "blocks": 1, "attn": 4, "size": 8},
    "images, 32x32": {"ch": 32, "c": 3, "mult": [1, 2, 2], "blocks": 1, "attn": 8, "size": 32},
}
LOAD = """
import torch
torch.set_num_threads(1)
layer, x = torch.nn.Conv2d(32, 32, 3, padding=1), torch.randn(8, 32, 64, 64)
with torch.no_grad():
    while True:
        layer(x)
"""
Row = dict[str, Any]


def document(network: str) -> dict[str, Any]:
    text = SPEC.format(name=network.split(",", maxsplit=1)[0], **NETWORKS[network])
    return to_document(build(loads(text)))


def measure(seconds: float) -> Measure:
    return Measure(device="cpu", threads=1, memory=False, max_seconds=seconds, repeats=0)


@contextmanager
def load(processes: int) -> Iterator[None]:
    """So many busy processes beside."""
    running = [subprocess.Popen([sys.executable, "-c", LOAD]) for _ in range(processes)]
    try:
        time.sleep(5.0 if running else 0.0)
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def cv(values: list[float]) -> float:
    return float(np.std(values, ddof=1) / np.mean(values))


def spread(network: str, beside: int, processes: int, seconds: float) -> list[Row]:
    """One row for inference and one for a training step."""
    job = Apart(what="network", documents=(document(network),), protocol=Protocol(), measure=measure(seconds))
    loads_seen, found = [], []
    with load(beside):
        for _ in range(processes):
            found.append(found_apart(job))
            loads_seen.append(os.getloadavg()[0])
    rows = []
    for name in ("latency", "train_latency"):
        latencies = [summary([one.latency[name]], 8) for one in found]
        medians, ratios = [one.median for one in latencies], [one.ratio for one in latencies]
        rows.append(
            {
                "network": network, "call": name, "beside": beside, "load": round(float(np.mean(loads_seen)), 1),
                "processes": processes, "median_ms": round(float(np.median(medians)) * 1e3, 2),
                "cv_absolute": cv(medians), "range_absolute": max(medians) / min(medians) - 1,
                "cv_ratio": cv(ratios), "range_ratio": max(ratios) / min(ratios) - 1,
                "without_interval": sum(one.ratio_interval is None for one in latencies),
                "disturbed": sum(bool(one.disturbed) for one in latencies),
            }
        )  # fmt: skip
    return rows


def same(network: str, beside: int, runs: int, processes: int, seconds: float) -> Row:
    """A network raced against itself."""
    one = document(network)
    job = Apart(what="race", documents=(one, one), protocol=Protocol(), measure=measure(seconds))
    contained, widths, ratios, loads_seen = 0, [], [], []
    with load(beside):
        for _ in range(runs):
            taken = [taken_apart(job) for _ in range(processes)]
            latency = summary(taken, 8, own_process=False)
            loads_seen.append(os.getloadavg()[0])
            ratios.append(latency.ratio)
            if latency.ratio_interval is not None:
                low, high = latency.ratio_interval
                contained += low <= 1 <= high
                widths.append((high - low) / 2)
    return {
        "network": network, "beside": beside, "load": round(float(np.mean(loads_seen)), 1), "runs": runs,
        "processes_per_run": processes, "with_interval": len(widths),
        "contain_1": contained / len(widths) if widths else None, "cv_ratio": cv(ratios),
        "median_half_width": float(np.median(widths)) if widths else None,
    }  # fmt: skip


def cost(network: str) -> Row:
    """What the defaults add to a trial, in the process that trained."""
    import torch

    from studies.measure.device import pin
    from studies.measure.network import built, image_shape, measure_network

    pin(1)
    one = document(network)
    module = built(one, 0, torch.device("cpu"))
    rows: Row = {"network": network}
    for name, how in {
        "latency_s": Measure(device="cpu", memory=False), "memory_s": Measure(device="cpu", latency=False),
    }.items():  # fmt: skip
        start = time.perf_counter()
        measure_network(module, image_shape(one), Protocol(), how, None)
        rows[name] = time.perf_counter() - start
    start = time.perf_counter()
    found_apart(Apart(what="network", documents=(one,), protocol=Protocol(), measure=Measure(device="cpu")))
    rows["both_in_a_fresh_process_s"] = time.perf_counter() - start
    rows["load"] = round(os.getloadavg()[0], 1)
    return rows


def shown(title: str, rows: list[Row], out: Path | None) -> None:
    print(f"\n{title}\n")
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        print("| " + " | ".join(_text(name, value) for name, value in row.items()) + " |", flush=True)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        with (out / f"{title.split(':', maxsplit=1)[0].replace('/', '').lower()}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def _text(name: str, value: Any) -> str:
    if name.startswith(("cv", "range", "contain", "median_half")) and value is not None:
        return f"{value:.2%}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="one network, fewer processes and runs, A/A in one process a run"
    )
    parser.add_argument("--out", type=Path, help="folder for the tables as CSV")
    parser.add_argument("--processes", type=int, help="fresh processes a row; default 10, or 5 if quick")
    parser.add_argument("--runs", type=int, help="A/A runs a row; default 20, or 6 if quick")
    options = parser.parse_args()
    networks = list(NETWORKS)[: 1 if options.quick else None]
    processes, runs = options.processes or (5 if options.quick else 10), options.runs or (6 if options.quick else 20)
    seconds = 2.0 if options.quick else 4.0
    print(
        f"load average at the start {os.getloadavg()[0]:.1f}; {os.cpu_count()} cores; {seconds:g} s of rounds at most"
    )
    rows = [row for n in networks for beside in (0, 1) for row in spread(n, beside, processes, seconds)]
    shown("Spread: fresh processes", rows, options.out)
    per_run = (1,) if options.quick else (1, 3)
    identical = [same(networks[0], beside, runs, per, seconds) for beside in (0, 1) for per in per_run]
    shown("A/A: a network against itself", identical, options.out)
    shown("Cost: seconds per trial", [cost(network) for network in networks], options.out)


if __name__ == "__main__":
    main()
