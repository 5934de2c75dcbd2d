"""What a whole trial costs under the harness, beyond what it costs without: a warm worker beside the bare loop.

    python benchmarks/scale/warm.py [TRIALS]

A search of a tiny U-Net on the digits is run as `ushape run` runs it, with one warm worker (`isolation: worker`): the
proposal, the database, the files, the messages to the worker and back, and there everything around the training. Then
the same architectures are built, trained, evaluated and measured by direct calls, one after another in one process with
as many threads. The difference of the wall times is the harness. The first three trials of both do not count: they
import and warm up; both set aside from garbage collection what the first has imported. Where memory is measured, a
trial predicts it too (the stage `predict`), which the bare loop does not do. On a machine that others use, wall time
says little; the CPU seconds beside it say where it goes.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

import psutil
from nobody import Nobody

from studies.driver.launch.local import LocalLauncher
from studies.driver.run import run_study
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.study.execution import Run
from studies.study.load import load_study

STUDY = """
version: 1
name: warm
base: {name: tiny, unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1,
  resolution: 8}}
protocol: {data: digits, train: {steps: 20, batch: 8}, evaluate: {images: 16}, seeds: 1}
measure: {device: cpu, threads: 1, latency: false, memory: MEMORY}
search:
  space:
    ch: [16, 32, 48, 64]
    ch_mult: {choice: [1, 2], per_level: true}
    attn_resolutions: {subset: [8, 4]}
    attn_type: [vanilla, linear]
    skip: [concat, add]
    dropout: {float: [0.0, 0.3]}
  objectives: [loss, parameters]
  trials: TRIALS
run: {workers: 1, isolation: worker}
"""
#: Trials that only warm up.
WARMUP = 3


class Clock(Nobody):
    """An observer that notes when each training ended, and the CPU time of driver and workers until then."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float, float]] = []

    def ended(self, record: TrialRecord) -> None:
        if record.status != "finished":
            return  # refused: its cost is in the time until the next training ends
        worker = sum(sum(child.cpu_times()[:2]) for child in psutil.Process().children())
        self.ends.append((time.perf_counter(), time.process_time(), worker))


def harness(path: Path) -> list[tuple[float, float, float]]:
    """(wall seconds, CPU seconds of the driver, of the worker) of each trial of a search, without the first ones."""
    study, clock = load_study(path), Clock()

    @contextmanager
    def start(run: Run, place: Path) -> Iterator[LocalLauncher]:
        with LocalLauncher.of(run, place) as launcher:
            yield launcher

    run_study(study, study.folder, clock, start=start)
    ends = clock.ends[WARMUP - 1 :]
    return [(after[0] - before[0], after[1] - before[1], after[2] - before[2]) for before, after in pairwise(ends)]


def trained(store: Store) -> list[TrialRecord]:
    """The records of what was trained."""
    return [record for record in store.records("search") if record.status == "finished"]


def bare(path: Path) -> list[tuple[float, float]]:
    """(wall, CPU seconds) of building, training, evaluating and measuring the same architectures, one by one."""
    import torch

    from archspec import from_document
    from builder import assemble, initialise
    from studies.measure.device import pin
    from studies.measure.network import measure_network
    from studies.training.data.dataset import load
    from studies.training.quality import denoising_loss, evaluation_set
    from studies.training.train import TrainingStep, fit

    study = load_study(path)
    store, protocol, measure = Store(study.folder), study.protocol, study.file.measure
    documents = store.architectures()
    graphs = [from_document(documents[str(record.fingerprint)]) for record in trained(store)]
    device, data = torch.device("cpu"), load(protocol.data)
    pin(measure.threads)
    found = []
    for graph in graphs:
        if len(found) == 1:  # as a worker does after its first trial
            gc.collect()
            gc.freeze()
        began = time.perf_counter(), time.process_time()
        module = assemble(graph)
        initialise(module, study.search_seed)
        step = TrainingStep(module, protocol, device)
        fit(step, data.train, protocol, study.search_seed, lambda number, loss: None)
        chosen = evaluation_set(data, protocol.evaluate, protocol.objective)
        denoising_loss(step.evaluated, chosen, protocol.objective, protocol.evaluate.batch, device)
        measure_network(module, tuple(data.train.shape[1:]), protocol, measure, None)
        found.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return found[WARMUP:]


def compare(trials: int, *, memory: bool) -> None:
    """Print one line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.yaml")
        text = STUDY.replace("TRIALS", str(trials)).replace("MEMORY", str(memory).lower())
        path.write_text(text, encoding="utf-8")
        ours = harness(path)
        command = [sys.executable, __file__, "--bare", str(path)]
        done = subprocess.run(command, env=os.environ, stdout=subprocess.PIPE, text=True, check=True)
        alone: list[list[float]] = json.loads(done.stdout.splitlines()[-1])
        seconds = [record.detail["seconds"] for record in trained(Store(load_study(path).folder))][WARMUP:]
    wall, driver, worker = (1e3 * mean(one[index] for one in ours) for index in range(3))
    by_hand, cpu = (1e3 * mean(one[index] for one in alone) for index in range(2))
    middle = 1e3 * (median(one[0] for one in ours) - median(one[0] for one in alone))
    print(
        f"memory {'measured' if memory else 'not measured'}, {len(ours)} trials: {wall:.0f} ms a trial, bare "
        f"{by_hand:.0f} ms, so the harness {wall - by_hand:.0f} ms (of the medians {middle:.0f} ms); CPU: driver "
        f"{driver:.0f}, worker {worker:.0f}, bare {cpu:.0f} ms"
    )
    stages: dict[str, Any] = {stage: 1e3 * mean(one.get(stage, 0.0) for one in seconds) for stage in seconds[0]}
    print("  stages in the worker: " + ", ".join(f"{stage} {ms:.0f} ms" for stage, ms in stages.items()))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        print(json.dumps(bare(Path(sys.argv[2]))))
    else:
        for memory in (False, True):
            compare(int(sys.argv[1]) if len(sys.argv) > 1 else 40, memory=memory)
