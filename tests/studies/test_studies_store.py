from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from archspec import UserError
from archspec.text.atomic import write_text
from search import optuna_bridge as bridge
from studies.frame import current, frame, load_results, progress_of
from studies.records.reader import sqlite_reader
from studies.records.record import Glance, Status, TrialRecord
from studies.records.store import Store, now


def record(
    trial: int, variant: str | None = "base", seed: int = 0, status: Status = "finished", **more: object
) -> TrialRecord:
    data = {
        "part": "ablation" if variant else "search", "trial": trial, "variant": variant, "seed": seed, "status": status,
        "fingerprint": f"f-{variant}", "protocol_hash": "p", "started": now(), **more,
    }  # fmt: skip
    return TrialRecord.model_validate(data)


def kept(store: Store, *records: TrialRecord) -> None:
    study = store.open("ablation", ["loss"])
    for one in records:
        trial = study.ask()
        store.keep(trial, one)
        bridge.tell(trial, [one.metrics.get("loss")], {})


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    store = Store(tmp_path, "s", create=True)
    one = record(0, metrics={"loss": 0.1 + 0.2}, detail={"loss_bins": [[0, 500, 0.25]]}, environment={"torch": "x"})
    kept(store, one)
    store.write_architecture("f", {"name": "n"})
    store.write_curve("ablation", 0, [(1, 0.5), (2, 0.25)])
    again = Store(tmp_path)
    assert again.name == "s"
    assert again.parts() == ["ablation"]
    assert again.records("ablation") == [one]
    assert again.architectures() == {"f": {"name": "n"}}
    assert again.curve("ablation", 0) == [(1, 0.5), (2, 0.25)]
    assert again.curve("ablation", 1) == []
    results = load_results(tmp_path)
    assert results.loss_bins == {("ablation", 0): [(0.0, 500.0, 0.25)]}
    assert results.environment == [{"torch": "x"}]


def test_a_trial_that_was_begun_is_running_and_is_left_open(tmp_path: Path) -> None:
    store = Store(tmp_path, "s", create=True)
    study = store.open("ablation", ["loss"])
    with bridge.quiet():
        trial = study.ask()
        study.ask()
    store.keep(trial, record(0, status="running"))
    assert [r.status for r in store.records("ablation")] == ["running"]
    assert [r and r.status for _, r in store.left_open("ablation")] == ["running", None]
    assert any("have not ended" in warning for warning in load_results(tmp_path).warnings)


def test_a_new_database_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    Store(tmp_path, "s", create=True)
    assert sorted(path.name for path in tmp_path.iterdir() if "study.db" in path.name) == ["study.db"]
    with pytest.raises(UserError, match="has not begun yet"):
        Store(tmp_path)
    with pytest.raises(UserError, match="has not begun yet"), sqlite_reader(tmp_path):
        pass


def test_progress_is_read_without_optuna(tmp_path: Path) -> None:
    with sqlite_reader(tmp_path) as none:
        assert none is None
    store = Store(tmp_path, "s", create=True)
    one = record(0, metrics={"loss": 0.5}, violations={"macs": 0.1}, edits=("a", "b"), detail={"long": "x" * 99})
    two = record(1, "v", 3, "failed", reason="why", fingerprint=None, metrics={"loss": float("inf")})
    kept(store, one, two)
    store.remember_study(store.load("ablation"), {"name": "s"}, "f", "name: s")
    with sqlite_reader(tmp_path) as reader:
        assert reader is not None
        assert (reader.name, reader.parts(), reader.remembered_study()) == ("s", ["ablation"], {"name": "s"})
        assert reader.glances("search") == []
        assert reader.glances("ablation") == [
            Glance(
                part="ablation", trial=0, variant="base", seed=0, status="finished", reason=None, fingerprint="f-base",
                edits=("a", "b"), metrics={"loss": 0.5}, tuned={}, started=one.started, feasible=False,
            ),
            Glance(
                part="ablation", trial=1, variant="v", seed=3, status="failed", reason="why", fingerprint=None,
                edits=(), metrics={"loss": float("inf")}, tuned={}, started=two.started, feasible=True,
            ),
        ]  # fmt: skip


