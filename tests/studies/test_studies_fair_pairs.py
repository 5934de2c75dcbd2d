"""What a seed gives to every variant alike, seen in the tensors that a training really uses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import to_document
from studies.driver.plan import Variant, variants
from studies.sections.protocol import Protocol
from studies.study.load import load_study
from studies.study.study import Study
from studies.training import quality, train
from studies.trial.job import Job
from studies.trial.run import run_trial

Write = Callable[..., Path]

VARIANTS = """ablation:
  variants:
    no attention: [{remove: attention}]
    linear: [{set: {nodes: attention, to: {type: linear, norm: true, residual: true}}}]
    sum: [{unet: {skip: add}}]
    timeless: [{unet: {use_timestep: false}}]
    wider: [{resize: {nodes: mid.block_1, out: 64}}]
  leave_one_out: middle
"""


@dataclass
class Seen:
    """What one training was given."""

    start: dict[str, Tensor] = field(default_factory=dict)
    batches: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    evaluated: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[Study, Variant, int], Seen]:
    """Run a trial and keep the tensors that reach the training step and the evaluation."""
    current: list[Seen] = []

    class Watched(train.TrainingStep):
        def __init__(self, module: nn.Module, protocol: Protocol, device: torch.device) -> None:
            # Measuring makes another one later, of the trained network.
            current[-1].start = current[-1].start or {name: x.clone() for name, x in module.state_dict().items()}
            super().__init__(module, protocol, device)

        def __call__(self, batch: train.Batch, rate: float = 1.0) -> Tensor:
            current[-1].batches.append(tuple(x.clone() for x in (batch.images, batch.timesteps, batch.noise)))
            return super().__call__(batch, rate)

    def loss(module: nn.Module, chosen: quality.EvaluationSet, *rest: object) -> quality.Quality:
        current[-1].evaluated.append((chosen.images, chosen.timesteps, chosen.noise))
        return real(module, chosen, *rest)  # type: ignore[arg-type]

    real = quality.denoising_loss
    monkeypatch.setattr(train, "TrainingStep", Watched)
    monkeypatch.setattr(quality, "denoising_loss", loss)

    def watched(study: Study, variant: Variant, seed: int) -> Seen:
        current.append(Seen())
        job = Job(document=to_document(variant.graph), protocol=study.protocol, measure=study.file.measure, seed=seed)
        outcome = run_trial(job, lambda progress: None)
        assert outcome.status == "finished", outcome.reason
        return current[-1]

    return watched


def same(one: list[tuple[Tensor, ...]], other: list[tuple[Tensor, ...]]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(torch.equal(a, b) for first, second in pairs for a, b in zip(first, second, strict=True))


def in_shared_modules(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Tensors of the modules that both have with the same shapes; a bias is drawn by the width of its weight."""
    unlike = {
        key.rpartition(".")[0] for key in one.keys() | other.keys()
        if key not in one or key not in other or one[key].shape != other[key].shape
    }  # fmt: skip
    return [key for key in one if key.rpartition(".")[0] not in unlike]


def test_a_seed_gives_every_variant_the_same_data_noise_start_and_evaluation(
    study_file: Write, watch: Callable[[Study, Variant, int], Seen]
) -> None:
    study = load_study(study_file(VARIANTS))
    planned = variants(study)
    assert len(planned) == 7
    seen = {variant.name: watch(study, variant, 3) for variant in planned}
    base = seen.pop("base")
    assert len(base.batches) == 2
    assert len(base.evaluated) == 1
    for name, other in seen.items():
        assert same(base.batches, other.batches), name
        assert same(base.evaluated, other.evaluated), name
        shared = in_shared_modules(base.start, other.start)
        assert len(shared) > 20, name
        assert all(torch.equal(base.start[key], other.start[key]) for key in shared), name


def test_another_seed_changes_all_of_it_but_the_evaluation(
    study_file: Write, watch: Callable[[Study, Variant, int], Seen]
) -> None:
    study = load_study(study_file(VARIANTS))
    base = variants(study)[0]
    one, other = watch(study, base, 0), watch(study, base, 1)
    for first, second in zip(one.batches, other.batches, strict=True):
        assert not any(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    key = "mid.block_1.conv1.weight"
    assert not torch.equal(one.start[key], other.start[key])
    assert same(one.evaluated, other.evaluated)
