"""Feasible hypervolume against trainings: ours, Optuna's samplers as they come, and random.

    python benchmarks/search/compare.py table|synthetic [--seeds 10] [--trainings 100] [--out FILE] [METHOD …]

Each method sees one run of a problem for each seed. A training is what would have to be trained: for Optuna's
samplers as they come every trial is one, also a point that they have proposed before; for those marked `+ replay`
what is known already and what the budgets refuse beforehand costs nothing, and a search ends after as many proposals
in a row that lead to no training as under `ushape run`. Keeps
(``digits.csv``, ``synthetic.csv``) the share of the true hypervolume after each training; ``summary.py`` makes the
tables.
"""

from __future__ import annotations

import argparse
import csv
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from problems import PROBLEMS, Problem

from search import optuna_bridge as bridge
from search import samplers
from search.candidate import Candidate
from search.hypervolume import hypervolume
from search.pool import Pool
from search.space import fill
from search.surrogate import Surrogate
from studies.driver.searching import MAX_IDLE

HERE = Path(__file__).parent


@dataclass
class Run:
    """Shares of the true hypervolume after each training."""

    problem: Problem
    trainings: int
    true: float

    def __post_init__(self) -> None:
        self.values: list[list[float]] = []
        self.shares: list[float] = []

    @property
    def over(self) -> bool:
        return len(self.shares) >= self.trainings

    def trained(self, found: dict[str, float]) -> None:
        if self.problem.is_feasible(found):
            self.values.append(self.problem.values(found))
        volume = hypervolume(np.array(self.values), self.problem.reference) if self.values else 0.0
        self.shares.append(volume / self.true)

    def give_up(self) -> None:
        """Nothing new is found any more: the trainings that are left would change nothing."""
        while not self.over:
            self.shares.append(self.shares[-1])


def with_optuna(name: str, options: dict[str, Any], *, replay: bool) -> Callable[[Run, int], None]:
    """A sampler of Optuna's: as it comes, or with known points replayed and refused ones not trained."""

    def go(run: Run, seed: int) -> None:
        problem = run.problem
        with bridge.quiet():
            study = optuna.create_study(
                directions=["minimize"] * len(problem.objectives), sampler=bridge.make_sampler(name, options, seed)
            )
        known: dict[str, dict[str, float]] = {}
        idle = 0
        while not run.over and idle < MAX_IDLE:
            trial, chosen = bridge.ask(study, lambda choose: fill(problem.space, problem.levels, choose))
            mark = problem.mark(chosen)
            refused = problem.refuses(chosen)
            if mark is None or (replay and refused):
                found = None if mark is None else problem.beforehand(chosen)
                idle += 1
                if not replay:
                    run.trained({})
            else:
                found = problem.train(chosen, seed)
                if not (replay and mark in known):
                    run.trained(found)
                    idle = 0
                else:
                    idle += 1
                known[mark] = found
            excess = problem.violations(found) if found else {}
            constraints = {"rules": float(mark is None), **{n: excess.get(n, 0.0) for n in problem.limits}}
            bridge.tell(trial, [(found or {}).get(n) for n in problem.objectives], constraints)
        run.give_up()

    return go


def ours(options: dict[str, Any]) -> Callable[[Run, int], None]:
    """The search's own sampler, one point after another."""

    def go(run: Run, seed: int) -> None:
        problem = run.problem
        primitives = problem.primitives
        chosen_by = samplers.choose(
            samplers.KNOWN_COST, options, len(problem.objectives), len(primitives), run.trainings
        )
        pool = Pool(problem.space, problem.levels, problem.judge, seed)
        surrogate = Surrogate(
            primitives, dict.fromkeys(problem.objectives, 1.0), problem.limits, chosen_by.options["startup"], seed
        )
        seen: dict[str, Candidate] = {}
        pool.grow(chosen_by.options["candidates"])
        while not run.over:
            good = [dict(one.chosen) for one in seen.values() if one.found and problem.is_feasible(dict(one.found))]
            pool.grow(chosen_by.options["grow"], _front(problem, good, seed) if good else [])
            candidates = pool.new(seen)
            if not candidates:
                run.give_up()
                return
            one = candidates[surrogate.pick(candidates, list(seen.values()))]
            found = problem.train(dict(one.chosen), seed)
            run.trained(found)
            mark = problem.mark(dict(one.chosen))
            assert mark is not None
            seen[mark] = Candidate(one.chosen, one.known, found)

    return go


def _front(problem: Problem, good: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    from search.hypervolume import front_of

    marked = front_of(np.array([problem.values(problem.train(chosen, seed)) for chosen in good]))
    return [chosen for chosen, best in zip(good, marked, strict=True) if best]


METHODS: dict[str, Callable[[Run, int], None]] = {
    "ushape KnownCostSampler": ours({}),
    "Optuna TPE": with_optuna("TPESampler", {}, replay=False),
    "Optuna NSGA-II": with_optuna("NSGAIISampler", {}, replay=False),
    "Optuna GP": with_optuna("GPSampler", {}, replay=False),
    "random": with_optuna("RandomSampler", {}, replay=False),
    "Optuna TPE + replay": with_optuna("TPESampler", {}, replay=True),
    "TPE multivariate + replay": with_optuna(
        "TPESampler", {"multivariate": True, "group": True, "constant_liar": True}, replay=True
    ),
    "random + replay": with_optuna("RandomSampler", {}, replay=True),
}


def kept(out: Path) -> dict[str, list[str]]:
    """The rows of a file of curves, by method and seed."""
    if not out.exists():
        return {}
    with out.open(newline="") as file:
        return {f"{row[0]}#{row[1]}": row for row in list(csv.reader(file))[1:]}


def keep(out: Path, rows: dict[str, list[str]], length: int) -> None:
    """Write them down; a curve may be shorter than the longest."""
    with out.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["method", "seed", "cpu_seconds_each", *range(1, max(length, *map(_length, rows.values())) + 1)]
        )
        writer.writerows(rows.values())


def _length(row: list[str]) -> int:
    return len(row) - 3


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=", ".join(METHODS))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--trainings", type=int, default=100)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    seeds, trainings, wanted = asked.seeds, asked.trainings, asked.methods or list(METHODS)
    out = asked.out or HERE / {"table": "digits.csv", "synthetic": "synthetic.csv"}[asked.problem]
    rows = kept(out)
    for name in wanted:
        for seed in range(seeds):
            random.seed(seed)
            np.random.seed(seed)
            problem = PROBLEMS[asked.problem](seed)
            run = Run(problem, trainings, problem.true_hypervolume())
            start = time.process_time()
            METHODS[name](run, seed)
            spent = time.process_time() - start
            shares = [f"{share:.4f}" for share in run.shares[:trainings]]
            rows[f"{name}#{seed}"] = [name, str(seed), f"{spent / trainings:.3f}", *shares]
            print(f"{name} seed {seed}: {shares[-1]} of the true hypervolume, {spent:.1f} CPU s", flush=True)
            keep(out, rows, trainings)


if __name__ == "__main__":
    main()
