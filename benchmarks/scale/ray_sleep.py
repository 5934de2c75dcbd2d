"""How busy many workers are that Ray runs on this machine, with trials that sleep.

    python benchmarks/scale/ray_sleep.py [WORKERS] [TRIALS] [SECONDS] [worker|trial]

The driver is the real one, with its database, its loop and its launcher, over a real local Ray; only the trials sleep,
between half and one and a half times SECONDS, and import no torch. `worker` keeps a process warm for many trials,
`trial` gives each a new one (the default of `launch: ray`). Ray is told that the machine has as many CPUs as there are
workers. Busy is the share of the workers' time that their trials sleep: of the whole run, from the first submission to
the last end, and of the time between, from when all workers have begun until the last trial has been submitted.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nobody import Nobody

from studies.driver.launch.on_ray import RayLauncher
from studies.driver.run import run_study
from studies.records.store import Store
from studies.study.execution import Run
from studies.study.load import load_study
from studies.trial.job import Job, Outcome

STUDY = """
version: 1
name: sleeping
base: {name: tiny, unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1,
  resolution: 8}}
protocol: {data: digits, seeds: SEEDS}
measure: {device: cpu, threads: 1, latency: false, memory: false}
ablation: {variants: {add: [{unet: {skip: add}}]}}
run: {launch: ray, workers: WORKERS, isolation: ISOLATION}
"""


class Sleeps:
    """A trial that sleeps for a time of its own."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, job: Job) -> Outcome:
        began = time.time()
        draw = random.Random(f"{job.seed} {job.document['name']}")
        time.sleep(self.seconds * draw.uniform(0.5, 1.5))
        used = psutil.Process().memory_full_info()
        detail = {"slept": [began, time.time()], "pid": os.getpid(), "own": used.uss, "torch": "torch" in sys.modules}
        return Outcome(
            status="finished", reason=None, metrics={"loss": 1.0}, detail=detail, curve=(), environment={}, data={},
            wall=self.seconds,
        )  # fmt: skip


def fit(preparation: str) -> str | None:
    """Every study can be run."""
    del preparation
    return None


class Timed(RayLauncher):
    """The launcher, noting when it was given each job."""

    def submit(self, job: Job, on_progress: Any) -> int:
        self.submitted.append(time.time())
        return super().submit(job, on_progress)

    submitted: list[float]


def slept(workers: int, trials: int, seconds: float, isolation: str) -> tuple[list[float], list[dict[str, Any]]]:
    """(when each trial was submitted, the detail of each) of one run."""
    text = STUDY.replace("SEEDS", str(trials // 2)).replace("WORKERS", str(workers)).replace("ISOLATION", isolation)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.yaml")
        path.write_text(text, encoding="utf-8")
        study = load_study(path)
        times: list[float] = []

        @contextmanager
        def start(run: Run, place: Path) -> Iterator[RayLauncher]:
            with Timed(run, Sleeps(seconds), fit) as launcher:
                launcher.submitted = times
                yield launcher

        run_study(study, study.folder, Nobody(), start=start)
        return times, [record.detail for record in Store(study.folder).records("ablation")]


def busy(spans: list[list[float]], workers: int, since: float, until: float) -> float:
    """The share of the workers' time between two moments in which a trial sleeps."""
    inside = sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in spans)
    return inside / (workers * (until - since))


def main() -> None:
    import ray

    asked = [*sys.argv[1:], *("64", "384", "20", "worker")[len(sys.argv) - 1 :]]
    workers, trials, seconds, isolation = int(asked[0]), int(asked[1]), float(asked[2]), asked[3]
    os.environ.setdefault("RAY_worker_register_timeout_seconds", "600")
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    used = time.process_time()
    times, details = slept(workers, trials, seconds, isolation)
    used = time.process_time() - used
    spans = [detail["slept"] for detail in details]
    full = sorted(begin for begin, _ in spans)[workers - 1]
    end = max(end for _, end in spans)
    print(f"{len(spans)} trials of {0.5 * seconds:g} to {1.5 * seconds:g} s, {workers} workers, isolation: {isolation}")
    print(f"busy: {busy(spans, workers, times[0], end):.1%} of the whole run, {end - times[0]:.0f} s")
    if full < times[-1]:
        print(f"busy: {busy(spans, workers, full, times[-1]):.1%} between, {times[-1] - full:.0f} s")
    print(f"all workers had begun after {full - times[0]:.1f} s; processes: {len({d['pid'] for d in details})}")
    print(f"memory of a process's own: up to {max(d['own'] for d in details) / 2**20:.0f} MiB")
    print(
        f"torch imported: {any(d['torch'] for d in details)}; the driver: {1e3 * used / len(spans):.0f} CPU ms a trial"
    )
    ray.shutdown()


if __name__ == "__main__":
    main()
