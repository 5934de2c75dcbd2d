"""Measuring in fresh processes that are pretended: what goes in, what is said of their ends, and comparisons."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from archspec import UserError, user_error
from studies.measure import apart as aparts
from studies.measure import compare as comparing
from studies.measure.apart import Apart, measured_apart, measured_here_or_apart
from studies.measure.compare import Comparison, compare
from studies.measure.latency import Taken, summary
from studies.measure.network import Found
from studies.sections.protocol import Measure
from studies.training.deaths import OomKills
from studies.training.failures import MeasuringFailed
from tests.studies.test_studies_found import PROTOCOL, Turns, taken

# one process


def job(**more: Any) -> Apart:
    return Apart.model_validate(
        {"what": "network", "documents": ({},), "protocol": PROTOCOL, "measure": Measure(), **more}
    )


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any], code: int = 0, said: str = "") -> list[bytes]:
    given: list[bytes] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        given.append(options["input"])
        return subprocess.CompletedProcess(command, code, json.dumps(answer).encode(), said.encode())

    monkeypatch.setattr(aparts.subprocess, "run", run)
    return given


def test_a_child_is_given_the_job_and_its_answer_is_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    given = answering(monkeypatch, {"found": {"metrics": {"memory": 1.0}}})
    asked = job(seed=3, training=True)
    assert measured_apart(asked) == {"metrics": {"memory": 1.0}}
    assert Apart.model_validate_json(given[0]) == asked


def test_what_went_wrong_in_a_child_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, {"status": "oom", "reason": "out of memory while measuring"})
    with pytest.raises(MeasuringFailed, match=r"^out of memory while measuring$") as caught:
        measured_apart(job())
    assert caught.value.status == "oom"


def test_a_child_that_the_system_killed_is_told_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter([OomKills(None, 3, None), OomKills(None, 4, None)])
    monkeypatch.setattr(aparts, "oom_kills", lambda: next(counts))
    answering(monkeypatch, {}, -signal.SIGKILL, "x" * 3000 + "\nlast words\n")
    with pytest.raises(MeasuringFailed) as caught:
        measured_apart(job())
    reason, *_, last = str(caught.value).splitlines()
    assert reason == (
        "the machine ran out of memory, and the system killed the measuring process; a smaller batch or network or "
        "fewer workers need less"
    )
    assert last == "last words"
    assert len(str(caught.value)) == len(reason) + 1 + 2000
    assert caught.value.status == "oom"


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (user_error("no such device.", "Take cpu."), {"refused": "no such device. Take cpu."}),
        (user_error("no such device."), {"refused": "no such device."}),
        (
            MemoryError(),
            {
                "status": "oom",
                "reason": "out of memory while measuring; a smaller batch, width or resolution needs less",
            },
        ),
        (MeasuringFailed("diverged", "so it was"), {"status": "diverged", "reason": "so it was"}),
    ],
)  # fmt: skip
def test_whatever_happens_a_child_answers(
    monkeypatch: pytest.MonkeyPatch, error: Exception, answer: dict[str, str]
) -> None:
    def broken(asked: Apart) -> Any:
        raise error

    monkeypatch.setitem(aparts._DO, "network", broken)
    assert aparts._answer(job()) == answer


def test_memory_is_measured_in_the_first_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Measure] = []

    def apart(one: Apart) -> Found:
        asked.append(one.measure)
        return Found(latency={"latency": taken(2.0)}, detail={}, metrics={"memory": 3.0} if one.measure.memory else {})

    monkeypatch.setattr(aparts, "found_apart", apart)
    turns = Turns()
    metrics, detail = measured_here_or_apart(nn.Identity(), (1, 8, 8), {}, PROTOCOL, Measure(processes=3), turns)  # type: ignore[arg-type]
    assert [one.memory for one in asked] == [True, False, False]
    assert turns.log == ["alone", "over"]
    assert (metrics["memory"], detail["latency"]["processes"]) == (3.0, 3)
    asked.clear()
    memory_only = Measure(processes=3, latency=False)
    measured_here_or_apart(nn.Identity(), (1, 8, 8), {}, PROTOCOL, memory_only, turns)  # type: ignore[arg-type]
    assert len(asked) == 1


def test_what_is_not_to_be_measured_starts_nothing() -> None:
    nothing = Measure(latency=False, memory=False, processes=2)
    assert measured_here_or_apart(nn.Identity(), (1, 8, 8), {}, PROTOCOL, nothing, None) == ({}, {})  # type: ignore[arg-type]


# head to head


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Apart]:
    """Races in which the second takes half and the third 1.5 times as long as the first."""
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path / "locks"))
    asked: list[Apart] = []

    def race(one: Apart) -> Taken:
        asked.append(one)
        return taken(0.5, 1.5, disturbed=["a guest"], unknown=["its heat"])

    def memory(one: Apart) -> Found:
        asked.append(one)
        name = "train_memory" if one.training else "memory"
        return Found(latency={}, detail={name: {"peak": one.documents[0]["n"]}}, metrics={})

    monkeypatch.setattr(comparing, "taken_apart", race)
    monkeypatch.setattr(comparing, "found_apart", memory)
    return asked


NAMED = [("base", {"n": 1}), ("small", {"n": 2}), ("large", {"n": 3})]


def test_all_are_compared_to_the_first_in_as_many_processes_as_asked(children: list[Apart]) -> None:
    said: list[str] = []
    found = compare(NAMED, PROTOCOL, Measure(device="cpu", processes=2, energy=True, batches=(16,)), said=said.append)
    assert said == ["process 1 of 2", "process 2 of 2", "memory of 1 of 3", "memory of 2 of 3", "memory of 3 of 3"]
    assert found.names == ("base", "small", "large")
    assert [one.ratio for one in found.latencies] == [1.0, 0.5, 1.5]
    assert found.verdicts == ("faster", "slower")
    assert [one["peak"] for one in found.memory] == [1, 2, 3]
    assert (found.disturbed, found.unknown, found.load) == (("a guest",), ("its heat",), (0.5, 0.5))
    races, alone = children[:2], children[2:]
    assert [(one.what, one.seed, len(one.documents)) for one in races] == [("race", 0, 3), ("race", 1, 3)]
    assert [one.what for one in alone] == ["network"] * 3
    assert {(one.measure.latency, one.measure.energy, one.measure.batches) for one in alone} == {(False, False, ())}


def test_training_steps_are_compared_by_their_own_memory(children: list[Apart]) -> None:
    found = compare(NAMED[:2], PROTOCOL, Measure(device="cpu"), training=True)
    assert all(one.training for one in children)
    assert [one["peak"] for one in found.memory] == [1, 2]
    assert compare(NAMED[:2], PROTOCOL, Measure(device="cpu", memory=False)).memory == ()


def test_a_memory_history_needs_cuda(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        compare(NAMED, PROTOCOL, Measure(device="cpu"), history=tmp_path)
    (problem,) = caught.value.problems
    assert (problem.message, problem.hint) == (
        "the CPU's allocator keeps no memory history.", "Leave out --history, or name a CUDA device.",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.2, 1.1, 1.3, 1.2, 1.25], "slower"),
        ([0.8, 0.9, 0.7, 0.8, 0.85], "faster"),
        ([0.9, 1.1, 1.0, 0.95, 1.05], "no difference shown"),
        ([1.0] * 5, "no difference shown"),
        ([0.5] * 4, "too few rounds to say"),
    ],
)
def test_the_interval_of_the_ratio_is_the_verdict(ratios: list[float], verdict: str) -> None:
    rows = [[(1.0, ratio)] for ratio in ratios]
    one = taken(1.0)
    one = one.model_copy(update={"sample": one.sample.model_copy(update={"blocks": tuple(map(tuple, rows))})})
    latencies = tuple(summary([one], 8, entrant) for entrant in (0, 1))
    found = Comparison(
        names=("a", "b"), latencies=latencies, memory=(), disturbed=(), unknown=(), waited=0.0, exclusive=None, load=()
    )
    assert found.verdicts == (verdict,)
