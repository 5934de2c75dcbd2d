"""Ten thousand random pairs of graphs: one fingerprint if and only if they are one computation."""

from __future__ import annotations

import random
from collections.abc import Hashable
from typing import TYPE_CHECKING

import pytest

import archspec
from tests.random_graphs import Sketch, document, random_sketch
from tests.random_judge import invariant, reduced, same_computation
from tests.random_rewrites import changed, rewritten

if TYPE_CHECKING:
    import networkx as nx

BATCHES, PAIRS = 10, 1_000


class Seen:
    """Every graph so far, by its fingerprint and by what the judge says of it at a glance."""

    def __init__(self) -> None:
        self.facts: dict[str, Hashable] = {}
        self.alike: dict[Hashable, dict[str, nx.DiGraph[int]]] = {}

    def mark(self, sketch: Sketch, truth: nx.DiGraph[int], chance: random.Random) -> str:
        """The fingerprint of a sketch, written in some way; no graph seen before may be at odds with it."""
        written = document(sketch, chance)
        found = archspec.fingerprint(archspec.from_document(written))
        fact = invariant(truth)
        assert self.facts.setdefault(found, fact) == fact, ("a collision", written)
        alike = self.alike.setdefault(fact, {})
        if found not in alike:
            assert not any(same_computation(truth, other) for other in alike.values()), ("a miss", written)
            alike[found] = truth
        assert same_computation(truth, alike[found]), ("a collision", written)
        return found


SEEN = Seen()


@pytest.mark.parametrize("batch", [0, *(pytest.param(batch, marks=pytest.mark.slow) for batch in range(1, BATCHES))])
def test_no_collision_and_no_miss_among_ten_thousand_pairs(batch: int) -> None:
    chance = random.Random(batch)
    same = 0
    for number in range(PAIRS):
        one = random_sketch(chance)
        is_rewrite = number % 2 == 0
        other = rewritten(one, chance) if is_rewrite else changed(one, chance)
        truths = reduced(one), reduced(other)
        equal = same_computation(*truths)
        assert equal or not is_rewrite, (one, other)
        marks = [SEEN.mark(sketch, truth, chance) for sketch, truth in zip((one, other), truths, strict=True)]
        assert (marks[0] == marks[1]) == equal
        same += equal
    assert PAIRS // 2 <= same <= PAIRS * 7 // 10  # most changes are real


def test_the_judge_tells_weights_that_are_shared_from_weights_that_are_alike() -> None:
    shared, apart = Sketch(), Sketch()
    for sketch in (shared, apart):
        sketch.put("x", {"op": "input", "channels": 4, "resolution": 8}, {})
        sketch.put("a", {"op": "conv", "out": 4}, {"x": "x"})
    apart.put("b", {"op": "conv", "out": 4}, {"x": "x"})
    for sketch, other in ((shared, "a"), (apart, "b")):
        sketch.put("sum", {"op": "add"}, {"x": "a", "skip": other})
        sketch.put("out", {"op": "output"}, {"x": "sum"})
    assert not same_computation(reduced(shared), reduced(apart))
    assert same_computation(reduced(shared), reduced(shared.copy()))
