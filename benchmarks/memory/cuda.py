"""Validation of predicted CUDA memory where there is a GPU: ``python benchmarks/memory/cuda.py --out cuda.csv``.

Not run yet, for want of a GPU. For each architecture and arithmetic a fresh process builds the network, runs the call
twice, and reads `torch.cuda.max_memory_allocated` and `max_memory_reserved` of the second run, and the allocator's own
history (`torch.cuda.memory._record_memory_history`) of it. cuBLAS's workspace is allocated beforehand and taken off.
Then NETS random networks are scaled by their batch to a prediction of at most 90 % of the memory that is free, and
run: none may run out of it.

    python benchmarks/memory/cuda.py --random 40 --out benchmarks/memory/cuda.csv      # predicted against measured
    python benchmarks/memory/cuda.py --accept 100 --out benchmarks/memory/accepted.csv  # none runs out at 90 %
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

# Not this folder: torch would find cuda.py here when it looks for NVIDIA's package `cuda`.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).parents[2]))

import torch
from torch import nn

from archspec import from_document, to_document
from archspec.graphs.graph import input_nodes, shape_of
from benchmarks.memory.architectures import Case, random_cases, zoo_cases
from benchmarks.memory.real import Conditioned, input_like
from builder import assemble
from builder.inputs import ARGUMENTS
from builder.profile import ProfileOptions, predict
from studies.measure.calls import Measured, inference, sample_batch, training
from studies.sections.protocol import Protocol, Train

COLUMNS = (
    "architecture", "batch", "dtype", "call", "allocated", "predicted", "error", "calibrated", "calibrated_error",
    "reserved", "predicted_reserved", "reserved_error", "history_peak", "status",
)  # fmt: skip
SHARE = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=40)
    parser.add_argument("--accept", type=int, default=0, help="run so many nets at 90 %% of the memory instead")
    parser.add_argument("--out", type=Path, default=Path("cuda.csv"))
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("This needs a CUDA device, and torch sees none. Nothing was validated.")
    if asked.one is not None:
        print(json.dumps(measured(json.loads(asked.one))))
        return
    cases = accepted_cases(asked.accept) if asked.accept else chain(zoo_cases(), random_cases(asked.random))
    calls = ("training",) if asked.accept else ("inference", "training")
    with asked.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        rows = []
        for case in cases:
            for dtype in ("float32", "bfloat16"):
                for call in calls:
                    rows.append(row_of(case, dtype, call))
                    writer.writerow(rows[-1])
                    file.flush()
    print(summary(rows))


def accepted_cases(count: int) -> Any:
    """Random networks with the largest batch whose predicted *reserved* memory is at most 90 % of what is free."""
    free = torch.cuda.mem_get_info()[0]
    for case in random_cases(count):
        batch = 1
        while _predicted(replace(case, batch=2 * batch), "float32", "training").reserved <= SHARE * free:
            batch *= 2
        low, high = batch, 2 * batch
        while high - low > max(low // 32, 1):
            middle = (low + high) // 2
            fits = _predicted(replace(case, batch=middle), "float32", "training").reserved <= SHARE * free
            low, high = (middle, high) if fits else (low, middle)
        yield replace(case, batch=low)


def _options(batch: int, dtype: str) -> ProfileOptions:
    return ProfileOptions(device="cuda", batch=batch, autocast=None if dtype == "float32" else dtype)


def _predicted(case: Case, dtype: str, call: Any) -> Any:
    return predict(case.graph, call, _options(case.batch, dtype))


def row_of(case: Case, dtype: str, call: Any) -> dict[str, Any]:
    """Predicted here, measured in a process of its own."""
    static = _predicted(case, dtype, call)
    calibrated = predict(case.graph, call, _options(case.batch, dtype), calibrated=True)
    torch.cuda.empty_cache()
    task = {"document": to_document(case.graph), "batch": case.batch, "dtype": dtype, "call": call}
    command = [sys.executable, __file__, "--one", json.dumps(task)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    row = {"architecture": case.name, "batch": case.batch, "dtype": dtype, "call": call, "predicted": static.memory}
    row |= {"predicted_reserved": static.reserved, "calibrated": calibrated.memory}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["?"])[-1]
        return {**row, "status": "oom" if "OutOfMemoryError" in last else f"failed: {last}"}
    found = json.loads(done.stdout.splitlines()[-1])
    return row | found | {
        "error": f"{static.memory / found['allocated'] - 1:.4%}",
        "calibrated_error": f"{calibrated.memory / found['allocated'] - 1:.4%}",
        "reserved_error": f"{static.reserved / found['reserved'] - 1:.4%}",
        "status": "ran",
    }  # fmt: skip


def measured(task: dict[str, Any]) -> dict[str, int]:
    """Allocated, reserved and the history's peak of one call, in this process that does nothing else; bytes."""
    device = torch.device("cuda")
    workspace = _warm_up(device)
    graph = from_document(task["document"])
    protocol = Protocol(train=Train(dtype=task["dtype"]))
    given = {
        ARGUMENTS[kind]: input_like(shape_of(graph, node), task["batch"]).to(device)
        for kind, node in input_nodes(graph).items()
        if kind not in ("image", "timestep")
    }
    network: nn.Module = Conditioned(assemble(graph), given, timed="timestep" in input_nodes(graph)).to(device)
    image: Any = shape_of(graph, input_nodes(graph)["image"])
    sample = sample_batch((image.channels, image.size, image.size), task["batch"], 1000, device)
    kind = inference if task["call"] == "inference" else training
    call: Measured = kind(network, sample, protocol, device)
    call.call()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    torch.cuda.memory._record_memory_history(max_entries=1_000_000)  # noqa: SLF001 - its only name
    before = torch.cuda.memory_allocated()
    call.call()
    torch.cuda.synchronize()
    history = torch.cuda.memory._snapshot()["device_traces"][torch.cuda.current_device()]  # noqa: SLF001
    torch.cuda.memory._record_memory_history(enabled=None)  # noqa: SLF001
    return {
        "allocated": torch.cuda.max_memory_allocated() - workspace,
        "reserved": torch.cuda.max_memory_reserved(),
        "history_peak": before + _peak(history) - workspace,
    }


def _warm_up(device: torch.device) -> int:
    """Let cuBLAS take its workspace; its bytes."""
    a = torch.ones(64, 64, device=device)
    before = torch.cuda.memory_allocated()
    product = a @ a
    torch.cuda.synchronize()
    return torch.cuda.memory_allocated() - before - product.untyped_storage().nbytes()


def _peak(history: list[dict[str, Any]]) -> int:
    """The highest sum of what a trace of the allocator says was handed out and asked back."""
    live = top = 0
    for event in history:
        if event["action"] == "alloc":
            live += event["size"]
        elif event["action"] == "free_completed":
            live -= event["size"]
        top = max(top, live)
    return top


def summary(rows: list[dict[str, Any]]) -> str:
    ran = [row for row in rows if row["status"] == "ran"]
    close = sum(abs(row["predicted"] / row["allocated"] - 1) <= 0.02 for row in ran)
    out = sum(row["status"] == "oom" for row in rows)
    return f"{len(rows)} peaks: allocated within 2 % in {close} of {len(ran)}; {out} ran out of memory"


if __name__ == "__main__":
    main()
