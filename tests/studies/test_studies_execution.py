from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from archspec import UserError
from studies.records.database import Storage, connector, filesystem_of
from studies.study.execution import Local, OnRay, OnSlurm, Run
from studies.study.load import check_study, load_study
from studies.trial.limits import device_environment, duration, thread_environment
from studies.trial.log import BoundedLog
from tests.tiny_study import ABLATION

Write = Callable[..., Path]


def test_as_people_write_it() -> None:
    run = Run.model_validate({"timeout": "30 min", "memory": "8 GiB", "workers": 4})
    assert (run.timeout, run.memory, run.workers) == (1800.0, 8 * 2.0**30, 4)
    assert isinstance(run.launch, Local)
    assert isinstance(Run.model_validate({"launch": "ray"}).launch, OnRay)
    slurm = Run.model_validate({"launch": {"slurm": {"partition": "gpu", "gpus": 1}}}).launch
    assert isinstance(slurm, OnSlurm)
    assert slurm.slurm.gpus == 1


@pytest.mark.parametrize(
    "launch", ["local", "ray", "slurm", {"ray": {"gpus": 0.5}}, {"slurm": {"options": {"account": "us", "nice": 3}}}]
)
def test_how_it_is_run_comes_back_from_the_record_as_it_was(launch: object) -> None:
    run = Run.model_validate({"launch": launch})
    assert Run.model_validate(run.model_dump(mode="json")) == Run.model_validate(run) == run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{timeout: soon}", "`soon` is none; write a number above 0 with a unit, such as 30 min"),
        ("{memory: 8 XB}", "`8 XB` is none; write a number above 0 with a unit, such as 8 GiB"),
        ("{launch: dask}", "`run.launch` cannot be 'dask'. Choices: local, ray, slurm."),
        ("{storage: 'mysql://host/db'}", "records lie in SQLite or PostgreSQL"),
        ("{storage: {}}", "say where the database is by one of url, env, file"),
        ("{workers: 0}", "run.workers"),
    ],
)
def test_a_mistake_is_told_with_its_place(study_file: Write, text: str, message: str) -> None:
    path = study_file(ABLATION, f"run: {text}\n")
    with pytest.raises(UserError) as caught:
        load_study(path)
    assert message in str(caught.value)
    assert {problem.line for problem in caught.value.problems} == {path.read_text().count("\n")}


def test_a_password_in_a_study_file_is_refused_and_not_repeated(study_file: Write) -> None:
    path = study_file(ABLATION, "run: {storage: 'postgresql+psycopg://me:hunter2@host/db'}\n")
    study, problems = check_study(path)
    assert study is None
    [problem] = problems
    assert "a study file holds no password, since it is copied into records and reports" in problem.message
    assert "hunter2" not in f"{problem.message} {problem.hint}"


def test_the_url_that_is_shown_has_neither_user_nor_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url, _ = connector(Storage(env="PLACE"), {"PLACE": "postgresql+psycopg://me:hunter2@host/db"})
    assert url == "postgresql+psycopg://"
    with pytest.raises(UserError, match="the environment variable PLACE, which is not set"):
        connector(Storage(env="PLACE"), {})
    with pytest.raises(UserError, match="which cannot be read: No such file or directory"):
        connector(Storage(file=str(tmp_path / "none")), {})
    (tmp_path / "url").write_text("hunter2")
    with pytest.raises(UserError, match="holds no database URL") as caught:
        connector(Storage(file=str(tmp_path / "url")), {})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValidationError, match="by one of url, env, file"):
        Storage(env="A", file="B")


def test_workers_share_the_cores_unless_the_user_has_said_otherwise() -> None:
    assert thread_environment(1, 8, {}) == {"GOMP_SPINCOUNT": "10000"}
    assert thread_environment(4, 8, {})["OMP_NUM_THREADS"] == "2"
    assert thread_environment(16, 8, {})["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in thread_environment(4, 8, {"OMP_NUM_THREADS": "3"})


def test_each_worker_has_a_gpu_of_its_own_where_there_are_several() -> None:
    assert device_environment(0, 1, {}) == {}
    assert [device_environment(n, 2, {})["CUDA_VISIBLE_DEVICES"] for n in range(3)] == ["0", "1", "0"]
    assert device_environment(1, 2, {"CUDA_VISIBLE_DEVICES": "4, 6"}) == {"CUDA_VISIBLE_DEVICES": "6"}


def test_durations_as_a_study_would_say_them() -> None:
    assert [duration(s) for s in (1.0, 90.0, 1800.0, 7200.0)] == ["1 s", "90 s", "30 min", "2 h"]


def test_a_log_keeps_the_last_of_what_was_said(tmp_path: Path) -> None:
    log = BoundedLog(tmp_path / "log", limit=100_000)
    with open(log.fileno(), "wb", closefd=False) as pipe:
        for number in range(10):
            pipe.write(bytes([48 + number]) * 65_536)
            pipe.flush()
    log.close_ours()
    log.join()
    kept = (tmp_path / "log").read_bytes()
    assert kept.endswith(b"9" * 1000)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * (100_000 + 65_536)


def test_the_file_system_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert filesystem_of(tmp_path / "not" / "yet") == filesystem_of(tmp_path) != ""
