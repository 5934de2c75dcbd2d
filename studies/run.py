"""Run a study to its end, from wherever it was: one driver, one worker, every trial recorded."""

from __future__ import annotations

from pathlib import Path

from studies.data.sources import check_fits
from studies.driver import Driver
from studies.locks import sole_driver
from studies.observe import Observer
from studies.resume import refuse_changes
from studies.store import Store
from studies.study import Study
from studies.worker import Preparation, Worker


def run_study(study: Study, folder: Path, observer: Observer, *, retry_failed: bool = False) -> None:
    """Run what is not there yet; returns when the ablation is complete and the search's budget is used up.

    Args:
        study: what to run.
        folder: where its results lie or will lie.
        observer: told what happens.
        retry_failed: run failed trials of the ablation again.

    Raises:
        UserError: the data do not fit the base, the device is not there, another driver runs, or the file changed in
            what must not change.
        KeyboardInterrupt: passed on after the running trial is recorded as interrupted.
    """
    check_fits(study.base, study.protocol.data)
    with sole_driver(folder), Worker(folder / "worker.log") as worker:
        worker.prepare(Preparation(device=study.file.measure.device, data=study.protocol.data))
        storage = study.file.run.storage
        storage = None if storage is None else storage.resolved(study.path.parent.absolute())
        store = Store(folder, study.name, create=True, storage=storage)
        refuse_changes(store.remembered_study(), study)
        driver = Driver(study, store, worker, observer)
        interrupted = driver.settle()
        if interrupted:
            observer.said(f"{interrupted} trial(s) were under way when the last run stopped; they run again.")
        try:
            driver.ablation(retry_failed=retry_failed)
            driver.search()
        except KeyboardInterrupt:
            driver.settle()
            raise
