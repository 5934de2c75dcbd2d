"""One factor at a time: each factor's levels in turn, everything else as in the base."""

from __future__ import annotations

from studies.study.designs.forms import BASE, Fault, Origin, Proposal, Proposed
from studies.study.designs.levels import Factor, levels_of


def level_name(factor: str, level: str) -> str:
    """How a level is named in a variant: ``factor`` where it is the only other one, else ``factor=level``."""
    return level if factor == level else f"{factor}={level}"


def one_factor(section: dict[str, Factor], origin: Origin) -> Proposed:
    """One variant for each level of each factor but the base's."""
    for name, factor in section.items():
        levels = levels_of(name, factor, origin)
        if isinstance(levels, Fault):
            yield Fault(("one_factor", *levels.path), levels.message, levels.hint)
            continue
        for level, edits in levels.items():
            if level != BASE:
                path = ("one_factor", name)
                yield Proposal(level_name(name, level), edits, path, "one_factor", factors={name: level})
