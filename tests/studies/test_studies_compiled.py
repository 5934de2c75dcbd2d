"""Networks under `torch.compile`, for timing only."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from studies.measure.compiled import Compiled
from studies.measure.network import measure_network, put_together
from studies.measure.reference import ReferenceNetwork
from studies.sections.protocol import Measure, Protocol

QUICK = Measure(
    device="cpu",
    rounds=3,
    min_seconds=0.0,
    max_seconds=0.3,
    batch=2,
    repeats=0,
    compile=True,
    memory=False,
    energy=True,
)


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[nn.Module]:
    """What torch.compile was asked for; it takes nothing in hand."""
    asked: list[nn.Module] = []

    def pretend(module: nn.Module) -> Callable[..., Any]:
        asked.append(module)
        return module

    monkeypatch.setattr(torch, "compile", pretend)
    return asked


def test_a_compiled_network_has_the_networks_own_parameters(compiler: list[nn.Module]) -> None:
    network = ReferenceNetwork()
    compiled = Compiled(network)
    assert compiler == [network]
    assert [id(p) for p in compiled.parameters()] == [id(p) for p in network.parameters()]
    images = torch.ones(1, 3, 8, 8)
    assert torch.equal(compiled(images), network(images))
    copied = copy.deepcopy(compiled)
    assert isinstance(copied, ReferenceNetwork)
    assert copied is not network


def test_the_time_to_compile_is_kept_apart_and_energy_is_absent_with_a_reason(compiler: list[nn.Module]) -> None:
    found = measure_network(ReferenceNetwork(), (3, 8, 8), Protocol(), QUICK, None)
    assert len(compiler) == 2  # inference and training; the reference is never compiled
    metrics, detail = put_together([found], QUICK, own_process=True)
    assert set(metrics) == {"latency", "latency_ratio", "train_latency", "train_latency_ratio"}
    assert detail["compile_seconds"] > 0
    assert detail["train_compile_seconds"] > 0
    assert detail["timer"] == "perf_counter"
    assert set(detail["energy"]) in ({"absent"}, {"joules", "counter", "calls"})


@pytest.mark.slow
def test_the_real_compiler() -> None:
    found = measure_network(ReferenceNetwork(), (3, 8, 8), Protocol(), QUICK, None)
    _, detail = put_together([found], QUICK, own_process=True)
    assert detail["compile_seconds"] > 10 * detail["latency"]["median"]
