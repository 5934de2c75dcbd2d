"""The points that a search begins with: the base, those picked by hand, neighbours of the base."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from search.space import Scalar, point
from search.start import base_point, chosen_of, near_base
from studies.study.budgets import needs_the_base
from studies.study.document import Search

if TYPE_CHECKING:
    from studies.study.study import Study


def with_base(study: Study, search: Search, values: dict[str, Any]) -> dict[str, Any]:
    """Values of a point, those that are not given being the base's, where the base is a point of the space."""
    base = base_point(study.spec, search.space, study.levels)
    return {**(point(search.space, base, study.levels) if base else {}), **values}


def first_points(study: Study, search: Search) -> Iterator[dict[str, Scalar]]:
    """What is proposed before the sampler is asked; the base first, if a budget needs it or it is asked for."""
    space, levels = search.space, study.levels
    base = base_point(study.spec, space, levels)
    if base is not None and (search.include_base or needs_the_base(study)):
        yield base
    for values in search.start:
        picked = chosen_of(space, with_base(study, search, values), levels)
        if picked is not None:
            yield picked
    if base is not None:
        yield from near_base(space, levels, base, search.near_base, search.sampler.seed)
