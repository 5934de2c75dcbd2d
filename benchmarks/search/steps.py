"""Feasible hypervolume against training steps, with and without stopping trainings early.

    python benchmarks/search/steps.py [--seeds 10] [METHOD …]

The run is the real one: `studies.driver.run.run_study` with the study of ``table.yaml``, its database, its rungs and
its sampler; only the trainings are looked up in ``table.csv``, which has the loss at 12, 24, 48 and 96 steps. What
counts are architectures trained to the end. One unit of the curve is a whole training, 96 steps; a training that goes
on from its checkpoint costs the steps that are left. Keeps ``steps.csv``, of which ``summary.py`` makes the table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from compare import METHODS, Run, keep, kept
from problems import Table

from archspec import fingerprint, from_document
from studies.driver.ledger import Ledger, Task
from studies.driver.run import run_study
from studies.driver.searching import SearchQuestion
from studies.study.document import Pruning, Sampler, Search
from studies.study.load import load_study
from studies.study.study import Study
from studies.trial.job import Job, Outcome, Progress
from studies.trial.preparation import Preparation

HERE = Path(__file__).parent
#: Steps of a whole training, and how many of those a run may cost.
WHOLE, MOST = 96, 30
OWN, TPE = "KnownCostSampler", "TPESampler"


@dataclass
class FromTable:
    """A launcher whose trainings were done before; it counts what they cost."""

    problem: Table
    over: deque[tuple[int, Outcome]] = field(default_factory=deque)
    begun: int = 0
    steps: int = 0
    #: steps so far, and what the training that ended then has found, if it is whole
    ends: list[tuple[int, dict[str, float] | None]] = field(default_factory=list)

    def prepare(self, preparation: Preparation) -> None: ...

    def room(self) -> bool:
        return not self.over

    def submit(self, job: Job, on_progress: Callable[[Progress], None]) -> int:
        until = job.until or WHOLE
        before = int(job.resume.stem.rpartition("-")[2]) if job.resume is not None else 0
        if job.state is not None:
            job.state.parent.mkdir(parents=True, exist_ok=True)
            job.state.touch()
        self.begun += 1
        self.steps += until - before
        found = self.problem.at(fingerprint(from_document(job.document)), until)
        self.ends.append((self.steps, found if until == WHOLE else None))
        outcome = Outcome(
            status="finished", reason=None, metrics=found, detail={"steps": until}, curve=(), environment={}, data={},
            wall=0.0,
        )  # fmt: skip
        self.over.append((self.begun, outcome))
        return self.begun

    def wait(self) -> tuple[int, Outcome]:
        return self.over.popleft()


class Nobody:
    def planned(self, *_: object) -> None: ...

    began = progressed = ended = said = planned


@dataclass
class UntilSpent:
    """A search that begins nothing more when its steps are spent."""

    search: SearchQuestion
    launcher: FromTable

    def next(self) -> Task | None:
        return self.search.next() if self.launcher.steps < WHOLE * MOST else None

    def ahead(self) -> None:
        self.search.ahead()

    def ended(self, task: Task, outcome: Outcome) -> None:
        self.search.ended(task, outcome)


def study_of(problem: Table, seed: int, sampler: str, pruning: Pruning | None) -> Study:
    study = load_study(HERE / "table.yaml")
    assert study.file.search is not None
    # With early stops more architectures are begun than a budget of whole trainings would have.
    search = Search(
        space=study.file.search.space, objectives={"loss": "minimize", "macs": "minimize"},
        budgets={"train_memory": problem.limits["train_memory"]}, sampler=Sampler(name=sampler, seed=seed),
        trials=MOST if pruning is None else len(problem.found), seed=seed % 2, include_base=False, pruning=pruning,
    )  # fmt: skip
    return replace(study, file=study.file.model_copy(update={"search": search}))


def driven(sampler: str, pruning: Pruning | None = None) -> Callable[[Table, int], list[float]]:
    """The real driver with one of the samplers; shares of the true hypervolume after each unit of steps."""

    def go(problem: Table, seed: int) -> list[float]:
        study, launcher = study_of(problem, seed, sampler, pruning), FromTable(problem)

        @contextmanager
        def start(run: Any, place: Path) -> Iterator[FromTable]:
            yield launcher

        def questions(ledger: Ledger) -> Iterator[UntilSpent]:
            assert study.file.search is not None
            yield UntilSpent(SearchQuestion(study, study.file.search, ledger), launcher)

        with tempfile.TemporaryDirectory() as folder:
            run_study(study, Path(folder), Nobody(), questions=questions, start=start)
        return _curve(problem, launcher.ends)

    return go


def _curve(problem: Table, ends: list[tuple[int, dict[str, float] | None]]) -> list[float]:
    run = Run(problem, len(ends), problem.true_hypervolume())
    after = []
    for steps, found in ends:
        run.trained(found or {})
        after.append((steps, run.shares[-1]))
    return [max([share for steps, share in after if steps <= unit * WHOLE], default=0.0) for unit in range(1, MOST + 1)]


def whole(method: str) -> Callable[[Table, int], list[float]]:
    """A method of ``compare.py``: every training is a whole one."""

    def go(problem: Table, seed: int) -> list[float]:
        run = Run(problem, MOST, problem.true_hypervolume())
        METHODS[method](run, seed)
        return run.shares[:MOST]

    return go


BY_3, BY_2 = Pruning(rungs=(12, 24, 48)), Pruning(rungs=(12, 24, 48), eta=2)
STEPS: dict[str, Callable[[Table, int], list[float]]] = {
    "ushape": driven(OWN),
    "ushape, stopped early, eta 3": driven(OWN, BY_3),
    "ushape, stopped early, eta 2": driven(OWN, BY_2),
    "Optuna TPE": whole("Optuna TPE"),
    "TPE under ushape": driven(TPE),
    "TPE under ushape, stopped early, eta 3": driven(TPE, BY_3),
    "TPE under ushape, stopped early, eta 2": driven(TPE, BY_2),
    "random": whole("random"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(STEPS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--out", type=Path, default=HERE / "steps.csv")
    asked = parser.parse_args()
    rows = kept(asked.out)
    for name in asked.methods or list(STEPS):
        for seed in range(asked.seeds):
            start = time.process_time()
            shares = STEPS[name](Table(seed), seed)
            spent = (time.process_time() - start) / MOST
            rows[f"{name}#{seed}"] = [name, str(seed), f"{spent:.3f}", *(f"{share:.4f}" for share in shares)]
            print(f"{name} seed {seed}: {shares[-1]:.4f} of the true hypervolume, {spent:.2f} CPU s each", flush=True)
            keep(asked.out, rows, MOST)


if __name__ == "__main__":
    main()
