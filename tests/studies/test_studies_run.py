from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from archspec import UserError
from studies.frame import load_results
from studies.records import TRAINED, Part, TrialRecord
from studies.run import run_study, sole_driver
from studies.store import Store
from studies.study import load_study
from studies.trial import Progress
from tests.tiny_study import ABLATION, SEARCH

Write = Callable[..., Path]


class Listener:
    """An observer that keeps what it was told."""

    def __init__(self) -> None:
        self.records: list[TrialRecord] = []
        self.lines: list[str] = []
        self.steps: list[int] = []
        self.plans: list[tuple[str, int, int]] = []

    def planned(self, part: Part, done: int, total: int) -> None:
        self.plans.append((part, done, total))

    def began(self, record: TrialRecord) -> None:
        assert record.status == "running"

    def progressed(self, record: TrialRecord, progress: Progress) -> None:
        self.steps.append(progress.step)

    def ended(self, record: TrialRecord) -> None:
        self.records.append(record)

    def said(self, text: str) -> None:
        self.lines.append(text)


def run(path: Path, **options: bool) -> Listener:
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, **options)
    return listener


def test_a_study_runs_to_its_end_and_does_nothing_the_second_time(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH)
    first = run(path)
    assert first.plans == [("ablation", 0, 4), ("search", 0, 3)]
    assert max(first.steps) == 2
    store = Store(load_study(path).folder)
    ablation, search = store.records("ablation"), store.records("search")
    assert [(r.variant, r.seed, r.status) for r in ablation] == [
        ("base", 0, "finished"), ("no attention", 0, "finished"),
        ("base", 1, "finished"), ("no attention", 1, "finished"),
    ]  # fmt: skip
    assert sum(record.status in TRAINED for record in search) == 3
    # The base comes first and is known from the ablation.
    assert (search[0].status, search[0].replay_of) == ("replayed", "ablation/0")
    assert search[0].metrics == ablation[0].metrics
    assert search[0].params == {"num_res_blocks": 1, "attn_type": "vanilla", "skip": "concat"}
    marks = [(r.fingerprint, r.seed) for r in [*ablation, *search] if r.status == "finished"]
    assert len(set(marks)) == len(marks)
    second = run(path)
    assert second.records == []
    assert second.plans == [("ablation", 4, 4), ("search", 3, 3)]


def test_refused_points_are_recorded_with_their_reason_and_are_not_trained(study_file: Write) -> None:
    path = study_file(SEARCH, **{"400k": "200k", "num_res_blocks: [1, 2]": "num_res_blocks: [1, 3]"})
    run(path)
    refused = [r for r in Store(load_study(path).folder).records("search") if r.status == "refused"]
    assert refused
    for record in refused:
        assert record.reason is not None
        assert "over its budget" in record.reason
        assert record.violations["parameters"] > 0
        assert "loss" not in record.metrics
        assert record.wall == 0.0


