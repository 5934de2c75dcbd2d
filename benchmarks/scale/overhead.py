"""What the harness costs for each trial beyond its training: ledger, database, files, the loop; and what a search adds.

    python benchmarks/scale/overhead.py [TRIALS]

The launcher answers at once, so all that is counted is the driver's. CPU seconds, since they hold on a shared machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nobody import Nobody

from studies.driver.run import run_study
from studies.study.execution import Run
from studies.study.load import load_study
from studies.trial.job import Job, Outcome, Progress
from studies.trial.preparation import Preparation

BASE = """
version: 1
name: bare
base: {name: tiny, unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1,
  resolution: 8}}
measure: {device: cpu, threads: 1, latency: false, memory: false}
"""
ABLATION = "protocol: {data: digits, seeds: SEEDS}\nablation: {variants: {add: [{unet: {skip: add}}]}}\n"
SEARCH = """protocol: {data: digits, seeds: 1}
search: {space: {dropout: {float: [0.0, 0.5]}, ch: [32, 64]}, objectives: [loss, parameters], trials: TRIALS}
"""


class AtOnce:
    """A launcher whose trials are over when they are begun."""

    def __init__(self) -> None:
        self.over: deque[tuple[int, Outcome]] = deque()
        self.begun = 0

    def prepare(self, preparation: Preparation) -> None: ...

    def room(self) -> bool:
        return not self.over

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        self.begun += 1
        curve = tuple((step, 0.5) for step in range(50))
        outcome = Outcome(
            status="finished", reason=None, metrics={"loss": 1 / self.begun, "parameters": 1.0}, detail={},
            curve=curve, environment={}, data={}, wall=0.0,
        )  # fmt: skip
        self.over.append((self.begun, outcome))
        return self.begun

    def wait(self) -> tuple[int, Outcome]:
        return self.over.popleft()


def cost(question: str) -> float:
    """CPU seconds of the driver for each trial."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "study.yaml")
        path.write_text(BASE + question, encoding="utf-8")
        study, launcher = load_study(path), AtOnce()

        @contextmanager
        def start(run: Run, place: Path) -> Iterator[AtOnce]:
            yield launcher

        began = time.process_time()
        run_study(study, study.folder, Nobody(), start=start)
        return (time.process_time() - began) / launcher.begun


if __name__ == "__main__":
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    print(f"ablation: {1e3 * cost(ABLATION.replace('SEEDS', str(trials // 2))):.1f} ms a trial over {trials}")
    print(f"search:   {1e3 * cost(SEARCH.replace('TRIALS', str(trials))):.1f} ms a trial over {trials} (TPE included)")
