"""Runs a study with workers whose trials are nearly free: ``python -m tests.studies.fake_run STUDY [WORKERS]``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from archspec import UserError
from studies.driver.launch.local import LocalLauncher
from studies.driver.run import run_study
from studies.records.record import Part, TrialRecord
from studies.study.execution import Run
from studies.study.load import load_study
from studies.trial.job import Progress
from studies.trial.worker import Conditions


class Listener:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.records: list[TrialRecord] = []
        self.lines: list[str] = []

    def planned(self, part: Part, done: int, total: int) -> None: ...

    def began(self, record: TrialRecord) -> None: ...

    def progressed(self, record: TrialRecord, progress: Progress) -> None: ...

    def ended(self, record: TrialRecord) -> None:
        self.records.append(record)

    def said(self, text: str) -> None:
        self.lines.append(text)


def start(run: Run, folder: Path) -> LocalLauncher:
    conditions = Conditions(timeout=run.timeout, memory=run.memory, fresh=run.isolation == "trial")
    return LocalLauncher(folder, run.workers or 1, replace(conditions, module="tests.studies.fake_worker"))


def run_fake(path: Path, **options: bool) -> Listener:
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, start=start, **options)
    return listener


if __name__ == "__main__":
    try:
        run_fake(Path(sys.argv[1]))
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
