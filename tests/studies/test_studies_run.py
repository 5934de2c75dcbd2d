from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from archspec import UserError
from studies.driver.loop import Launcher
from studies.driver.run import run_study
from studies.frame import load_results
from studies.records.locks import sole_driver
from studies.records.record import TRAINED, Part, TrialRecord
from studies.records.store import Store
from studies.study.execution import Run
from studies.study.load import load_study
from studies.trial.job import Progress
from tests.studies.fake_run import start as fake_start
from tests.studies.fake_worker import fake_trial
from tests.studies.here import Here
from tests.tiny_study import ABLATION, SEARCH
from ushape.cli.status import status_data

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
        if not text.startswith("Sampler: "):
            self.lines.append(text)


def run(path: Path, **options: Any) -> Listener:
    study, listener = load_study(path), Listener()
    run_study(study, study.folder, listener, **options)
    return listener


#: Trials that are nearly free, in this process.
free = partial(Here, trial=lambda job, on_progress: fake_trial(job))


def pretend(path: Path) -> Listener:
    """Run it with trials that are nearly free: for what the driver does, whatever comes out of trainings."""
    return run(path, start=free)


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
    second = pretend(path)
    assert second.records == []
    assert second.plans == [("ablation", 4, 4), ("search", 3, 3)]


def test_refused_points_are_recorded_with_their_reason_and_are_not_trained(study_file: Write) -> None:
    tpe = f"{SEARCH}  sampler: TPESampler\n"
    path = study_file(tpe, **{"400k": "200k", "num_res_blocks: [1, 2]": "num_res_blocks: [1, 3]"})
    pretend(path)
    refused = [r for r in Store(load_study(path).folder).records("search") if r.status == "refused"]
    assert refused
    for record in refused:
        assert record.reason is not None
        assert "over its budget" in record.reason
        assert record.violations["parameters"] > 0
        assert "loss" not in record.metrics
        assert record.wall == 0.0