def test_an_exhausted_space_ends_the_search_with_a_word(study_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.driver.MAX_IDLE", 6)
    listener = run(study_file("search: {space: {attn_type: [vanilla, none]}, trials: 5}\n"))
    assert listener.lines == ["The search ends after 2 trainings: its last 6 proposals were all known or refused."]
    assert Counter(record.status for record in listener.records)["finished"] == 2


def test_what_a_record_holds(study_file: Write) -> None:
    path = study_file(ABLATION, **{"latency: false, memory: false": "rounds: 3, min_seconds: 0, max_seconds: 0.2"})
    run(path)
    study = load_study(path)
    record = Store(study.folder).records("ablation")[0]
    assert set(record.metrics) == {
        "loss", "latency", "train_latency", "memory", "train_memory", "parameters", "macs",
    }  # fmt: skip
    assert record.protocol_hash == study.protocol_hash()
    assert record.environment["torch"]
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record.data["name"] == "digits"
    assert record.wall > 0
    results = load_results(study.folder)
    assert len(results.trials) == 4
    assert results.architectures[results.base]["name"] == "tiny"
    assert results.curves["ablation", 0][-1][0] == 2
    assert results.question == "Is it small?"
    assert len(results.loss_bins["ablation", 0]) == 2


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps: 2", "steps: 3", "`protocol.train.steps` was 2 and is now 3."),
        ("ch_mult: [1, 1]", "ch_mult: [1, 2]", "`base.unet.ch_mult` was [1.0, 1.0] and is now [1.0, 2.0]."),
        ("device: cpu", "batch: 4", "`measure.batch` was 8 and is now 4."),
    ],
)
def test_a_change_that_would_mix_protocols_is_refused(study_file: Write, old: str, new: str, message: str) -> None:
    path = study_file("ablation: {variants: {a: [{remove: attention}]}}\n", **{"seeds: 2": "seeds: 1"})
    run(path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        run(path)
    assert message in [problem.message for problem in caught.value.problems]


def test_more_seeds_variants_and_trials_go_on(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH, **{"seeds: 2": "seeds: 1", "trials: 3": "trials: 1"})
    run(path)
    text = path.read_text().replace("seeds: 1", "seeds: 2").replace("trials: 1", "trials: 2")
    path.write_text(text.replace("  variants:\n", "  variants:\n    added: [{unet: {skip: add}}]\n"))
    listener = run(path)
    assert listener.plans == [("ablation", 2, 6), ("search", 1, 2)]
    assert [(r.variant, r.seed) for r in listener.records if r.part == "ablation"] == [
        ("added", 0), ("base", 1), ("added", 1), ("no attention", 1),
    ]  # fmt: skip


def test_data_that_do_not_fit_are_refused_before_anything_is_made(study_file: Write) -> None:
    path = study_file(ABLATION, **{"in_channels: 1": "in_channels: 3"})
    with pytest.raises(UserError, match="U404"):
        run(path)
    assert not load_study(path).folder.exists()


def test_a_second_driver_is_turned_away(study_file: Write) -> None:
    study = load_study(study_file(ABLATION))
    with sole_driver(study.folder), pytest.raises(UserError, match="another `ushape run` is working on"):
        run_study(study, study.folder, Listener())


def test_a_failing_trial_is_recorded_and_the_study_goes_on(study_file: Write) -> None:
    # So large a learning rate without clipping that the loss leaves the finite numbers.
    path = study_file(ABLATION, **{"steps: 2, batch: 4": "steps: 12, batch: 4, lr: 1.0e30, warmup: 0, grad_clip: null"})
    listener = run(path)
    assert [record.status for record in listener.records] == ["diverged"] * 4
    assert all(record.reason for record in listener.records)
    assert run(path).records == []
    again = run(path, retry_failed=True)
    assert [record.status for record in again.records] == ["diverged"] * 4


def test_a_worker_that_dies_is_a_result_and_the_next_trial_gets_a_new_one(study_file: Write) -> None:
    class Killer(Listener):
        def progressed(self, record: TrialRecord, progress: Progress) -> None:
            if record.trial == 0:
                children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
                for child in children:
                    if b"studies.worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                        os.kill(int(child), signal.SIGKILL)

    study, listener = load_study(study_file(ABLATION)), Killer()
    run_study(study, study.folder, listener)
    assert [record.status for record in listener.records] == ["failed", "finished", "finished", "finished"]
    assert listener.records[0].reason == (
        "the worker process was killed (SIGKILL), as the system does when memory runs out"
    )


def everything(folder: Path) -> list[TrialRecord]:
    try:
        store = Store(folder)
        return [record for part in store.parts() for record in store.records(part)]
    except UserError:
        return []  # not begun yet


def finished(folder: Path) -> dict[tuple[str, int], TrialRecord]:
    return {(r.part, r.trial): r for r in everything(folder) if r.status == "finished"}


@contextmanager
def driver_of(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "ushape", "run", str(path), "--no-report"]
    driver = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield driver
    finally:
        driver.kill()
        driver.communicate()


def test_killed_five_times_every_finished_trial_is_there_once(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH, **{"seeds: 2": "seeds: 4", "trials: 3": "trials: 4"})
    folder = load_study(path).folder
    draw, kept = random.Random(0), finished(folder)
    for _ in range(5):
        with driver_of(path) as driver:
            deadline = time.monotonic() + 60
            while len(finished(folder)) <= len(kept) and driver.poll() is None and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(draw.uniform(0.0, 0.1))
            assert driver.poll() is None, f"the study must not be over before the fifth kill: {driver.communicate()}"
            driver.send_signal(signal.SIGKILL)
        now = finished(folder)
        assert {key: now[key] for key in kept} == kept
        kept = now
    with driver_of(path) as driver:
        _, stderr = driver.communicate(timeout=120)
        assert driver.returncode == 0, stderr
    now = finished(folder)
    assert {key: now[key] for key in kept} == kept
    ablation = Counter((r.variant, r.seed) for (part, _), r in now.items() if part == "ablation")
    assert ablation == Counter({(v, s): 1 for v in ("base", "no attention") for s in range(4)})
    search = Store(folder).records("search")
    assert sum(record.status in TRAINED for record in search) == 4
    marks = [(r.fingerprint, r.seed) for r in now.values()]
    assert len(set(marks)) == len(marks)
    storage = f"sqlite:///{folder / 'study.db'}"
    for part in ("ablation", "search"):
        trials = optuna.load_study(study_name=f"tiny/{part}", storage=storage).trials
        assert {trial.state for trial in trials} <= {TrialState.COMPLETE, TrialState.FAIL}


def test_interrupted_by_ctrl_c_says_so_and_goes_on(study_file: Write) -> None:
    path = study_file(ABLATION, **{"steps: 2": "steps: 4000"})
    folder = load_study(path).folder
    with driver_of(path) as driver:
        deadline = time.monotonic() + 60
        while not any(record.status == "running" for record in everything(folder)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        driver.send_signal(signal.SIGINT)
        _, stderr = driver.communicate(timeout=30)
        assert driver.returncode == 130
    assert "Interrupted. What is finished is kept; the same command goes on from there." in stderr
    assert "Traceback" not in stderr
    record = Store(folder).records("ablation")[0]
    assert (record.status, record.reason) == ("interrupted", "the run was stopped before it ended")


def test_a_variant_that_changed_is_run_again_and_its_old_trials_do_not_count(study_file: Write) -> None:
    path = study_file(ABLATION, **{"seeds: 2": "seeds: 1"})
    run(path)
    path.write_text(path.read_text().replace("- remove: attention", "- set: {nodes: attention, to: {heads: 4}}"))
    listener = run(path)
    assert [(record.variant, record.edits) for record in listener.records] == [
        ("no attention", ("set attention: heads=4",))
    ]
    trials = load_results(load_study(path).folder).trials
    assert list(trials["trial"]) == [0, 2]
    path.write_text(path.read_text().replace("no attention:", "heads:"))
    run(path)
    assert list(load_results(load_study(path).folder).trials["variant"]) == ["base", "heads"]
