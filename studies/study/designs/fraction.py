"""Two-level fractional factorials: which runs, of which resolution, and which effects they cannot tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

#: (factors, resolution) -> generators of the standard fraction with the fewest runs (Box, Hunter & Hunter 1978,
#: table 12.15). pyDOE3's `fracfact_by_res` is not used: it misses fractions (2^(5-1) of resolution V) and gives
#: some that have a lower resolution than asked for (8 factors, V, 32 runs).
GENERATORS: dict[tuple[int, int], str] = {
    (3, 3): "a b ab",
    (4, 4): "a b c abc",
    (5, 3): "a b c ab ac",
    (5, 5): "a b c d abcd",
    (6, 3): "a b c ab ac bc",
    (6, 4): "a b c d abc bcd",
    (6, 6): "a b c d e abcde",
    (7, 3): "a b c ab ac bc abc",
    (7, 4): "a b c d abc bcd acd",
    (7, 7): "a b c d e f abcdef",
    (8, 4): "a b c d bcd acd abc abd",
    (8, 5): "a b c d e f abcd abef",
}

Runs = NDArray[np.float64]


@dataclass(frozen=True)
class Fraction:
    """Runs of a fraction: ``[runs, factors]`` of −1 (the base's level) and +1, and its resolution."""

    runs: Runs
    resolution: int


def fraction(num_factors: int, resolution: int) -> Fraction | None:
    """The smallest standard fraction of at least this resolution; None where only the full factorial has it.

    Its first run is the base: each column is taken times its sign there, which changes neither resolution nor size.
    """
    fitting = [(found, text) for (count, found), text in GENERATORS.items() if count == num_factors]
    good = [(len({*"".join(text.split())}), found, text) for found, text in fitting if found >= resolution]
    if not good:
        return None
    _, found, text = min(good)
    # Here, as in `factorial`: it is heavy, and few studies need it.
    from pyDOE3 import fracfact

    runs: Runs = np.asarray(fracfact(text), dtype=float)
    return Fraction(runs * -runs[0], found)


def effects_up_to(factors: list[str], order: int) -> list[tuple[str, ...]]:
    """Main effects and interactions of up to `order` factors."""
    return [group for size in range(1, order + 1) for group in combinations(factors, size)]


def aliases(runs: Runs, factors: list[str], order: int = 2) -> list[list[tuple[str, ...]]]:
    """Effects of up to `order` factors in groups that these runs cannot tell apart, groups of one included."""
    column = {name: runs[:, index] for index, name in enumerate(factors)}
    groups: dict[tuple[float, ...], list[tuple[str, ...]]] = {}
    for effect in effects_up_to(factors, order):
        product = np.prod([column[name] for name in effect], axis=0)
        # A constant column cannot be told from the mean; of two of opposite sign one is the other's negative.
        groups.setdefault(tuple(product * product[0]), []).append(effect)
    return list(groups.values())
