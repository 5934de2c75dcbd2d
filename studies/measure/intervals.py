"""Intervals of medians from timed rounds that lie in blocks, and blocks that lie in processes.

Rounds that follow each other are alike, and so are those of one process, so the bootstrap draws processes, then blocks
within them, and keeps the rounds of a block together (hierarchical bootstrap, Davison & Hinkley 1997, section 3.8).
Percentile intervals of few blocks are too narrow; they are widened to what a t interval of as many means would be
(Hesterberg 2015, "What teachers should know about the bootstrap", expanded percentiles).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import special

Floats = npt.NDArray[np.float64]
#: [process][block] -> one value for each round.
Nested = Sequence[Sequence[Floats]]
Interval = tuple[float, float]

DRAWS = 1000
LEVEL = 0.95
#: Of fewer blocks not even the whole range holds the median as often as a 95 % interval should.
FEWEST_BLOCKS = 5


def pooled(nested: Nested) -> Floats:
    """All values, whatever block and process they are of."""
    return np.concatenate([block for blocks in nested for block in blocks])


def median_interval(nested: Nested, draws: int = DRAWS, seed: int = 0) -> Interval:
    """95 % interval of the median by the hierarchical bootstrap.

    Args:
        nested: at least one process with at least one block with at least one value.
        draws: bootstrap samples.
        seed: of the draws.

    Returns:
        (low, high); not finite where there are fewer than five blocks, which say too little of their spread.
    """
    blocks = sum(len(process) for process in nested)
    if blocks < FEWEST_BLOCKS:
        return -math.inf, math.inf
    medians = _medians(_padded(nested), [len(process) for process in nested], draws, np.random.default_rng(seed))
    tail = _expanded_tail(blocks)
    low, high = np.quantile(medians, [tail, 1 - tail])
    return float(low), float(high)


def half_width(interval: Interval, centre: float) -> float:
    """Half the width of an interval relative to its centre."""
    return (interval[1] - interval[0]) / 2 / centre


def _expanded_tail(n: int) -> float:
    """Share of bootstrap draws in each tail that makes percentiles as wide as a t interval of n values."""
    t = special.stdtrit(n - 1, (1 + LEVEL) / 2)
    return float(special.ndtr(-t * math.sqrt(n / (n - 1))))


def _padded(nested: Nested) -> Floats:
    """``[process, block, round]`` with NaN where a process has fewer blocks or a block fewer rounds."""
    shape = (len(nested), max(map(len, nested)), max(len(block) for blocks in nested for block in blocks))
    values = np.full(shape, np.nan)
    for p, blocks in enumerate(nested):
        for b, block in enumerate(blocks):
            values[p, b, : len(block)] = block
    return values


def _medians(values: Floats, blocks: list[int], draws: int, generator: np.random.Generator) -> Floats:
    """Medians of bootstrap samples ``[draws]``."""
    processes, most, _ = values.shape
    p = generator.integers(processes, size=(draws, processes))
    number = np.asarray(blocks)[p]
    b = (generator.random((draws, processes, most)) * number[..., None]).astype(int)
    p, wanted = p[..., None], np.arange(most) < number[..., None]
    drawn = values[p, b]
    drawn[~wanted] = np.nan
    medians: Floats = np.nanmedian(drawn.reshape(draws, -1), axis=1)
    return medians
