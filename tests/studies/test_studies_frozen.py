"""Trials read by plain SQL are those that Optuna itself reads."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from benchmarks.scale.make import make
from search.optuna_bridge import quiet
from studies.records import tables
from studies.records.frozen import read_trial, read_trials
from studies.records.patience import DISK_FULL, Patience, PatientStorage
from studies.records.store import Store
from studies.study.load import load_study


def same(one: FrozenTrial, other: FrozenTrial) -> None:
    left, right = dict(vars(one)), dict(vars(other))
    assert str(left.pop("_intermediate_values", None) or left.pop("intermediate_values", None)) == str(
        right.pop("_intermediate_values", None) or right.pop("intermediate_values", None)
    )
    assert left == right
    assert list(one.params) == list(other.params)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> RDBStorage:
    """Trials of every kind, to be read only."""
    file = tmp_path_factory.mktemp("frozen") / "some.db"
    with quiet():
        storage = RDBStorage(f"sqlite:///{file}")
        study = optuna.create_study(storage=storage, directions=["minimize", "minimize"], study_name="s")
        other = optuna.create_study(storage=storage, study_name="other")
    other.tell(other.ask(), 1.0)
    space: dict[str, optuna.distributions.BaseDistribution] = {
        "b": CategoricalDistribution(["x", None, 3, True]), "a": IntDistribution(1, 64, log=True),
        "c": FloatDistribution(0.0, 1.0),
    }  # fmt: skip
    for number in range(12):
        with quiet():
            trial = study.ask(space)
        trial.set_user_attr("record", f'{{"n": {number}}}')
        trial.set_user_attr("list", [1, {"a": None}])
        trial.set_constraint("rules", float(number % 3 - 1))
        if number % 4 == 0:
            study.tell(trial, [float(number), float("inf")])
        elif number % 4 == 1:
            study.tell(trial, [float("-inf"), 0.0])
        elif number % 4 == 2:
            study.tell(trial, state=TrialState.FAIL)
    with quiet():
        study.enqueue_trial({"a": 3})
    for step, value in enumerate([0.5, float("inf"), float("-inf"), float("nan")]):
        storage.set_trial_intermediate_value(4 + 1, step, value)  # the fourth is open
    return storage


def test_they_are_the_same(storage: RDBStorage) -> None:
    study_id = storage.get_study_id_from_name("s")
    theirs = storage._get_trials(study_id, None, set(), -1)
    ours = read_trials(storage.engine, study_id, set(), -1)
    assert len(ours) == 13
    for one, other in zip(ours, theirs, strict=True):
        same(one, other)


def test_a_part_of_them_is_the_same(storage: RDBStorage) -> None:
    study_id = storage.get_study_id_from_name("s")
    theirs = storage._get_trials(study_id, None, {3, 5}, 9)
    ours = read_trials(storage.engine, study_id, {3, 5}, 9)
    assert [trial._trial_id for trial in ours] == [trial._trial_id for trial in theirs] == [3, 5, 10, 11, 12, 13, 14]
    assert read_trials(storage.engine, study_id, set(), 99) == []


def test_each_of_them_is_the_same(storage: RDBStorage) -> None:
    with quiet():
        patient = PatientStorage(str(storage.engine.url), {}, Patience("here", DISK_FULL))
    for trial_id in range(1, 15):
        found = patient.get_trial(trial_id)
        same(found, storage.get_trial(trial_id))
    assert read_trial(storage.engine, 99) is None
    with pytest.raises(KeyError):
        patient.get_trial(99)


def test_the_benchmarks_study_is_one_that_optuna_reads(tmp_path: Path) -> None:
    study = load_study(make(tmp_path, 20))
    store = Store(study.folder)
    records = store.records("search")
    assert [record.trial for record in records] == list(range(20))
    for seen, record in zip(store.glances("search"), records, strict=True):
        assert all(getattr(seen, one.name) == getattr(record, one.name) for one in dataclasses.fields(seen))
    theirs = optuna.load_study(study_name="many/search", storage=f"sqlite:///{study.folder / 'study.db'}").trials
    for one, other in zip(store.trials("search"), theirs, strict=True):
        same(one, other)
    assert theirs[3].values == [records[3].metrics["loss"], records[3].metrics["parameters"]]


#: A query that SQLite cannot answer, as those before 3.42 cannot read infinity.
BAD = "SELECT 1, 2, json_extract('{{', '$') WHERE :study <> :key AND :older <> '' --{paths}"


@pytest.mark.parametrize("query", [tables._PARTS_OF_ATTRIBUTES, BAD])
def test_glances_are_the_same_where_sqlite_cannot_read_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    study = load_study(make(tmp_path, 3))
    store = Store(study.folder)
    records = store.records("search")
    monkeypatch.setattr(tables, "_PARTS_OF_ATTRIBUTES", query)
    infinite = records[1].model_copy(update={"trial": 1, "detail": {"rungs": [[2, [float("inf")], 0.0]]}})
    with sqlite3.connect(study.folder / "study.db") as connection:
        text = json.dumps(json.dumps(infinite.model_dump(mode="python")))
        assert "Infinity" in text
        connection.execute("update trial_user_attributes set value_json = ? where trial_id = 2", (text,))
    assert [seen.metrics for seen in store.glances("search")] == [record.metrics for record in records]
