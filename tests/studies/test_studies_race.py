"""Rounds of calls against each other, by a clock that only counts what the test tells it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from studies.measure import race as races
from studies.measure.calls import Call, inference, sample_batch, training
from studies.measure.conditions import Conditions
from studies.measure.intervals import half_width, median_interval
from studies.measure.latency import Taken, summary, take
from studies.measure.race import race, warm_up
from studies.measure.reference import ReferenceNetwork, reference_call
from studies.measure.stopwatch import Lap, wall_clock
from studies.sections.protocol import Measure, Protocol

CPU = torch.device("cpu")


def told(seconds: Sequence[float]) -> Callable[[Call], Lap]:
    """A stopwatch that says the given seconds one after another."""
    times = iter(seconds)

    def seconds_of(call: Call) -> Lap:
        seconds = next(times)
        return Lap(seconds, 0.0, seconds)

    return seconds_of


class Clock:
    """A machine whose time goes only while calls run: a call says how long it takes, `load` how much longer it gets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, load: Callable[[float], float] = lambda now: 1.0) -> None:
        self.now = 0.0
        self.load = load
        self.ran: list[Call] = []
        monkeypatch.setattr(races.time, "perf_counter", lambda: self.now)

    def __call__(self, call: Call) -> Lap:
        self.ran.append(call)
        seconds: Any = call()
        wall = seconds * self.load(self.now)
        self.now += wall
        return Lap(wall, seconds / 2, seconds)


def takes(seconds: float) -> Call:
    return lambda: seconds


# warm-up


def test_warm_up_ends_after_three_calls_without_a_gain() -> None:
    assert warm_up(lambda: None, told([9.0, 3.0, 2.0, 1.0, 0.97, 1.4, 1.0]), 100) == (7, True, 0.97)


def test_a_gain_starts_the_count_anew_and_noise_does_not() -> None:
    assert warm_up(lambda: None, told([1.0, 1.5, 1.0, 0.5, 2.0, 0.5, 0.49]), 100) == (7, True, 0.49)


def test_warm_up_that_never_settles_says_so() -> None:
    assert warm_up(lambda: None, told([0.9**i for i in range(60)]), 100)[:2] == (50, False)
    assert warm_up(lambda: None, told([3.0, 1.0]), 2.0) == (1, False, 3.0)


# rounds


def test_rounds_stop_when_the_interval_is_narrow_and_the_least_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    quiet = race([takes(0.01), takes(0.02)], clock, Measure(rounds=10, min_seconds=0.0, max_seconds=9.0))
    assert (quiet.narrow, sum(map(len, quiet.blocks)), len(quiet.blocks)) == (True, 18, 6)
    longer = race([takes(0.01), takes(0.02)], clock, Measure(rounds=10, min_seconds=1.0, max_seconds=9.0))
    rounds = sum(map(len, longer.blocks))
    assert (longer.narrow, 25 <= rounds <= 30) == (True, True)  # a round lasts 0.04 s
    more = race([takes(0.01), takes(0.02)], clock, Measure(rounds=40, min_seconds=0.0, max_seconds=9.0))
    assert sum(map(len, more.blocks)) == 42  # the next end of a block


def test_rounds_stop_at_the_limit_when_the_interval_stays_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(0)
    clock = Clock(monkeypatch, lambda now: noise.uniform(1, 3))
    wide = race([takes(0.01), takes(0.01)], clock, Measure(rounds=10, min_seconds=0.0, max_seconds=2.0))
    assert not wide.narrow
    assert 40 < sum(map(len, wide.blocks)) < 60  # a round lasts 0.04 s in the mean
    few = race([takes(5.0), takes(5.0)], clock, Measure(rounds=10, min_seconds=0.0, max_seconds=2.0))
    assert sum(map(len, few.blocks)) == races.FEWEST_ROUNDS


def test_a_fast_call_is_repeated_until_it_lasts_as_long_as_the_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    sample = race([takes(0.002), takes(0.03)], clock, Measure(rounds=3, min_seconds=0.0, max_seconds=0.1))
    assert sample.repeats == (15, 1)
    assert sample.seconds(0)[0] == pytest.approx([0.002] * len(sample.blocks[0]))
    assert sample.ratios(1)[0] == pytest.approx([15.0] * len(sample.blocks[0]))
    assert sample.cpu[0][0] == pytest.approx((0.001, 0.015))
    least = race([takes(1e-6), takes(10.0)], clock, Measure(rounds=3, min_seconds=0.0, max_seconds=0.1))
    assert least.repeats == (races.MOST_REPEATS, 1)


def test_short_calls_run_once_untimed_before_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = [0, 0]

    def counted(entrant: int, seconds: float) -> Call:
        def call() -> float:
            ran[entrant] += 1
            return seconds

        return call

    for seconds, extra in ((0.01, 1), (0.06, 0)):
        ran[:] = [0, 0]
        clock = Clock(monkeypatch)
        calls = [counted(0, seconds), counted(1, seconds)]
        sample = race(calls, clock, Measure(rounds=3, min_seconds=0.0, max_seconds=0.2))
        rounds = sum(map(len, sample.blocks))
        assert ran == [4 + rounds * (1 + extra)] * 2
        assert len(clock.ran) == 2 * (4 + rounds)


def test_the_order_within_rounds_is_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    calls = [takes(0.01), takes(0.01), takes(0.01)]
    race(calls, clock, Measure(rounds=60, min_seconds=0.0, max_seconds=60.0))
    rounds = [clock.ran[i : i + 3] for i in range(len(clock.ran) - 180, len(clock.ran), 3)]
    assert all({id(call) for call in one} == {id(call) for call in calls} for one in rounds)
    firsts = [[one[0] is call for one in rounds].count(True) for call in calls]
    assert min(firsts) > 8


