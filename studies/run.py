"""Run a study to its end, from wherever it was: one driver, one worker, every trial recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from archspec import user_error
from studies.ablation import AblationQuestion
from studies.data.sources import check_fits
from studies.launch.local import LocalLauncher
from studies.ledger import Ledger
from studies.loop import Question, drive
from studies.observe import Observer
from studies.resume import refuse_changes
from studies.searching import SearchQuestion
from studies.store import Store
from studies.study import Study
from studies.tuning import TuningQuestion, grid
from studies.worker import Preparation


@contextmanager
def sole_driver(folder: Path) -> Iterator[None]:
    """Hold the study's lock; a second driver gets a `UserError`, a crashed one leaves no lock behind."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "driver.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise user_error(f"another `ushape run` is working on {folder}.", "Wait for it or stop it.") from None
    try:
        yield
    finally:
        lock.release()


def is_driven(folder: Path) -> bool:
    """Whether a run is working on a folder right now."""
    lock = FileLock(folder / "driver.lock")
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return True
    lock.release()
    return False


def run_study(
    study: Study,
    folder: Path,
    observer: Observer,
    *,
    retry_failed: bool = False,
    questions: Callable[[Ledger], Iterator[Question]] | None = None,
) -> None:
    """Run what is not there yet; returns when the ablation is complete and the search's budget is used up.

    Args:
        study: what to run.
        folder: where its results lie or will lie.
        observer: told what happens.
        retry_failed: run failed trials of the ablation again.
        questions: what is asked instead of the study's ablation and search.

    Raises:
        UserError: the data do not fit the base, the device is not there, another driver runs, or the file changed in
            what must not change.
        KeyboardInterrupt: passed on after the running trial is recorded as interrupted.
    """
    check_fits(study.base, study.protocol.data)
    with sole_driver(folder), LocalLauncher(folder) as launcher:
        launcher.prepare(Preparation(device=study.file.measure.device, data=study.protocol.data))
        store = Store(folder, study.name, create=True)
        refuse_changes(store.remembered_study(), study)
        ledger = Ledger(study, store, observer)
        interrupted = ledger.settle()
        if interrupted:
            observer.said(f"{interrupted} trial(s) were under way when the last run stopped; they run again.")
        try:
            asked = questions(ledger) if questions else _questions(study, ledger, retry_failed=retry_failed)
            for question in asked:
                drive(question, launcher, lambda task, progress: observer.progressed(task.begun, progress))
        except KeyboardInterrupt:
            ledger.settle()
            raise


def _questions(study: Study, ledger: Ledger, *, retry_failed: bool) -> Iterator[Question]:
    """What the study asks; each begins when the one before has ended."""
    if grid(study):
        yield TuningQuestion(study, ledger, retry_failed=retry_failed)
    if study.file.ablation is not None:
        yield AblationQuestion(study, ledger, retry_failed=retry_failed)
    if study.file.search is not None:
        yield SearchQuestion(study, study.file.search, ledger)
