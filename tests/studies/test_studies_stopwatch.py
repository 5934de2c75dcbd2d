"""The CUDA stopwatch and graphs by a pretended device: in which order what is called. Real ones need a GPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from studies.measure.stopwatch import CudaStopwatch, graphed, stopwatch, wall_clock

CUDA = torch.device("cuda", 0)


class Pretended:
    """The part of `torch.cuda` that is used; `done` is what was asked of it, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def says(self, word: str) -> Callable[..., None]:
        return lambda *_: self.done.append(word)

    @contextmanager
    def entered(self, word: str) -> Iterator[None]:
        self.done.append(f"enter {word}")
        yield
        self.done.append(f"leave {word}")

    def event(self, *, enable_timing: bool) -> SimpleNamespace:
        assert enable_timing
        record, synchronize = self.says("record"), self.says("wait for the event")
        return SimpleNamespace(record=record, synchronize=synchronize, elapsed_time=lambda end: 2.5)

    def stream(self) -> SimpleNamespace:
        return SimpleNamespace(wait_stream=self.says("wait for a stream"))

    def empty(self, size: int, **options: Any) -> SimpleNamespace:
        assert size == 2000
        return SimpleNamespace(zero_=self.says("flush"))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    cuda = Pretended()
    for name, value in {
        "Event": cuda.event,
        "Stream": cuda.stream,
        "current_stream": cuda.stream,
        "CUDAGraph": lambda: SimpleNamespace(replay=cuda.says("replay")),
        "get_device_properties": lambda device: SimpleNamespace(L2_cache_size=1000),
        "synchronize": cuda.says("synchronize"),
        "device": lambda device: cuda.entered("device"),
        "stream": lambda stream: cuda.entered("side stream"),
        "graph": lambda graph: cuda.entered("capture"),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch, "empty", cuda.empty)
    return cuda.done


def test_the_cache_is_flushed_before_the_events_and_the_device_idle(log: list[str]) -> None:
    lap = stopwatch(CUDA)(lambda: log.append("call"))
    assert (lap.wall, lap.work) == (0.0025, 0.0025)
    assert log == [
        "enter device", "flush", "synchronize", "record", "call", "record", "wait for the event", "leave device",
    ]  # fmt: skip
    log.clear()
    CudaStopwatch(CUDA, flush=False)(lambda: log.append("call"))
    assert "flush" not in log


def test_a_graph_is_captured_after_calls_on_a_side_stream_and_replayed(log: list[str]) -> None:
    replay = graphed(lambda: log.append("call"), CUDA)
    assert log == [
        "enter device", "wait for a stream", "enter side stream", "call", "call", "call", "leave side stream",
        "wait for a stream", "enter capture", "call", "leave capture", "leave device",
    ]  # fmt: skip
    log.clear()
    replay()
    assert log == ["replay"]


def test_a_call_that_cannot_be_captured_says_what_to_do(log: list[str]) -> None:
    calls = iter([None, None, None, RuntimeError("operation not permitted when stream is capturing")])

    def call() -> None:
        error = next(calls)
        if error is not None:
            raise error

    with pytest.raises(RuntimeError, match=r"so measure\.cuda_graph has to be false: operation not permitted when"):
        graphed(call, CUDA)


def test_the_cpu_has_the_clock_on_the_wall() -> None:
    assert stopwatch(torch.device("cpu")) is wall_clock
    lap = wall_clock(lambda: sum(range(100_000)))
    assert lap.work == lap.cpu > 0