def test_the_ratio_cancels_a_machine_that_gets_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, lambda now: 1 + now)
    measure = Measure(rounds=40, min_seconds=0.0, max_seconds=60.0)
    taken = take([takes(0.002), takes(0.006)], CPU, measure, watch=Calm, seconds_of=clock)
    found = summary([taken], 8)
    assert found.p90 / found.p10 > 1.3
    assert found.ratio == pytest.approx(3.0, rel=0.02)
    assert found.ratio_interval is not None
    assert found.ratio_interval[0] <= 3.0 <= found.ratio_interval[1]


# conditions


class Calm:
    """Nothing disturbs."""

    words: tuple[str, ...] = ()

    def __init__(self, device: torch.device) -> None:
        del device

    def ended(self) -> Conditions:
        return Conditions(before={}, after={}, disturbed=self.words, unknown=())


def test_a_disturbed_measurement_is_taken_again_and_the_calm_one_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = iter([("a guest",), ()])

    class Visited(Calm):
        def ended(self) -> Conditions:
            return Conditions(before={}, after={}, disturbed=next(verdicts), unknown=())

    taken = take([takes(0.01)] * 2, CPU, Measure(min_seconds=0.0), watch=Visited, seconds_of=Clock(monkeypatch))
    assert (taken.attempts, taken.conditions.disturbed) == (2, ())


def test_one_that_stays_disturbed_is_flagged_and_the_narrowest_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    class Visited(Calm):
        words = ("a guest",)

    noise = random.Random(0)
    spread = iter([1.0, 0.01, 2.0])
    loud = [0.0]

    class Louder(Visited):
        def __init__(self, device: torch.device) -> None:
            loud[0] = next(spread)

    clock = Clock(monkeypatch, lambda now: 1 + loud[0] * noise.random())
    measure = Measure(repeats=2, rounds=10, min_seconds=0.0, max_seconds=0.5)
    taken = take([takes(0.01)] * 2, CPU, measure, watch=Louder, seconds_of=clock)
    assert taken.attempts == 3
    found = summary([taken], 8)
    assert found.disturbed == ("a guest",)
    assert found.p90 / found.p10 < 1.02


# what is made of it


def sample_of(*blocks: Sequence[tuple[float, float]]) -> Taken:
    return Taken.model_validate(
        {
            "sample": {
                "blocks": blocks, "cpu": blocks, "repeats": (1, 1), "warmup": (4, 7), "stable": (True, True),
                "narrow": True,
            },
            "conditions": {"before": {}, "after": {}, "disturbed": (), "unknown": ()},
            "attempts": 1,
        }
    )  # fmt: skip


def test_processes_are_put_together() -> None:
    one = sample_of([(1.0, 2.0), (1.0, 2.0)], [(1.0, 2.2), (2.0, 4.0)])
    other = sample_of([(10.0, 20.0), (10.0, 22.0)], [(10.0, 18.0)], [(10.0, 20.0)])
    found = summary([one, other], 8, own_process=False)
    assert (found.rounds, found.blocks, found.processes, found.warmup) == (8, 5, 2, 7)
    assert found.ratio == 2.0
    assert found.median == np.median([2, 2, 2.2, 4, 20, 22, 18, 20])
    assert found.throughput == 8 / found.median
    assert found.reference == 6.0
    assert found.ratio_interval is not None
    assert 1.8 <= found.ratio_interval[0] <= 2.0 <= found.ratio_interval[1] <= 2.2
    assert summary([one], 8).processes == 0


def test_few_blocks_have_no_interval() -> None:
    found = summary([sample_of(*[[(1.0, 2.0), (1.0, 2.2), (1.0, 1.9)]] * 4)], 8)
    assert (found.interval, found.ratio_interval, found.ratio) == (None, None, 2.0)
    assert half_width(median_interval([[np.ones(3)]]), 1.0) == float("inf")


@pytest.mark.parametrize(("blocks", "least"), [(5, 0.85), (20, 0.9)])
def test_intervals_cover_the_median_as_often_as_they_say(blocks: int, least: float) -> None:
    draw = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        nested = [[draw.normal(size=5) + 0.3 * draw.normal() for _ in range(blocks)]]
        low, high = median_interval(nested, 200)
        hits += low <= 0.0 <= high
    assert least < hits / 200 <= 1.0


def test_intervals_do_not_depend_on_the_run_and_take_uneven_processes() -> None:
    nested = [[np.arange(5.0), np.arange(3.0), np.arange(4.0)], [np.arange(5.0), np.arange(2.0)]]
    assert median_interval(nested) == median_interval(nested)
    low, high = median_interval(nested)
    assert 0.0 <= low < high <= 4.0


# the real thing


def test_real_calls_are_timed() -> None:
    batch = sample_batch((3, 32, 32), 8, 1000, CPU)
    measure = Measure(rounds=5, min_seconds=0.0, max_seconds=1.0, repeats=0)
    for kind in (inference, training):
        call = kind(ReferenceNetwork(), batch, Protocol(), CPU).call
        found = summary([take([reference_call(kind, CPU), call], CPU, measure)], 8)
        assert found.rounds >= 3
        assert 0 < found.p10 <= found.median <= found.p90
        assert found.cpu > 0
        assert 0.2 < found.ratio < 5  # the reference against itself, on a machine that may be busy
    assert wall_clock(lambda: sum(range(200_000))).cpu > 0


def test_the_reference_is_always_the_same_network() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again = ReferenceNetwork(), ReferenceNetwork()
    assert torch.equal(torch.get_rng_state(), before)
    for a, b in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    assert sum(p.numel() for p in first.parameters()) == 11_139
