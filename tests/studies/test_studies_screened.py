"""A search with a budget on memory: points are refused by prediction, before anything is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.fake_run import run_fake
from tests.tiny_study import SEARCH

Write = Callable[..., Path]


def test_points_that_need_too_much_are_refused_by_their_prediction(study_file: Write) -> None:
    # Optuna's samplers propose blindly; ours would not propose these points at all.
    # num_res_blocks 1 needs about 6 MiB for a training step of 8 images, 2 about 9
    narrow = {
        "skip: [concat, add]": "skip: [concat]",
        "[vanilla, linear, none]": "[none]",
        "trials: 3": "trials: 2\n  sampler: TPESampler",
    }
    path = study_file(SEARCH, **narrow, **{"budgets: {parameters: 400k}": "budgets: {train_memory: 1 MiB}"})
    run_fake(path)
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
