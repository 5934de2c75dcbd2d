"""Micro-batches: the gradients of the parts are those of the whole, also when memory runs out on the way."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from pydantic import ValidationError
from torch import Tensor, nn

import archspec
from builder import assemble, initialise
from studies.measure.calls import sample_batch
from studies.sections.protocol import Protocol, Train
from studies.training.accumulate import parts
from studies.training.train import TrainingStep

CPU = torch.device("cpu")
SPEC = """
version: 1
name: tiny
unet: {ch: 32, out_ch: 1, ch_mult: [1, 1], num_res_blocks: 1, attn_resolutions: [], in_channels: 1, resolution: 8}
"""


class Limited(nn.Module):
    """A network whose device has memory for so many images and no more."""

    def __init__(self, module: nn.Module, images: int) -> None:
        super().__init__()
        self.module, self.images = module, images
        self.seen: list[int] = []

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        self.seen.append(len(x))
        output: Tensor = self.module(x, t)
        if len(x) > self.images:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB.")
        return output


def network() -> nn.Module:
    module: nn.Module = assemble(archspec.build(archspec.loads(SPEC)))
    initialise(module, 0)
    return module


def step_of(module: nn.Module, **train: Any) -> TrainingStep:
    return TrainingStep(module, Protocol(train=Train.model_validate({"batch": 12, "ema": None, **train})), CPU)


def gradients(module: nn.Module, **train: Any) -> tuple[float, list[Tensor]]:
    loss = step_of(module, **train).accumulated.backward(sample_batch((1, 8, 8), 12, 1000, CPU))
    return float(loss), [p.grad for p in module.parameters() if p.grad is not None]


def assert_equal(ones: list[Tensor], others: list[Tensor]) -> None:
    assert len(ones) == len(others) > 0
    for one, other in zip(ones, others, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("size", [1, 5, 6])  # 5 leaves a last part of 2 images
def test_gradients_of_the_parts_are_those_of_the_whole(size: int) -> None:
    loss, whole = gradients(network())
    in_parts, split = gradients(network(), micro_batch=size)
    assert in_parts == pytest.approx(loss, rel=1e-6)
    assert_equal(whole, split)


def test_parts_keep_the_images_with_their_timesteps_and_noise() -> None:
    batch = sample_batch((1, 8, 8), 5, 1000, CPU)
    split = list(parts(batch, 2))
    assert [len(part.images) for part in split] == [2, 2, 1]
    for name in ("images", "timesteps", "noise"):
        assert torch.equal(torch.cat([getattr(part, name) for part in split]), getattr(batch, name))


def test_the_micro_batch_is_halved_until_it_fits_and_stays_so() -> None:
    loss, whole = gradients(network())
    limited = Limited(network(), 3)
    step = step_of(limited, micro_batch="auto")
    batch = sample_batch((1, 8, 8), 12, 1000, CPU)
    assert float(step.accumulated.backward(batch)) == pytest.approx(loss, rel=1e-6)
    assert_equal(whole, [p.grad for p in limited.parameters() if p.grad is not None])
    assert limited.seen == [12, 6, 3, 3, 3, 3]
    step.accumulated.backward(batch)
    assert limited.seen[6:] == [3, 3, 3, 3]
    assert step.accumulated.summary() == {"batch": 12, "micro_batch": 3, "ran_out": [12, 6]}


def test_training_in_parts_has_the_same_losses() -> None:
    whole, limited = network(), Limited(network(), 4)
    batch = sample_batch((1, 8, 8), 12, 1000, CPU)
    one, other = step_of(whole), step_of(limited, micro_batch="auto")
    for _ in range(3):
        assert float(one(batch)) == pytest.approx(float(other(batch)), rel=1e-4)


def test_dropout_starts_over_where_a_pass_is_taken_back() -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            return nn.functional.dropout(x * self.weight, 0.5)

    def trained(module: nn.Module, **train: Any) -> Tensor:
        torch.manual_seed(5)
        step_of(module, **train).accumulated.backward(sample_batch((1, 8, 8), 12, 1000, CPU))
        return torch.cat([p.grad for p in module.parameters() if p.grad is not None])

    straight = trained(Dropping(), micro_batch=6)
    assert torch.equal(trained(Limited(Dropping(), 6), micro_batch="auto"), straight)


def test_memory_that_is_short_for_one_image_is_an_error() -> None:
    limited = Limited(network(), 0)
    with pytest.raises(torch.OutOfMemoryError):
        gradients(limited, micro_batch="auto")
    assert limited.seen == [12, 6, 3, 1]
    assert all(p.grad is None for p in limited.parameters())


def test_without_auto_nothing_is_halved_and_other_errors_pass() -> None:
    limited = Limited(network(), 6)
    with pytest.raises(torch.OutOfMemoryError):
        gradients(limited)
    assert limited.seen == [12]

    class Broken(Limited):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            self.seen.append(len(x))
            raise RuntimeError("shapes do not fit")

    broken = Broken(network(), 6)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        gradients(broken, micro_batch="auto")
    assert broken.seen == [12]


def test_batch_auto_is_the_default_batch_that_may_be_split() -> None:
    auto = Train.model_validate({"batch": "auto", "steps": 5})
    assert (auto.batch, auto.micro_batch) == (Train().batch, "auto")
    assert Train.model_validate({"batch": "auto", "micro_batch": 4}).micro_batch == 4
    assert Train.model_validate({"batch": 64, "micro_batch": "auto"}).batch == 64
    assert Train().micro_batch is None
    assert copy.deepcopy(auto) == auto
    schema = Train.model_json_schema()
    for words, errors in (({"batch": "auto"}, 0), ({"batch": 7}, 0), ({"batch": "all"}, 1), ({"batch": 0}, 1)):
        assert len(list(Draft202012Validator(schema).iter_errors(words))) == errors
    with pytest.raises(ValidationError, match="valid integer"):
        Train.model_validate({"batch": "all"})
