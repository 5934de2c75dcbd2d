"""Calls timed against each other: warm-up, then blocks of rounds in which each has its turn.

*Warm-up*: a call is repeated until three calls in a row were not more than 5 % faster than the fastest before them
(warming up only makes calls faster), at most 50 times or for `max_seconds`.

*Rounds*: in each, every entrant runs once, in an order drawn anew. An entrant that is faster than the slowest repeats
its call until it ran about as long: load on the machine comes in slices of milliseconds, and two calls feel it alike
only if they last alike. How long they last is judged by CPU time where there is one. Before its turn a short call runs
once untimed: caches are full of another's data. What is kept of a round is each entrant's mean time per call; ratios
are taken within rounds. Three rounds are a *block*.

*The end*: there were `rounds` of them and six blocks, `min_seconds` went by, and every ratio to the first entrant has a
95 % interval with a half-width of at most `precision`. After `max_seconds` three rounds are enough; fewer than five
blocks have no interval.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import numpy as np

from studies.measure.calls import Call
from studies.measure.intervals import Floats, half_width, median_interval, pooled
from studies.measure.stopwatch import Stopwatch
from studies.sections.protocol import Measure, Section

WARM_CALLS = 50
WARM_STREAK = 3
WARM_GAIN = 0.05
FEWEST_ROUNDS = 3
BLOCK_ROUNDS = 3
#: Before the interval is looked at: the range of six medians holds the true one in 97 of 100 cases.
FEWEST_BLOCKS = 6
#: An entrant's call is repeated at most so often in a round.
MOST_REPEATS = 200
#: Where the slowest call lasts longer than so many seconds, its start with strange caches is no share of it.
PRIMED_BELOW = 0.05
#: Looking at the interval after each block would stop at the first that is narrow by chance.
_LOOK_EVERY = 1.5
_LOOK_DRAWS = 300

Rows = tuple[tuple[float, ...], ...]


class Sample(Section):
    """What one process timed.

    Attributes:
        blocks: ``[block][round][entrant]``, wall-clock seconds per call.
        cpu: the same in seconds of CPU time.
        repeats: calls of each entrant in a round.
        warmup: calls of each entrant before the rounds.
        stable: whether each warm-up ended by its rule and not at its limit.
        narrow: whether the rounds ended because the intervals were narrow enough.
    """

    blocks: tuple[Rows, ...]
    cpu: tuple[Rows, ...]
    repeats: tuple[int, ...]
    warmup: tuple[int, ...]
    stable: tuple[bool, ...]
    narrow: bool

    def seconds(self, entrant: int) -> list[Floats]:
        """Wall-clock seconds per call of an entrant, by block."""
        return [np.array(block)[:, entrant] for block in self.blocks]

    def ratios(self, entrant: int, to: int = 0) -> list[Floats]:
        """Within each round the seconds of one entrant by those of another, by block."""
        return [np.array(block)[:, entrant] / np.array(block)[:, to] for block in self.blocks]


def warm_up(call: Call, seconds_of: Stopwatch, max_seconds: float) -> tuple[int, bool, float]:
    """Repeat a call until it is stable by the rule above.

    Returns:
        Number of calls, whether the rule was met before the limit, and the least work of a call in seconds.
    """
    best, streak, spent, work = float("inf"), 0, 0.0, float("inf")
    for count in range(1, WARM_CALLS + 1):
        seconds, _, own = seconds_of(call)
        work = min(work, own)
        spent += seconds
        streak = 0 if seconds < best * (1 - WARM_GAIN) else streak + 1
        best = min(best, seconds)
        if streak == WARM_STREAK:
            return count, True, work
        if spent > max_seconds:
            return count, False, work
    return WARM_CALLS, False, work


def race(calls: Sequence[Call], seconds_of: Stopwatch, measure: Measure, seed: int = 0) -> Sample:
    """Time calls against each other; see the module's text for the rules.

    Args:
        calls: at least two; the first is what the others are compared to.
        seconds_of: the device's stopwatch.
        measure: numbers of rounds and seconds.
        seed: of the order within rounds.
    """
    warm = [warm_up(call, seconds_of, measure.max_seconds) for call in calls]
    slowest = max(work for _, _, work in warm)
    repeats = [min(MOST_REPEATS, max(1, round(slowest / max(work, 1e-9)))) for _, _, work in warm]
    course = _Course(calls, repeats, seconds_of, random.Random(seed), primed=slowest < PRIMED_BELOW)
    start = time.perf_counter()
    look, narrow = FEWEST_BLOCKS * BLOCK_ROUNDS, False
    while True:
        course.round()
        elapsed = time.perf_counter() - start
        if course.count >= max(measure.rounds, look) and course.count % BLOCK_ROUNDS == 0:
            look = int(look * _LOOK_EVERY)
            narrow = course.is_narrow(measure.precision)
        enough = narrow and elapsed >= measure.min_seconds
        if enough or (course.count >= FEWEST_ROUNDS and elapsed >= measure.max_seconds):
            break
    return Sample(
        blocks=tuple(map(tuple, course.wall)),
        cpu=tuple(map(tuple, course.cpu)),
        repeats=tuple(repeats),
        warmup=tuple(count for count, _, _ in warm),
        stable=tuple(stable for _, stable, _ in warm),
        narrow=narrow,
    )


class _Course:
    """The rounds so far."""

    def __init__(
        self,
        calls: Sequence[Call],
        repeats: Sequence[int],
        seconds_of: Stopwatch,
        coin: random.Random,
        *,
        primed: bool,
    ) -> None:
        self.primed = primed
        self.calls, self.repeats, self.seconds_of, self.coin = calls, repeats, seconds_of, coin
        self.wall: list[list[tuple[float, ...]]] = []
        self.cpu: list[list[tuple[float, ...]]] = []
        self.count = 0

    def round(self) -> None:
        """Let every entrant run once, in an order of its own."""
        if self.count % BLOCK_ROUNDS == 0:
            self.wall.append([])
            self.cpu.append([])
        order = list(range(len(self.calls)))
        self.coin.shuffle(order)
        wall, cpu = [0.0] * len(order), [0.0] * len(order)
        for entrant in order:
            if self.primed:
                self.calls[entrant]()
            laps = [self.seconds_of(self.calls[entrant]) for _ in range(self.repeats[entrant])]
            wall[entrant] = sum(lap.wall for lap in laps) / len(laps)
            cpu[entrant] = sum(lap.cpu for lap in laps) / len(laps)
        self.wall[-1].append(tuple(wall))
        self.cpu[-1].append(tuple(cpu))
        self.count += 1

    def is_narrow(self, precision: float) -> bool:
        """Whether the interval of every ratio to the first entrant is narrow enough."""
        blocks = [np.array(block) for block in self.wall]
        for entrant in range(1, len(self.calls)):
            ratios = [block[:, entrant] / block[:, 0] for block in blocks]
            interval = median_interval([ratios], _LOOK_DRAWS)
            if half_width(interval, float(np.median(pooled([ratios])))) > precision:
                return False
        return True
