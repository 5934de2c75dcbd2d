"""Whether a search is over because every point of its space has been settled, told from what was remembered of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from archspec.document import Architecture
from search.dimension import Dimension
from search.space import is_point, size
from studies.records.record import SETTLED, TrialRecord


def is_exhausted(document: dict[str, Any], settled: int, records: Callable[[], Iterable[TrialRecord]]) -> bool:
    """Whether no point is left; False where that is not known, as in a space of infinitely many points.

    Args:
        document: the study as it was last run.
        settled: how many of the search's records are settled.
        records: those of the search, asked for only if they may be enough.
    """
    given = (document.get("search") or {}).get("space") or {}
    try:
        space = {name: Dimension.model_validate(dimension) for name, dimension in given.items()}
        form = Architecture.model_validate(document.get("base")).short_form
    except ValidationError:  # remembered by another version, or with operations that are not installed here
        return False
    levels = len(form[1].ch_mult) if form else 0
    points = size(space, levels)
    if settled < points:
        return False
    chosen = [record.detail.get("chosen") or {} for record in records() if record.status in SETTLED]
    return len({str(sorted(one.items())) for one in chosen if is_point(space, one, levels)}) >= points
