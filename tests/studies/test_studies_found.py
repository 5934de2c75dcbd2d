"""What a network's measurements are made into, and whose turn it is while they are taken; nothing is timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archspec.ops.shapes import Embedding, FeatureMap, Label, Shape, Tokens
from studies.measure import network as networks
from studies.measure.latency import Taken
from studies.measure.memory import Memory
from studies.measure.network import Bound, Found, measure_network, put_together
from studies.measure.reference import ReferenceNetwork
from studies.sections.protocol import Measure, Protocol

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
PROTOCOL = Protocol()


def taken(*seconds: float, reference: float = 1.0, disturbed: Sequence[str] = (), unknown: Sequence[str] = ()) -> Taken:
    """Five blocks of one round each with the reference and then the given seconds of each entrant."""
    rows = [[(reference, *seconds)]] * 5
    return Taken.model_validate(
        {
            "sample": {
                "blocks": rows, "cpu": rows, "repeats": (1,) * (1 + len(seconds)), "warmup": (4,) * (1 + len(seconds)),
                "stable": (True,) * (1 + len(seconds)), "narrow": True,
            },
            "conditions": {"before": {}, "after": {"load": 0.5}, "disturbed": disturbed, "unknown": unknown},
            "attempts": 1,
        }
    )  # fmt: skip


# records


def test_a_further_batch_size_stands_apart_and_its_throughput_is_of_its_own_images() -> None:
    found = Found(
        latency={"latency": taken(2.0), "latency@32": taken(8.0), "train_latency": taken(5.0, reference=2.0)},
        detail={"memory": {"peak": 7}, "memory@32": {"peak": 9}, "timer": "perf_counter"},
        metrics={"memory": 7.0},
    )
    metrics, detail = put_together([found], Measure(batch=4), own_process=True)
    assert metrics == {
        "memory": 7.0, "latency": 2.0, "latency_ratio": 2.0, "train_latency": 5.0, "train_latency_ratio": 2.5,
    }  # fmt: skip
    assert (detail["latency"]["median"], detail["latency"]["throughput"]) == (2.0, 2.0)
    assert detail["timer"] == "perf_counter"
    assert detail["memory"] == {"peak": 7}
    assert detail["by_batch"].keys() == {"32"}
    assert detail["by_batch"]["32"]["memory"] == {"peak": 9}
    assert (detail["by_batch"]["32"]["latency"]["median"], detail["by_batch"]["32"]["latency"]["throughput"]) == (
        8.0,
        4.0,
    )
    assert detail["conditions"].keys() == {"latency", "train_latency"}
    assert "latency_ratio@32" not in metrics


def test_of_several_processes_times_are_pooled_and_the_rest_is_of_the_first() -> None:
    first = Found(latency={"latency": taken(2.0)}, detail={"timer": "a"}, metrics={"memory": 1.0})
    other = Found(
        latency={"latency": taken(4.0, disturbed=["a guest"])}, detail={"timer": "b"}, metrics={"memory": 3.0}
    )
    metrics, detail = put_together([first, other], Measure(), own_process=False)
    assert (metrics["latency"], metrics["memory"], detail["timer"]) == (3.0, 1.0, "a")
    assert (detail["latency"]["processes"], detail["latency"]["rounds"]) == (2, 10)
    assert detail["latency"]["disturbed"] == ["a guest"]
    assert [one["disturbed"] for one in detail["conditions"]["latency"]] == [[], ["a guest"]]


def test_where_no_time_is_taken_memory_stands_alone() -> None:
    found = Found(latency={}, detail={"memory": {"peak": 1}}, metrics={"memory": 1.0})
    assert put_together([found], Measure(), own_process=True) == ({"memory": 1.0}, {"memory": {"peak": 1}})


class Turns:
    """Whose turn it is, written down."""

    def __init__(self) -> None:
        self.log: list[str] = []

    @contextmanager
    def _one(self, word: str) -> Iterator[None]:
        self.log.append(word)
        yield
        self.log.append("over")

    def measuring(self) -> Any:
        return self._one("alone")

    def training(self) -> Any:
        return self._one("shared")


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    """Timing and memory that take no time and say when they are asked."""
    made = Turns()

    def take(calls: Sequence[Any], *_: object) -> Taken:
        made.log.append(f"time {len(calls)}")
        return taken(2.0)

    def memory(*args: Any) -> Memory:
        made.log.append(f"memory {args[2].name if args[2] else ''}".strip())
        return Memory(peak=5, held=3, reserved=None, resident_before=None, resident_peak=None)

    monkeypatch.setattr(networks, "take", take)
    monkeypatch.setattr(networks, "memory", memory)
    return made


def measured(turns: Turns | None, history: Path | None = None, **how: Any) -> Found:
    module, measure = ReferenceNetwork(), Measure(batch=2, **how)
    return measure_network(module, (3, 8, 8), PROTOCOL, measure, turns, history)  # type: ignore[arg-type]


def test_time_is_taken_alone_and_memory_beside_trainings(turns: Turns) -> None:
    found = measured(turns)
    assert turns.log == ["alone", "time 2", "over", "shared", "memory", "over"] * 2
    assert list(found.latency) == ["latency", "train_latency"]
    assert found.metrics == {"memory": 5.0, "train_memory": 5.0}
    assert found.detail["timer"] == "perf_counter"


def test_without_exclusive_nobody_waits_for_a_time(turns: Turns) -> None:
    measured(turns, exclusive=False, memory=False)
    assert turns.log == ["time 2", "time 2"]


def test_who_holds_the_device_already_takes_no_turn(turns: Turns) -> None:
    measured(None, latency=False)
    assert turns.log == ["memory", "memory"]


def test_every_batch_size_is_measured_once_and_by_its_name(turns: Turns, tmp_path: Path) -> None:
    found = measured(None, tmp_path, batches=(4, 2, 4))
    assert list(found.latency) == ["latency", "latency@4", "train_latency", "train_latency@4"]
    assert found.metrics.keys() == {"memory", "train_memory"}
    assert [word for word in turns.log if word.startswith("memory")] == [
        "memory inference_memory.pickle", "memory inference_memory@4.pickle",
        "memory train_memory.pickle", "memory train_memory@4.pickle",
    ]  # fmt: skip


def test_energy_is_that_of_the_main_batch_size(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "counter", lambda device: (None, "no counter"))
    found = measured(None, batches=(4,), energy=True, memory=False)
    assert {name: value for name, value in found.detail.items() if "energy" in name} == {
        "energy": {"absent": "no counter"}, "train_energy": {"absent": "no counter"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("device", "graph", "timer"),
    [
        (CPU, True, "perf_counter"),
        (CUDA, False, "CUDA events, L2 flushed"),
        (CUDA, True, "CUDA events, L2 flushed, CUDA graph"),
    ],
)
def test_a_record_names_what_timed(device: torch.device, graph: bool, timer: str) -> None:
    assert networks._timer(device, Measure(cuda_graph=graph)) == timer


@pytest.mark.parametrize(
    ("shape", "size", "kind"),
    [
        (FeatureMap(3, 8), (1, 3, 8, 8), torch.float32),
        (Embedding(5), (1, 5), torch.float32),
        (Tokens(dim=4, length=7), (1, 7, 4), torch.float32),
        (Label(), (1,), torch.int64),
    ],
)
def test_every_further_input_has_a_fixed_value(shape: Shape, size: tuple[int, ...], kind: torch.dtype) -> None:
    value = networks._value(shape, CPU)
    assert (tuple(value.shape), value.dtype) == (size, kind)
    assert torch.equal(value, networks._value(shape, CPU))


def test_a_network_of_more_inputs_is_one_of_images_and_times() -> None:
    class Adding(nn.Module):
        def forward(self, x: Tensor, t: Tensor, vector: Tensor, label: Tensor) -> Tensor:
            assert vector.shape == (len(x), 3)
            assert label.tolist() == [1] * len(x)
            return torch.cat([x + vector.sum(dim=1).view(-1, 1, 1, 1), -x], dim=1)

    bound = Bound(Adding(), {"vector": torch.tensor([[1.0, 2.0, 3.0]]), "label": torch.ones(1)}, channels=2)
    assert torch.equal(bound(torch.zeros(4, 2, 5, 5), torch.zeros(4)), torch.full((4, 2, 5, 5), 6.0))