@pytest.mark.parametrize("content", ["text", "foreign"])
def test_another_file_in_the_place_of_the_database_is_a_users_error(tmp_path: Path, content: str) -> None:
    database = tmp_path / "study.db"
    if content == "text":
        database.write_text("not a database, but long enough to be read as one " * 40)
    else:
        connection = sqlite3.connect(database)
        connection.execute("create table other(column_)")
        connection.close()
    with pytest.raises(UserError, match=r"study.db cannot be opened: .*Is it a study of ushape"):
        Store(tmp_path)
    with sqlite_reader(tmp_path) as reader:
        assert reader is None


def test_a_database_of_another_version_is_a_users_error(tmp_path: Path) -> None:
    Store(tmp_path, "s", create=True)
    connection = sqlite3.connect(tmp_path / "study.db")
    connection.execute("update alembic_version set version_num = 'v9.9.9.a'")
    connection.commit()
    connection.close()
    with pytest.raises(UserError, match=r"study.db cannot be opened"):
        Store(tmp_path)
    with sqlite_reader(tmp_path) as reader:
        assert reader is None


def test_a_folder_holds_one_study(tmp_path: Path) -> None:
    Store(tmp_path, "one", create=True).open("search", ["loss"])
    with pytest.raises(UserError) as refused:
        Store(tmp_path, "two", create=True)
    assert str(refused.value) == (
        f"error U090 {tmp_path} holds the results of the study `one`, not of `two`. "
        "Give this study a folder of its own (--out), or change its name back to go on there."
    )
    assert Store(tmp_path).name == "one"


def test_of_a_cell_the_last_record_counts_and_of_a_variant_its_present_architecture() -> None:
    records = [
        record(0, "base", 0, "interrupted"),
        record(1, "base", 0),
        record(2, "a", 0, fingerprint="old"),
        record(3, "a", 1, fingerprint="old"),
        record(4, "a", 0, fingerprint="new"),
        record(5, None, 0, "refused"),
    ]
    assert [r.trial for r in current(records)] == [1, 4, 5]


def test_what_is_lost(tmp_path: Path) -> None:
    store = Store(tmp_path, "s", create=True)
    kept(store, record(0, metrics={"loss": 1.0}), record(1, "a", 0, "diverged"), record(2, "b", 0, "oom"))
    progress = progress_of(tmp_path)
    assert progress.counts == {"ablation": {"finished": 1, "diverged": 1, "oom": 1}}
    assert progress.lost == progress.without_result == 2


def test_what_a_search_expects_to_diverge_is_not_lost_but_has_no_result(tmp_path: Path) -> None:
    store = Store(tmp_path, "s", create=True)
    store.open("search", ["loss"])
    kept(
        store, record(0, "a", 0, "oom"), *(record(n, None, 0, s) for n, s in enumerate(("diverged", "oom", "refused")))
    )
    progress = progress_of(tmp_path)
    assert (progress.lost, progress.without_result) == (1, 3)


def test_an_empty_frame_has_every_column() -> None:
    empty = frame([])
    assert len(empty) == 0
    assert {"part", "trial", "variant", "loss", "latency_ratio", "memory", "feasible"} <= set(empty.columns)


def test_infeasible_and_lists_in_the_frame() -> None:
    one = record(0, None, violations={"latency": 0.5}, params={"ch_mult": [1, 2], "ch": 32}, edits=("a", "b"))
    row = frame([one]).iloc[0]
    assert not row["feasible"]
    assert (row["param:ch_mult"], row["param:ch"], row["edits"]) == ("1,2", 32, "a; b")


def test_files_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    write_text(target, "first")
    with pytest.raises(UnicodeEncodeError):
        write_text(target, "\ud800")
    assert target.read_text() == "first"
    assert [path.name for path in target.parent.iterdir()] == ["file.txt"]