def test_an_exhausted_space_ends_the_search_with_a_word(study_file: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.driver.searching.MAX_IDLE", 6)
    path = study_file("search: {space: {attn_type: [vanilla, none]}, trials: 5, sampler: TPESampler}\n")
    listener = pretend(path)
    assert Counter(record.status for record in listener.records)["finished"] == 2
    assert len(listener.lines) == 1
    assert listener.lines[0].startswith("The search ends after 2 trainings, because it finds nothing new: of its last ")
    assert listener.lines[0].endswith(" known already.")
    again = pretend(path)
    assert (again.records, again.lines) == ([], listener.lines)
    found = status_data(load_study(path).folder)["parts"]["search"]
    assert (found["ended"], found["left"], found["planned"]) == (listener.lines[0], 0, 5)


def test_a_search_without_a_feasible_point_says_what_refuses_it(study_file: Write) -> None:
    path = study_file(
        "search: {space: {attn_type: [vanilla, none]}, budgets: {parameters: 1k}, trials: 5, sampler: TPESampler}\n"
    )
    listener = pretend(path)
    assert len(listener.lines) == 1
    assert listener.lines[0].startswith("The search ends after 0 trainings, because it finds nothing new: of its last ")
    assert "refused (parameters is 271.6 k, +27065% over its budget of 1 k)" in listener.lines[0]
    assert {record.status for record in listener.records} == {"refused"}
    assert len(listener.records) < 60


def test_what_a_record_holds(study_file: Write) -> None:
    measure = "rounds: 3, min_seconds: 0, max_seconds: 0.1, repeats: 0"
    path = study_file(ABLATION, **{"latency: false, memory: false": measure, "seeds: 2": "seeds: 1"})
    run(path, start=Here)
    study = load_study(path)
    record = Store(study.folder).records("ablation")[0]
    assert set(record.metrics) == {
        "loss", "loss_edm", "latency", "train_latency", "latency_ratio", "train_latency_ratio", "memory",
        "train_memory", "parameters", "macs",
        "predicted_memory", "predicted_train_memory",
    }  # fmt: skip
    assert record.protocol_hash == study.protocol_hash()
    assert record.environment["torch"]
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record.data["name"] == "digits"
    assert record.wall > 0
    results = load_results(study.folder)
    assert len(results.trials) == 2
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
    pretend(path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        pretend(path)
    assert message in [problem.message for problem in caught.value.problems]


def test_everything_may_change_while_no_trial_has_ended(study_file: Write) -> None:
    path = study_file("ablation: {variants: {a: [{remove: attention}]}}\n", **{"seeds: 2": "seeds: 1"})

    class Stopped(Listener):
        def began(self, record: TrialRecord) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(load_study(path), load_study(path).folder, Stopped(), start=free)
    assert [record.status for record in Store(load_study(path).folder).records("ablation")] == ["interrupted"]
    path.write_text(path.read_text().replace("steps: 2", "steps: 1"))
    pretend(path)
    records = [r for r in Store(load_study(path).folder).records("ablation") if r.status == "finished"]
    assert [(record.variant, record.seed) for record in records] == [("base", 0), ("a", 0)]
    assert {record.protocol_hash for record in records} == {load_study(path).protocol_hash()}


def test_more_seeds_variants_and_trials_go_on(study_file: Write) -> None:
    path = study_file(ABLATION, SEARCH, **{"seeds: 2": "seeds: 1", "trials: 3": "trials: 1"})
    pretend(path)
    text = path.read_text().replace("seeds: 1", "seeds: 2").replace("trials: 1", "trials: 2")
    path.write_text(text.replace("  variants:\n", "  variants:\n    added: [{unet: {skip: add}}]\n"))
    listener = pretend(path)
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


def test_a_refusal_that_needs_no_worker_comes_before_workers_start(study_file: Write, tmp_path: Path) -> None:
    """A second study in the folder of a first: a cluster would take a minute to start, for nothing."""
    first = load_study(study_file(ABLATION))
    Store(first.folder, "another", create=True).open("ablation", ["loss"])

    def never(run: Run, folder: Path) -> AbstractContextManager[Launcher]:
        raise AssertionError(f"started {run} for {folder}")

    with pytest.raises(UserError, match="holds the results of the study `another`"):
        run_study(first, first.folder, Listener(), start=never)


def test_a_failing_trial_is_recorded_and_the_study_goes_on(study_file: Write) -> None:
    # So large a learning rate without clipping that the loss leaves the finite numbers.
    train = "steps: 12, batch: 4, lr: 1.0e30, warmup: 0, grad_clip: null"
    path = study_file(ABLATION, **{"steps: 2, batch: 4": train, "seeds: 2": "seeds: 1"})
    listener = run(path, start=Here)
    assert [record.status for record in listener.records] == ["diverged"] * 2
    assert all(record.reason for record in listener.records)
    assert pretend(path).records == []
    again = run(path, retry_failed=True, start=free)
    assert [record.status for record in again.records] == ["finished"] * 2


def test_a_worker_that_dies_is_a_result_and_the_next_trial_gets_a_new_one(
    study_file: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = study_file(ABLATION)
    (tmp_path / "deeds.json").write_text('{"0": ["kill", 9]}')
    monkeypatch.setenv("USHAPE_FAKE", str(tmp_path / "deeds.json"))
    records = run(path, start=fake_start).records
    assert [(record.seed, record.status) for record in records] == [(0, "failed")] * 2 + [(1, "finished")] * 2
    assert all(str(record.reason).startswith("the worker process was killed (SIGKILL), ") for record in records[:2])


def test_a_variant_that_changed_is_run_again_and_its_old_trials_do_not_count(study_file: Write) -> None:
    path = study_file(ABLATION, **{"seeds: 2": "seeds: 1"})
    pretend(path)
    path.write_text(path.read_text().replace("- remove: attention", "- set: {nodes: attention, to: {heads: 4}}"))
    listener = pretend(path)
    assert [(record.variant, record.edits) for record in listener.records] == [
        ("no attention", ("set attention: heads=4",))
    ]
    trials = load_results(load_study(path).folder).trials
    assert list(trials["trial"]) == [0, 2]
    path.write_text(path.read_text().replace("no attention:", "heads:"))
    pretend(path)
    assert list(load_results(load_study(path).folder).trials["variant"]) == ["base", "heads"]


def test_a_device_that_is_not_there_is_refused_before_anything_is_run(study_file: Write) -> None:
    path = study_file(ABLATION, **{"device: cpu": "device: cuda:99"})
    with pytest.raises(UserError, match=r"measure.device is cuda:99, but this machine has \d+ CUDA device"):
        run(path)
    assert not (load_study(path).folder / "study.db").exists()


def test_an_image_that_cannot_be_read_is_refused_once_and_not_in_every_trial(study_file: Write, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        Image.new("L", (8, 8), index * 20).save(folder / f"{index}.png")
    path = study_file(ABLATION, **{"data: digits": "data: {images: pictures, channels: 1}", "seeds: 2": "seeds: 1"})
    assert {record.status for record in run(path, start=Here).records} == {"finished"}
    shutil.rmtree(load_study(path).folder)
    (folder / "5.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"5\.png"):
        run(path)
    assert not (load_study(path).folder / "study.db").exists()
