"""CPU seconds and peak memory until a study of many trials goes on: its file, its records, the sampler's first point.

python benchmarks/scale/make.py FOLDER 10000 && python benchmarks/scale/resume.py FOLDER/study.yaml
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from nobody import Nobody

from studies.driver.ledger import Ledger
from studies.driver.resume import refuse_changes
from studies.driver.searching import SearchQuestion
from studies.records.store import Store
from studies.study.load import load_study


def main(path: Path) -> None:
    path.write_text(path.read_text().replace("trials: 10000\n", "trials: 10001\n"))  # one more to propose
    began = time.process_time()
    study = load_study(path)
    store = Store(study.folder, study.name, create=True)
    refuse_changes(store, study)
    ledger = Ledger(study, store, Nobody())
    ledger.settle()
    assert study.file.search is not None
    task = SearchQuestion(study, study.file.search, ledger).next()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{time.process_time() - began:.1f} CPU s, peak {peak:.0f} MiB, proposes: {task is not None}")
    ledger.settle()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
