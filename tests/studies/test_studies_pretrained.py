"""Ablations of a pretrained network: its weights are read from a file, and what is edited away is gone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest
import torch

from archspec import UserError
from builder import assemble, initialise
from builder.inherit import Policy
from builder.weights import write_checkpoint
from reports.dashboard import render
from studies.driver.run import run_study
from studies.frame import load_results
from studies.records.record import TrialRecord
from studies.records.store import Store
from studies.sections.protocol import Protocol
from studies.sections.start import Init
from studies.study.load import load_study
from studies.study.study import Study
from studies.training.data.dataset import load as load_data
from studies.training.quality import denoising_loss, evaluation_set
from studies.trial.job import Progress
from tests.studies.here import Here
from tests.tiny_study import ABLATION

Write = Callable[..., Path]


class Quiet:
    """An observer that says nothing."""

    def planned(self, part: str, done: int, total: int) -> None: ...
    def began(self, record: TrialRecord) -> None: ...
    def progressed(self, record: TrialRecord, progress: Progress) -> None: ...
    def ended(self, record: TrialRecord) -> None: ...
    def said(self, text: str) -> None: ...


def pretrained(study_file: Write, steps: str = "0", *, more: str = "", layout: str = "diffusers") -> Study:
    """A tiny study of a network whose weights, drawn by seed 9, lie beside it."""
    plain = load_study(study_file(ABLATION))
    network = assemble(plain.base)
    initialise(network, seed=9)
    write_checkpoint(plain.path.parent / "base.safetensors", plain.base, network.state_dict(), layout)
    changes = {"protocol:\n": f"protocol:\n  init: {{from: base.safetensors{more}}}\n", "steps: 2": f"steps: {steps}"}
    return load_study(study_file(ABLATION, **changes))


def records(study: Study) -> dict[tuple[str, int], TrialRecord]:
    run_study(study, study.folder, Quiet(), start=Here)
    found = Store(study.folder, study.name).records("ablation")
    return {(record.variant or "", record.seed): record for record in found}


def test_an_ablation_without_training(study_file: Write) -> None:
    study = pretrained(study_file)
    found = records(study)
    assert {record.status for record in found.values()} == {"finished"}
    network = assemble(study.base)
    initialise(network, seed=9)
    protocol = study.protocol
    chosen = evaluation_set(load_data(protocol.data), protocol.evaluate, protocol.objective)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    expected = denoising_loss(network, chosen, protocol.objective, protocol.evaluate.batch, torch.device("cpu"))
    without = assemble(study.base)
    initialise(without, seed=9)
    without.get_submodule("mid.attn_1").forward = lambda x: x
    ablated = denoising_loss(without, chosen, protocol.objective, protocol.evaluate.batch, torch.device("cpu"))
    torch.set_num_threads(threads)
    for seed in (0, 1):
        assert found["base", seed].metrics["loss"] == pytest.approx(expected.loss, rel=1e-6)
        assert found["no attention", seed].metrics["loss"] == pytest.approx(ablated.loss, rel=1e-6)
    said = found["no attention", 0].detail["inherited"]
    assert (said["layout"], said["new"], said["cut"], said["numbers"]) == ("diffusers", [], [], said["total"])
    assert len(said["left"]) == 10
    page = render(load_results(study.folder))
    assert "no attention" in page


@pytest.mark.slow
def test_a_short_fine_tune_starts_there_too(study_file: Write) -> None:
    found = records(pretrained(study_file, "1", layout="compvis"))
    losses = {key: record.metrics["loss"] for key, record in found.items()}
    assert {record.status for record in found.values()} == {"finished"}
    assert losses["base", 0] != losses["base", 1]  # other images, and the same start


def test_the_weights_are_part_of_what_is_compared(study_file: Write) -> None:
    study = pretrained(study_file)
    before = study.protocol_hash()
    checkpoint = study.path.parent / "base.safetensors"
    moved = checkpoint.rename(study.path.parent / "same.safetensors")
    text = study.path.read_text(encoding="utf-8")
    study.path.write_text(text.replace("base.safetensors", "same.safetensors"), encoding="utf-8")
    assert load_study(study.path).protocol_hash() == before
    content = bytearray(moved.read_bytes())
    content[-1] ^= 1
    moved.write_bytes(content)
    assert load_study(study.path).protocol_hash() != before


def test_what_is_wrong_is_said_before_anything_runs(study_file: Write) -> None:
    study = pretrained(study_file)
    checkpoint = study.path.parent / "base.safetensors"
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"{re.escape(str(checkpoint))}: this safetensors file is damaged"):
        run_study(study, study.folder, Quiet(), start=Here)
    assert not (study.folder / "study.db").exists()
    checkpoint.unlink()
    with pytest.raises(UserError) as caught:
        load_study(study.path)
    assert str(caught.value) == (
        f"{study.path}:17:10: error U001 there is no checkpoint {checkpoint}. Paths are relative to the study file."
    )


def test_the_architecture_of_the_checkpoint_may_be_another(study_file: Write) -> None:
    study = pretrained(study_file, more=", architecture: zoo/ddpm-cifar10")
    assert study.protocol.init is not None
    assert isinstance(study.protocol.init.architecture, dict)
    assert study.protocol.init.architecture["name"] == "ddpm-cifar10"
    with pytest.raises(UserError, match="they come nearest to the layout `diffusers`"):
        run_study(study, study.folder, Quiet(), start=Here)
    with pytest.raises(UserError, match=r"the architecture `zoo/ddpm-cifar1`: there is no such file"):
        pretrained(study_file, more=", architecture: zoo/ddpm-cifar1")


def test_no_training_needs_weights(study_file: Write) -> None:
    with pytest.raises(UserError, match=r"train\.steps is 0, so nothing would be trained"):
        load_study(study_file(ABLATION, **{"steps: 2": "steps: 0"}))


def test_policies_are_those_of_the_builder() -> None:
    assert get_args(Init.model_fields["policy"].annotation) == get_args(Policy)
    assert Protocol.model_validate({"init": {"from": "a.pt"}, "train": {"steps": 0}}).init is not None
