"""Whether a study is whole: nothing lost, nothing twice, nothing left running, the budget met exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.trial import TrialState

from studies.records.record import TRAINED, TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from tests.tiny_study import ABLATION

Write = Callable[..., Path]


def with_run(write: Write, *parts: str, run: str, seeds: int = 4) -> Path:
    return write(ABLATION, *parts, f"run: {run}\n", **{"seeds: 2": f"seeds: {seeds}"})


def ablation(path: Path) -> list[TrialRecord]:
    return Store(load_study(path).folder).records("ablation")


def check_whole(path: Path, seeds: int, trials: int = 0) -> None:
    """Every cell has one result, the search its budget, and nothing is left open."""
    folder = load_study(path).folder
    store = Store(folder)
    done = [r for r in store.records("ablation") if r.status == "finished"]
    cells = Counter((r.variant, r.seed) for r in done)
    assert cells == Counter({(v, s): 1 for v in ("base", "no attention") for s in range(seeds)})
    if trials:
        assert sum(record.status in TRAINED for record in store.records("search")) == trials
        finished = [*done, *(r for r in store.records("search") if r.status == "finished")]
        assert max(Counter((r.fingerprint, r.seed) for r in finished).values()) == 1
    for part in store.parts():
        states = {trial.state for trial in optuna_trials(folder, part)}
        assert states <= {TrialState.COMPLETE, TrialState.FAIL}
        assert all(r.reason for r in store.records(part) if r.status not in ("finished", "replayed"))


def optuna_trials(folder: Path, part: str) -> list[optuna.trial.FrozenTrial]:
    return optuna.load_study(study_name=f"tiny/{part}", storage=f"sqlite:///{folder / 'study.db'}").trials
