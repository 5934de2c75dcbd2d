"""Run a study to its end, from wherever it was: one driver, its launcher, every trial recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from pathlib import Path

from archspec import UserError
from search.screening import Predictor
from studies.driver.ablation import AblationQuestion
from studies.driver.latency_screen import LatencyScreen
from studies.driver.launch.start import start
from studies.driver.ledger import Ledger
from studies.driver.loop import Launcher, Question, drive
from studies.driver.resume import refuse_changes
from studies.driver.tuning import TuningQuestion, grid
from studies.records.locks import sole_driver
from studies.records.store import Store, has_records
from studies.study.execution import Run
from studies.study.study import Study
from studies.training.data.sources import check_fits
from studies.trial.observe import Observer
from studies.trial.predicted import MemoryPredictor
from studies.trial.preparation import Preparation

#: Makes the launcher of a run that works in a folder.
Start = Callable[[Run, Path], AbstractContextManager[Launcher]]
#: What a run asks, one question after another.
Questions = Callable[[Ledger], Iterator[Question]]


def run_study(
    study: Study,
    folder: Path,
    observer: Observer,
    *,
    retry_failed: bool = False,
    questions: Questions | None = None,
    start: Start = start,
) -> None:
    """Run what is not there yet; returns when the ablation is complete and the search's budget is used up.

    Args:
        study: what to run, and how (`study.run`).
        folder: where its results lie or will lie.
        observer: told what happens.
        retry_failed: run failed trials of the ablation again.
        questions: what is asked instead of the study's ablation and search.
        start: makes the launcher; by default the one that the study names.

    Raises:
        UserError: the data do not fit the base, the device is not there, another driver runs, the file changed in
            what must not change, workers cannot start, or the disk is full.
        KeyboardInterrupt: passed on after the running trials are recorded as interrupted.
    """
    check_fits(study.base, study.protocol.data)
    with ExitStack() as held:
        held.enter_context(sole_driver(folder))
        # A study that is refused for its records needs no worker, and a cluster may take a minute to start; without
        # records none are made before data and device are known to be there.
        recorded = study.run.storage is not None or has_records(folder)
        launcher = None if recorded else _ready(study, folder, start, held)
        store = Store(folder, study.name, create=True, storage=study.run.storage)
        held.enter_context(store.driving(observer.said))
        refuse_changes(store, study)
        launcher = launcher or _ready(study, folder, start, held)
        ledger = Ledger(study, store, observer)
        asked = questions(ledger) if questions else _questions(study, ledger, retry_failed=retry_failed)
        _drive(asked, ledger, launcher)


def _ready(study: Study, folder: Path, start: Start, held: ExitStack) -> Launcher:
    """Workers that have said that they can run the study; `held` ends them."""
    protocol = study.protocol
    launcher = held.enter_context(start(study.run, folder))
    launcher.prepare(Preparation(device=study.file.measure.device, data=protocol.data, init=protocol.init))
    return launcher


def _drive(questions: Iterator[Question], ledger: Ledger, launcher: Launcher) -> None:
    observer = ledger.observer
    interrupted = ledger.settle()
    if interrupted:
        observer.said(f"{interrupted} trial(s) were under way when the last run stopped; they run again.")
    try:
        for question in questions:
            drive(question, launcher, lambda task, progress: observer.progressed(task.begun, progress))
    except (KeyboardInterrupt, UserError):
        with suppress(UserError):  # where there is no database, the next run does it
            ledger.settle()
        raise
    # What a server made twice, because its first answer was lost, is closed as well.
    ledger.settle()


def _questions(study: Study, ledger: Ledger, *, retry_failed: bool) -> Iterator[Question]:
    """What the study asks; each begins when the one before has ended."""
    if grid(study):
        yield TuningQuestion(study, ledger, retry_failed=retry_failed)
    if study.file.ablation is not None:
        yield AblationQuestion(study, ledger, retry_failed=retry_failed)
    if study.file.search is not None:
        # Only studies that search pay for scikit-learn.
        from studies.driver.searching import SearchQuestion

        predictor: Predictor = MemoryPredictor(study.protocol, study.file.measure)
        if study.file.search.screen_latency:
            predictor = LatencyScreen(ledger, predictor)
        with closing(SearchQuestion(study, study.file.search, ledger, predictor)) as question:
            yield question
