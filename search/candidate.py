"""A point that may be trained, as pool and surrogate see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search.dimension import Scalar


@dataclass(frozen=True)
class Candidate:
    """A point that may be trained, and the metrics that are known of it.

    Attributes:
        chosen: its plain choices.
        known: metric -> value, known or predicted before training.
        found: metric -> value after training; None if it is not trained or under way.
        failed: whether its training came to nothing.
    """

    chosen: Mapping[str, Scalar]
    known: Mapping[str, float]
    found: Mapping[str, float] | None = None
    failed: bool = False
