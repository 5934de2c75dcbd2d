"""Measuring in fresh processes: what they find, and what becomes of those that die."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import archspec
from archspec import UserError
from studies.measure import apart as aparts
from studies.measure.apart import Apart, found_apart, measured_apart
from studies.measure.compare import compare
from studies.measure.network import built, image_shape
from studies.sections.protocol import Measure, Protocol
from studies.training.failures import MeasuringFailed
from studies.trial.job import Job
from studies.trial.run import run_trial

SPEC = """
version: 1
name: tiny
unet: {{ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: {blocks}, attn_resolutions: [], in_channels: 1,
  resolution: 8, attn_type: none}}
"""
QUICK = Measure(device="cpu", rounds=3, min_seconds=0.0, max_seconds=0.5, batch=2, threads=1, repeats=0)
LABELLED = """
version: 1
name: labelled
unet: {ch: 32, out_ch: 2, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8,
  mid_attn: true, label: {classes: 3}}
"""


def document(blocks: int = 1) -> dict[str, Any]:
    return archspec.to_document(archspec.build(archspec.loads(SPEC.format(blocks=blocks))))


def job(**measure: Any) -> Apart:
    how = QUICK.model_copy(update=measure)
    return Apart(what="network", documents=(document(),), protocol=Protocol(), measure=how)


def test_a_fresh_process_finds_what_the_own_one_does_and_its_high_water_mark() -> None:
    found = found_apart(job(latency=False, batches=(4,)))
    one, two = found.detail["memory"], found.detail["memory@4"]
    assert found.metrics["memory"] == one["peak"] < two["peak"]
    assert one["peak"] > one["held"] > 4 * 267_361 * 0.9
    outcome = run_trial(Job(document=document(), protocol=tiny(), measure=QUICK.model_copy(update={"latency": False}),
                            seed=0), lambda progress: None)  # fmt: skip
    assert outcome.metrics["memory"] == one["peak"]
    assert outcome.metrics["train_memory"] == found.metrics["train_memory"]
    if Path("/proc/self/clear_refs").exists():
        assert one["resident_peak"] >= one["resident_before"] > one["held"]


def tiny() -> Protocol:
    return Protocol.model_validate({"train": {"steps": 2, "batch": 4}, "evaluate": {"strata": 2, "images": 4}})


@pytest.mark.slow
def test_a_trial_measured_in_two_processes_puts_them_together() -> None:
    how = QUICK.model_copy(update={"processes": 2, "memory": False})
    outcome = run_trial(Job(document=document(), protocol=tiny(), measure=how, seed=0), lambda progress: None)
    assert outcome.status == "finished", outcome.reason
    spread = outcome.detail["latency"]
    assert (spread["processes"], outcome.detail["train_latency"]["processes"]) == (2, 2)
    assert spread["rounds"] >= 6
    assert outcome.metrics["latency"] == spread["median"]
    assert outcome.metrics["latency_ratio"] == spread["ratio"]
    assert len(outcome.detail["conditions"]["latency"]) == 2


def test_a_device_that_is_not_there_is_a_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    if torch.cuda.is_available():
        pytest.skip("it is there")
    answer = aparts._answer(job(device="cuda"))
    assert answer == {
        "refused": "measure.device is cuda, but this machine has 0 CUDA devices that torch can use. Use auto or cpu."
    }

    def refusing(command: list[str], **options: Any) -> Any:
        return subprocess.CompletedProcess(command, 0, stdout=json.dumps(answer).encode(), stderr=b"")

    monkeypatch.setattr(aparts.subprocess, "run", refusing)
    with pytest.raises(UserError, match=r"measure\.device is cuda, but this machine has 0 CUDA devices"):
        measured_apart(job(device="cuda"))


def test_memory_that_is_really_short_is_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child may have 3 GiB of address space and asks for more in one feature map."""
    run = subprocess.run

    def limited(command: list[str], **options: Any) -> Any:
        most = 3 * 2**30
        return run(command, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (most, most)), **options)

    monkeypatch.setattr(aparts.subprocess, "run", limited)
    with pytest.raises(MeasuringFailed, match=r"^out of memory while measuring") as caught:
        measured_apart(job(latency=False, batch=2_000_000))
    assert caught.value.status == "oom"


def test_a_trial_goes_on_record_when_its_measuring_process_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    run = subprocess.run

    def dying(command: list[str], **options: Any) -> Any:
        code = "import os, signal, sys; print('last words', file=sys.stderr, flush=True);"
        return run([sys.executable, "-c", code + "os.kill(os.getpid(), signal.SIGSEGV)"], **options)

    monkeypatch.setattr(aparts.subprocess, "run", dying)
    how = QUICK.model_copy(update={"processes": 1})
    outcome = run_trial(Job(document=document(), protocol=tiny(), measure=how, seed=0), lambda progress: None)
    assert (outcome.status, outcome.detail["stage"]) == ("failed", "measure")
    assert outcome.reason == "the measuring process was ended by SIGSEGV; see below\nlast words"
    assert outcome.metrics["loss"] > 0


def test_networks_that_take_more_than_images_are_measured_as_images_to_images() -> None:
    labelled = archspec.to_document(archspec.build(archspec.loads(LABELLED)))
    assert image_shape(labelled) == (1, 8, 8)
    network = built(labelled, 0, torch.device("cpu"))
    given = network(torch.zeros(5, 1, 8, 8), torch.zeros(5, dtype=torch.int64))
    assert given.shape == (5, 1, 8, 8)


def test_a_comparison_is_of_all_with_the_first() -> None:
    said: list[str] = []
    how = QUICK.model_copy(update={"processes": 1, "max_seconds": 0.3})
    networks = [("one", document(1)), ("three", document(3))]
    found = compare(networks, Protocol(), how, said=said.append)
    assert found.names == ("one", "three")
    assert found.latencies[0].ratio == 1.0
    assert found.latencies[1].ratio > 1.2
    assert [latency.processes for latency in found.latencies] == [1, 1]
    assert found.memory[1]["peak"] > found.memory[0]["peak"]
    assert len(found.verdicts) == len(found.load) == 1
    assert said == ["process 1 of 1", "memory of 1 of 2", "memory of 2 of 2"]
