"""Zero-cost scores in a study file. Imports no torch."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from search.scores import Better, Score
from studies.sections.section import Section, Share


def _distinct(names: tuple[Score, ...]) -> tuple[Score, ...]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the score {name} stands twice")
    return names


Scores = Annotated[tuple[Score, ...], AfterValidator(_distinct)]


class Prefilter(Section):
    """Of the proposed points only those are trained whose zero-cost score is among the better ones of the space."""

    by: Score = Field(description="the score that decides")
    keep: Share = Field(0.5, description="the share of random sound points of the space that is good enough, as 0.5")
    better: Better = Field("high", description="whether high or low scores are the better ones")
    sample: Annotated[int, Field(strict=True, ge=8, le=1_000)] = Field(
        32, description="so many random sound points are scored beforehand, to know where the better ones begin"
    )
    timeout: Annotated[float, Field(gt=0)] = Field(
        60, description="seconds to score a point; one that takes longer, or has no score, is not refused"
    )
