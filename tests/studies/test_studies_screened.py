"""A search with a budget on memory: points are refused by prediction, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studies.driver.run import run_study
from studies.records.record import Part, TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from studies.trial.job import Progress
from tests.tiny_study import SEARCH

Write = Callable[..., Path]


class Silent:
    """An observer that does not look."""

    def planned(self, part: Part, done: int, total: int) -> None: ...

    def began(self, record: TrialRecord) -> None: ...

    def progressed(self, record: TrialRecord, progress: Progress) -> None: ...

    def ended(self, record: TrialRecord) -> None: ...

    def said(self, text: str) -> None: ...


def test_points_that_need_too_much_are_refused_by_their_prediction(study_file: Write) -> None:
    # Optuna's samplers propose blindly; ours would not propose these points at all.
    # num_res_blocks 1 needs about 6 MiB for a training step of 8 images, 2 about 9
    narrow = {
        "skip: [concat, add]": "skip: [concat]",
        "[vanilla, linear, none]": "[none]",
        "trials: 3": "trials: 2\n  sampler: TPESampler",
    }
    path = study_file(SEARCH, **narrow, **{"budgets: {parameters: 400k}": "budgets: {train_memory: 1 MiB}"})
    run_study(load_study(path), load_study(path).folder, Silent())
    records = Store(load_study(path).folder).records("search")
    assert {record.params["num_res_blocks"] for record in records} == {1, 2}
    for record in records:
        assert record.status == "refused"
        predicted = record.metrics["predicted_train_memory"]
        assert record.violations["train_memory"] == predicted / 2**20 - 1
        assert record.reason is not None
        assert record.reason.startswith(f"train_memory is predicted as {predicted / 2**20:.4g} MiB, +")
        assert record.reason.endswith("over its budget of 1 MiB, more than the prediction's margin of 2 MiB")
        assert "train_memory" not in record.metrics
