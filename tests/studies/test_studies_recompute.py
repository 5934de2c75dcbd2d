"""A memory budget of the protocol: held by what is computed again, and the training is the same."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from studies.measure.calls import sample_batch, training
from studies.measure.memory import peak_bytes
from studies.sections.protocol import Protocol, Train
from studies.training.batch import Batch
from studies.training.train import TrainingStep

CPU = torch.device("cpu")
UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 32,
    "ch_mult": [1, 2, 2], "dropout": 0.1,
}  # fmt: skip
GRAPH = check_data({"version": 1, "name": "test", "unet": UNET}, Positions("test")).sound()


def protocol(budget: float | str | None) -> Protocol:
    return Protocol.model_validate({"train": {"memory_budget": budget, "batch": 16}})


def step(budget: float | str | None) -> TrainingStep:
    network = assemble(GRAPH)
    initialise(network, seed=0)
    return TrainingStep(network, protocol(budget), CPU)


def batch() -> Batch:
    torch.manual_seed(0)
    return Batch(torch.randn(16, 3, 32, 32), torch.randint(1000, (16,)), torch.randn(16, 3, 32, 32))


def peak(budget: float | None) -> int:
    network = assemble(GRAPH)
    images = sample_batch((3, 32, 32), 16, 1000, CPU)
    return peak_bytes(training(network, images, protocol(budget), CPU), CPU)


def test_the_budget_is_held() -> None:
    plain = peak(None)
    for share in (0.8, 0.6):
        assert peak(share * plain) <= share * plain


def test_the_weights_after_a_step_are_the_same() -> None:
    plain, tight = step(None), step("66 MiB")
    for one in (plain, tight):
        torch.manual_seed(1)
        one(batch())
    assert tight.recomputation.plans[16].nodes
    assert plain.recomputation.plans == {}
    for left, right in zip(plain.module.parameters(), tight.module.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


def test_a_budget_that_cannot_be_held() -> None:
    with pytest.raises(UserError, match=r"a training step needs about \d+ MiB, and the budget is 1 MiB"):
        step("1 MiB")(batch())


def test_a_budget_needs_a_network_whose_architecture_is_known() -> None:
    with pytest.raises(UserError, match=r"memory_budget needs a network that was compiled from an architecture\.$"):
        TrainingStep(torch.nn.Conv2d(3, 3, 1), protocol("1 GiB"), CPU)(batch())


def test_budgets_as_people_write_them() -> None:
    assert Train.model_validate({"memory_budget": "2 GB"}).memory_budget == 2e9
    assert Train.model_validate({"memory_budget": 1e6}).memory_budget == 1e6
    with pytest.raises(
        ValidationError, match="`much` is no budget; write a number above 0, or one with a unit out of B"
    ):
        Train.model_validate({"memory_budget": "much"})
