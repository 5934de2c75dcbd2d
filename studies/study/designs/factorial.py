"""Factorial designs: every combination of levels, or a fraction of them whose resolution is stated."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from studies.sections.protocol import Section
from studies.study.designs.forms import BASE, Fault, Label, Origin, Proposal, Proposed
from studies.study.designs.fraction import fraction
from studies.study.designs.levels import AnyFactor, Levels, in_order, levels_of
from studies.study.designs.one_factor import level_name

MOST_CELLS = 64


class Factorial(Section):
    """Factors that are varied together, so that interactions can be seen."""

    factors: dict[Label, AnyFactor] = Field(min_length=2, max_length=8, description="factor -> its other levels")
    resolution: Annotated[int, Field(strict=True, ge=3, le=7)] | None = Field(
        None,
        description="of a fraction of two-level factors: 3 aliases main effects with interactions of two factors, 4 "
        "those interactions with each other, 5 neither; null: every combination",
    )

    @model_validator(mode="after")
    def _names_can_stand_in_a_formula(self) -> Factorial:
        wrong = [name for name in self.factors if ":" in name or " x " in name]
        if wrong:
            raise ValueError(f"`{wrong[0]}` has `:` or ` x ` in it, which stand between the factors of an interaction")
        return self


def factorial(section: Factorial, origin: Origin) -> Proposed:
    """One variant for each combination; the one of the base's own levels is the base and comes with its factors."""
    levels: dict[str, Levels] = {}
    for name, factor in section.factors.items():
        found = levels_of(name, factor, origin)
        if isinstance(found, Fault):
            yield Fault(("factorial", "factors", *found.path), found.message, found.hint)
        else:
            levels[name] = found
    if len(levels) < len(section.factors):
        return
    rows = combinations_of(section, levels)
    if isinstance(rows, Fault):
        yield rows
        return
    for row in rows:
        edits = in_order(chain.from_iterable(levels[name][level] for name, level in row.items()))
        others = [level_name(name, level) for name, level in row.items() if level != BASE]
        yield Proposal(" + ".join(others) or BASE, edits, ("factorial",), "factorial", factors=row)


def combinations_of(section: Factorial, levels: dict[str, Levels]) -> list[dict[str, str]] | Fault:
    """The rows of the design, factor -> level, the base's own first; or why there is none."""
    names = [list(levels[name]) for name in levels]
    counts = [len(found) for found in names]
    if section.resolution is None:
        if np.prod(counts) > MOST_CELLS:
            message = f"the full factorial has {int(np.prod(counts))} combinations; at most {MOST_CELLS} are made."
            return Fault(("factorial",), message, "State a `resolution` for a fraction, or leave factors out.")
        # Here, since pyDOE3 brings scipy.stats and more: 80 MiB for every study that has no such design.
        from pyDOE3 import fullfact

        return [_row(levels, indices) for indices in fullfact(counts).astype(int).tolist()]
    more = [name for name, count in zip(levels, counts, strict=True) if count != 2]
    if more:
        message = f"a fraction needs factors of two levels, and `{more[0]}` has {len(levels[more[0]])}."
        return Fault(("factorial", "resolution"), message, "Leave `resolution` out for every combination.")
    chosen = fraction(len(levels), section.resolution)
    if chosen is None:
        message = f"there is no fraction of {len(levels)} factors with resolution {section.resolution}."
        return Fault(("factorial", "resolution"), message, "Leave `resolution` out for every combination.")
    return [_row(levels, [int(value > 0) for value in run]) for run in chosen.runs]


def _row(levels: dict[str, Levels], indices: Iterable[int]) -> dict[str, str]:
    return {name: list(levels[name])[index] for name, index in zip(levels, indices, strict=True)}
