"""Leave one out: each part of the base taken out by itself. It cannot see interactions between parts."""

from __future__ import annotations

from studies.study.designs.forms import Fault, Origin, Proposal, Proposed
from studies.study.designs.parts import PartChoice, nothing_there, parts


def leave_one_out(section: tuple[PartChoice, ...], origin: Origin) -> Proposed:
    """One variant for each part: ``without PART``."""
    for index, choice in enumerate(section):
        path = ("leave_one_out", index)
        found = parts(origin, choice)
        if not found:
            yield Fault(path, *nothing_there(origin, choice))
        for name, edits in found:
            yield Proposal(f"without {name}", edits, path, "leave_one_out")
