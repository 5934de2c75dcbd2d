"""What goes wrong with workers, drivers and disks, with trials that are nearly free.

After each fault: no finished trial lost, none counted twice, none left running after the study is run again, the budget
met exactly, the reason recorded, and a message that says what to do.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from archspec import UserError
from studies.records.locks import is_driven, sole_driver
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.study.load import load_study
from tests.studies.fake_run import run_fake
from tests.studies.whole import ablation, check_whole, with_run
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


@pytest.fixture
def deeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what trials of a seed do."""

    def write(**what: list[object]) -> None:
        path = tmp_path / "deeds.json"
        path.write_text(json.dumps({name.removeprefix("seed_"): deed for name, deed in what.items()}))
        monkeypatch.setenv("USHAPE_FAKE", str(path))

    return write


def children(of: int | None = None) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(of).children(recursive=True):
        try:
            if any("fake_worker" in word for word in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("isolation", ["worker", "trial"])
def test_several_workers_do_every_cell_once(study_file: Write, isolation: str) -> None:
    path = with_run(study_file, run=f"{{workers: 3, isolation: {isolation}}}", seeds=3)
    run_fake(path)
    check_whole(path, seeds=3)
    assert len(ablation(path)) == 6
    assert run_fake(path).records == []
    assert children() == []


def test_a_trial_that_hangs_is_stopped_and_the_others_go_on(study_file: Write, deeds: Callable[..., None]) -> None:
    deeds(seed_1=["hang", 0])
    path = with_run(study_file, run="{workers: 2, timeout: 1 s}", seeds=3)
    listener = run_fake(path)
    statuses = {(r.variant, r.seed): (r.status, r.reason) for r in listener.records}
    reason = "the trial took longer than run.timeout (1 s) and was stopped"
    assert statuses["base", 1] == statuses["no attention", 1] == ("failed", reason)
    assert sum(status == "finished" for status, _ in statuses.values()) == 4
    assert children() == []
    deeds()
    run_fake(path, retry_failed=True)
    check_whole(path, seeds=3)


def test_a_trial_that_eats_memory_is_out_of_memory_and_not_the_machine(
    study_file: Write, deeds: Callable[..., None]
) -> None:
    deeds(seed_1=["eat", 0])
    path = with_run(study_file, run="{memory: 700 MiB}", seeds=2)
    listener = run_fake(path)
    assert [(r.seed, r.status) for r in listener.records] == [(0, "finished")] * 2 + [(1, "oom")] * 2
    assert listener.records[-1].reason == "out of memory while training"


def test_a_trial_that_prints_without_end_neither_fills_the_disk_nor_stands_still(
    study_file: Write, deeds: Callable[..., None]
) -> None:
    deeds(seed_0=["chatter", 0])  # 100 MB each
    path = with_run(study_file, run="{workers: 1}", seeds=1)
    listener = run_fake(path)
    assert [r.status for r in listener.records] == ["finished", "finished"]
    folder = load_study(path).folder
    logs = sorted(folder.glob("worker.log*"))
    assert [log.name for log in logs] == ["worker.log", "worker.log.1"]
    assert sum(log.stat().st_size for log in logs) < 5_000_000


def test_a_trial_that_exits_at_once_is_recorded_with_its_code(study_file: Write, deeds: Callable[..., None]) -> None:
    deeds(seed_0=["exit", 7])
    path = with_run(study_file, run="{workers: 2}", seeds=2)
    listener = run_fake(path)
    found = {(r.variant, r.seed): (r.status, r.reason) for r in listener.records}
    assert {status for (_, seed), (status, _) in found.items() if seed == 1} == {"finished"}
    for variant in ("base", "no attention"):
        status, reason = found[variant, 0]
        assert status == "failed"
        assert reason is not None
        assert reason.startswith("the worker process ended by itself with exit code 7; see worker")


def test_workers_that_cannot_start_end_the_run_and_cost_no_trial(
    study_file: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_run(study_file, run="{workers: 2}", seeds=2)
    monkeypatch.setenv("USHAPE_FAKE_DIES_AT_START", "1")
    with pytest.raises(UserError) as caught:
        run_fake(path)
    [problem] = caught.value.problems
    assert problem.message == "a worker process ended by itself with exit code 3 before it was ready, 3 times in a row."
    assert (
        problem.hint == f"{load_study(path).folder / 'worker.log'} says why; then the same command goes on from there."
    )
    monkeypatch.delenv("USHAPE_FAKE_DIES_AT_START")
    run_fake(path)
    check_whole(path, seeds=2)


def kill_workers(path: Path, times: int, seed: int) -> None:
    """Run a study of enough cells while its workers are killed at random moments."""
    draw, done = random.Random(seed), threading.Event()
    killed = 0

    def killer() -> None:
        nonlocal killed
        while killed < times and not done.is_set():
            time.sleep(draw.uniform(0.05, 0.4))
            alive = children()
            if alive:
                draw.choice(alive).send_signal(signal.SIGKILL)
                killed += 1

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        while killed < times:
            run_fake(path, retry_failed=True)
    finally:
        done.set()
        thread.join()
    run_fake(path, retry_failed=True)


@pytest.mark.parametrize("times", [3, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_workers_killed_at_random_moments_lose_nothing(
    study_file: Write, deeds: Callable[..., None], times: int
) -> None:
    deeds(**{"else": ["sleep", 0.2]})
    path = with_run(study_file, run="{workers: 2}", seeds=6 * times)
    folder = load_study(path).folder

    def once_more() -> None:
        kill_workers(path, times, seed=0)

    try:
        once_more()
    except UserError as error:  # three processes in a row killed before they were ready
        assert "before it was ready" in str(error)
        run_fake(path, retry_failed=True)
    check_whole(path, seeds=6 * times)
    reasons = Counter(r.reason for r in Store(folder).records("ablation") if r.status == "failed")
    # Whether the system can be asked for its own kills changes when a test beside this one mounts a cgroup.
    assert set(reasons) <= {
        "the worker process was killed (SIGKILL), as the system does when memory runs out",
        "the worker process was killed (SIGKILL), not by the system for lack of memory but by somebody",
    }
    assert children() == []


@contextmanager
def driver_of(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.studies.fake_run", str(path)]
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


def counted(folder: Path) -> dict[tuple[str, int], TrialRecord]:
    try:
        store = Store(folder)
        return {(r.part, r.trial): r for part in store.parts() for r in store.records(part) if r.status == "finished"}
    except UserError:
        return {}  # not begun yet


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_drivers_killed_at_random_moments_lose_nothing(
    study_file: Write, deeds: Callable[..., None], times: int
) -> None:
    deeds(**{"else": ["sleep", 0.2]})
    path = study_file(
        ABLATION, SEARCH, "run: {workers: 3}\n", **{"seeds: 2": f"seeds: {8 * times}", "trials: 3": "trials: 5"}
    )
    folder, draw = load_study(path).folder, random.Random(times)
    kept: dict[tuple[str, int], TrialRecord] = {}
    for _ in range(times):
        with driver_of(path) as driver:
            deadline = time.monotonic() + 120
            while len(counted(folder)) <= len(kept) and driver.poll() is None and time.monotonic() < deadline:
                time.sleep(0.15)
            time.sleep(draw.uniform(0.0, 0.5))
            assert driver.poll() is None, driver.communicate()
            workers = children(driver.pid)
            driver.send_signal(signal.SIGKILL)
            driver.wait(timeout=30)
        assert not is_driven(folder)
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert alive == []
        now = counted(folder)
        assert {key: now[key] for key in kept} == kept
        kept = now
    run_fake(path)
    now = counted(folder)
    assert {key: now[key] for key in kept} == kept
    check_whole(path, seeds=8 * times, trials=5)


def test_two_drivers_at_once(study_file: Write, deeds: Callable[..., None]) -> None:
    deeds(**{"else": ["sleep", 0.3]})
    path = with_run(study_file, run="{workers: 2}", seeds=4)
    folder = load_study(path).folder
    with driver_of(path) as first, driver_of(path) as second:
        ends = [driver.communicate(timeout=200) for driver in (first, second)]
        codes = [first.returncode, second.returncode]
    assert sorted(codes) == [0, 2], ends
    stderr = ends[codes.index(2)][1]
    assert f"another `ushape run` is working on {folder}. Wait for it or stop it." in stderr
    check_whole(path, seeds=4)
    assert len(ablation(path)) == 8


def test_a_look_at_the_lock_turns_no_driver_away_and_nobody_deletes_its_file(tmp_path: Path) -> None:
    looks, done = [0], threading.Event()

    def look() -> None:
        while not done.is_set():
            is_driven(tmp_path)
            looks[0] += 1

    with sole_driver(tmp_path):
        inode = (tmp_path / "driver.lock").stat().st_ino
    looker = threading.Thread(target=look)
    looker.start()
    try:
        for _ in range(50):
            with sole_driver(tmp_path):
                assert is_driven(tmp_path)
    finally:
        done.set()
        looker.join()
    assert looks[0] > 0
    assert (tmp_path / "driver.lock").stat().st_ino == inode


def test_a_record_of_a_newer_version_is_a_users_error(study_file: Write) -> None:
    path = with_run(study_file, run="{workers: 1}", seeds=1)
    run_fake(path)
    import sqlite3

    connection = sqlite3.connect(load_study(path).folder / "study.db")
    newer = ('record_version\\":1', 'record_version\\":9')
    connection.execute("update trial_user_attributes set value_json = replace(value_json, ?, ?)", newer)
    connection.commit()
    connection.close()
    with pytest.raises(UserError, match=r"the records are of version 9, and this ushape reads up to 1\. Update ushape"):
        run_fake(path)
