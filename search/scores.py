"""Zero-cost scores: their names, those that the graph alone tells, and the rule of a pre-filter.

What needs torch is computed elsewhere (`studies.scores`) and handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from archspec.graphs.graph import ArchGraph, shape_of, total_price
from archspec.ops.shapes import Embedding, FeatureMap, Shape, Tokens

Score = Literal["parameters", "flops", "activation_bytes", "grad_norm", "snip", "synflow"]

SCORES: tuple[Score, ...] = get_args(Score)
#: Known from the graph alone; the others need the network itself.
OF_THE_GRAPH: frozenset[Score] = frozenset({"parameters", "flops", "activation_bytes"})

Better = Literal["high", "low"]


def graph_scores(graph: ArchGraph, names: Sequence[Score]) -> dict[Score, float]:
    """Those of the scores that the graph alone tells.

    `flops` are two for each multiply-accumulate, of one image; `activation_bytes` are those of every node's output in
    float32, of one image.
    """
    price = total_price(graph)
    known: dict[Score, float] = {
        "parameters": float(price.parameters),
        "flops": 2.0 * price.macs,
        "activation_bytes": 4.0 * sum(_elements(shape_of(graph, node)) for node in graph),
    }
    return {name: known[name] for name in names if name in known}


def _elements(shape: Shape) -> int:
    match shape:
        case FeatureMap(channels, size):
            return channels * size * size
        case Embedding(dim):
            return dim
        case Tokens(length, dim):
            return length * dim
        case _:
            return 1


@dataclass(frozen=True)
class Threshold:
    """What a score is held against.

    Attributes:
        score: its name.
        value: the last score that is good enough.
        better: whether high or low scores are.
        keep: the share of sound points of the space that is good enough.
        known: how many random sound points have the score, from which `value` was found.
    """

    score: Score
    value: float
    better: Better
    keep: float
    known: int

    def refusal(self, scores: Mapping[Score, float]) -> str | None:
        """Why a point is not trained; None if it is good enough or its score is not known."""
        found = scores.get(self.score)
        if found is None or (found >= self.value if self.better == "high" else found <= self.value):
            return None
        side = "under" if self.better == "high" else "over"
        return (
            f"pre-filter: {self.score} is {found:.4g}, {side} {self.value:.4g}, where the better {self.keep:.0%} of "
            f"{self.known} random points begin"
        )


def threshold(score: Score, better: Better, keep: float, found: Sequence[float]) -> Threshold | None:
    """The threshold that keeps the better share of a random sample of scores; None without any score."""
    if not found:
        return None
    ordered = sorted(found, reverse=better == "high")
    last = max(1, round(keep * len(ordered))) - 1
    return Threshold(score, ordered[last], better, keep, len(ordered))
