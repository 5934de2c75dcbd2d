"""What a trial's process may use, and what every trial needs before any runs."""

from __future__ import annotations

import resource
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch

from archspec import user_error
from archspec.text.errors import Problem, UserError
from studies.sections.protocol import Digits
from studies.sections.start import Init
from studies.trial import limits
from studies.trial.preparation import Preparation, prepared

# what a process may use


@pytest.mark.parametrize(
    ("asked", "hard", "soft"), [(5e9, resource.RLIM_INFINITY, 5_000_000_000), (5e9, 2_000, 2_000), (1e3, 2_000, 1_000)]
)
def test_memory_is_limited_by_the_lesser_of_two_limits(
    monkeypatch: pytest.MonkeyPatch, asked: float, hard: int, soft: int
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *what: told.append(what))
    limits.limit_memory(asked)
    assert told == [(resource.RLIMIT_DATA, (soft, hard))]
    limits.limit_memory(None)
    assert len(told) == 1


def test_time_that_is_over_ends_the_body_and_the_alarm_is_put_back() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(limits.TimeIsOver), limits.time_limit(1000):
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 1000
        signal.raise_signal(signal.SIGALRM)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with limits.time_limit(None):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.5, "0.5 s"), (59, "59 s"), (60, "1 min"), (90, "90 s"), (1800, "30 min"), (3600, "1 h"), (5400, "90 min")],
)
def test_durations_are_told_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert limits.duration(seconds) == text


def test_a_trial_whose_time_was_over_says_its_limit() -> None:
    found = limits.timed_out(7200, 7201.5)
    assert (found.status, found.wall, found.detail) == ("failed", 7201.5, {"timeout": 7200})
    assert found.reason == "the trial took longer than run.timeout (2 h) and was stopped"


@pytest.mark.parametrize(
    ("index", "devices", "visible", "given"),
    [
        (0, 1, "", {}),
        (0, 2, "", "0"),
        (3, 2, "", "1"),
        (1, 2, "5, GPU-7", "GPU-7"),
        (2, 2, "5,7", "5"),
        (0, 2, " , ", "0"),
    ],
)
def test_workers_take_the_devices_in_turn(index: int, devices: int, visible: str, given: Any) -> None:
    found = limits.device_environment(index, devices, {"CUDA_VISIBLE_DEVICES": visible})
    assert found == ({"CUDA_VISIBLE_DEVICES": given} if given else {})


# what every trial needs


@pytest.fixture
def needs(monkeypatch: pytest.MonkeyPatch) -> Callable[[list[Problem]], None]:
    """Data that can be had, or not."""

    def set_to(problems: list[Problem]) -> None:
        def load(data: object) -> None:
            if problems:
                raise UserError(problems)

        monkeypatch.setattr("studies.training.data.dataset.load", load)

    return set_to


def test_a_study_that_cannot_be_run_is_told_why(needs: Callable[[list[Problem]], None]) -> None:
    needs(
        [
            Problem(code="U001", message="no data.", hint="Get some.", file="a.npz"),
            Problem(code="U001", message="Nor more."),
        ]
    )
    assert prepared(Preparation(device="cpu", data=Digits())) == ("a.npz: no data. Get some.; Nor more.", 0)


@pytest.mark.parametrize(("device", "places"), [("cpu", 1), ("auto", 3), ("cuda", 3), ("cuda:1", 1)])
def test_trials_have_as_many_devices_as_are_named(
    needs: Callable[[list[Problem]], None], monkeypatch: pytest.MonkeyPatch, device: str, places: int
) -> None:
    needs([])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert prepared(Preparation(device=device, data=Digits())) == (None, places)


def test_a_checkpoint_is_looked_at_before_anything_runs(
    needs: Callable[[list[Problem]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs([])

    def damaged(init: Init) -> None:
        raise user_error(f"{init.source} is damaged.")

    monkeypatch.setattr("studies.training.pretrained.check_checkpoint", damaged)
    given = Preparation(device="cpu", data=Digits(), init=Init.model_validate({"from": "/w.pt"}))
    assert prepared(given) == ("/w.pt is damaged.", 0)
