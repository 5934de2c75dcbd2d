"""Latency of a call, timed against a fixed reference network.

How the rounds go is said in `race`; how intervals are taken, in `intervals`. On a machine with other load the absolute
median wanders by tens of per cent while the median of the paired ratios stays within a few, so comparisons should use
the ratio. What disturbs a measurement is watched (`conditions`); a disturbed one is taken again `repeats` times, the
narrowest of them is kept, and if it is a disturbed one, it says so.

Times are seconds of the whole batch: `perf_counter` on the CPU, CUDA events on CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from studies.measure.allocator import freed_memory_kept
from studies.measure.calls import Call
from studies.measure.conditions import Conditions, Watch
from studies.measure.intervals import Interval, half_width, median_interval, pooled
from studies.measure.race import Sample, race
from studies.measure.stopwatch import Stopwatch, stopwatch
from studies.sections.protocol import Measure, Section


class Taken(Section):
    """One process's measurement: the kept sample, and under what conditions it was taken.

    Attributes:
        sample: the rounds.
        conditions: of the kept sample.
        attempts: measurements that were taken; more than one where the first was disturbed.
    """

    sample: Sample
    conditions: Conditions
    attempts: int


class Latency(Section):
    """Seconds of one call over its rounds.

    Attributes:
        median: of the call, in seconds.
        p10: tenth percentile, in seconds.
        p90: ninetieth percentile, in seconds.
        interval: 95 % interval of the median, in seconds; it knows nothing of a machine that drifts between runs.
        throughput: images per second at the median.
        cpu: median CPU time of a call, in seconds, all threads together.
        ratio: median over rounds of the call's time by the reference's.
        ratio_interval: 95 % interval of the ratio.
        reference: median of the reference, in seconds.
        rounds: number of timed rounds.
        blocks: blocks of rounds, over all processes.
        processes: fresh processes that measured; 0: the one that trained.
        warmup: calls before the rounds; the most of any process.
        stable: whether each warm-up ended by its rule and not at its limit.
        narrow: whether the rounds ended because the interval was narrow enough and not at their limit.
        disturbed: what disturbed the kept measurement; empty where nothing is known to have.
        attempts: measurements that were taken for it.
    """

    median: float
    p10: float
    p90: float
    interval: Interval | None
    throughput: float
    cpu: float
    ratio: float
    ratio_interval: Interval | None
    reference: float
    rounds: int
    blocks: int
    processes: int
    warmup: int
    stable: bool
    narrow: bool
    disturbed: tuple[str, ...]
    attempts: int

    def as_dict(self) -> dict[str, Any]:
        """The attributes under their names, as plain data."""
        return self.model_dump(mode="json")


def take(
    calls: Sequence[Call],
    device: torch.device,
    measure: Measure,
    *,
    watch: Callable[[torch.device], Watch] = Watch,
    seconds_of: Stopwatch | None = None,
) -> Taken:
    """Time calls against the first of them on a device, again where something disturbed it.

    Args:
        calls: the reference and what is compared to it.
        device: where they run.
        measure: rounds, seconds, precision and repeats.
        watch: what looks for disturbances.
        seconds_of: the stopwatch; default the device's own.
    """
    seconds_of = seconds_of or stopwatch(device)
    best: Taken | None = None
    for attempt in range(1, measure.repeats + 2):
        watching = watch(device)
        with freed_memory_kept():
            sample = race(calls, seconds_of, measure, seed=attempt - 1)
        taken = Taken(sample=sample, conditions=watching.ended(), attempts=attempt)
        if not taken.conditions.disturbed:
            return taken
        if best is None or _width(taken) < _width(best):
            best = taken
    assert best is not None
    return best.model_copy(update={"attempts": measure.repeats + 1})


def _width(taken: Taken) -> float:
    """Half-width of the widest ratio's interval."""
    sample = taken.sample
    entrants = range(1, len(sample.repeats))
    nested = [[sample.ratios(entrant)] for entrant in entrants]
    return max(half_width(median_interval(one), float(np.median(pooled(one)))) for one in nested)


def summary(taken: Sequence[Taken], images: int, entrant: int = 1, *, own_process: bool = True) -> Latency:
    """What several processes found about one entrant, put together.

    Args:
        taken: one for each process.
        images: images per call, for the throughput.
        entrant: which of the calls; 0 is the reference.
        own_process: whether the measuring process was the trial's own.
    """
    samples = [one.sample for one in taken]
    seconds = [sample.seconds(entrant) for sample in samples]
    ratios = [sample.ratios(entrant) for sample in samples]
    p10, median, p90 = (float(q) for q in np.quantile(pooled(seconds), [0.1, 0.5, 0.9]))
    cpu = [row[entrant] for sample in samples for block in sample.cpu for row in block]
    disturbed = dict.fromkeys(reason for one in taken for reason in one.conditions.disturbed)
    return Latency(
        median=median,
        p10=p10,
        p90=p90,
        interval=_finite(median_interval(seconds)),
        throughput=images / median,
        cpu=float(np.median(cpu)),
        ratio=float(np.median(pooled(ratios))),
        ratio_interval=_finite(median_interval(ratios)),
        reference=float(np.median(pooled([sample.seconds(0) for sample in samples]))),
        rounds=len(pooled(seconds)),
        blocks=sum(len(sample.blocks) for sample in samples),
        processes=0 if own_process else len(taken),
        warmup=max(sample.warmup[entrant] for sample in samples),
        stable=all(sample.stable[entrant] for sample in samples),
        narrow=all(sample.narrow for sample in samples),
        disturbed=tuple(disturbed),
        attempts=sum(one.attempts for one in taken),
    )


def _finite(interval: Interval) -> Interval | None:
    return interval if np.isfinite(interval).all() else None
