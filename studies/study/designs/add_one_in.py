"""Add one in: a base stripped of several parts, and each part put back by itself. Compared to the stripped base."""

from __future__ import annotations

from itertools import chain

from pydantic import Field

from archspec.edits.edit import Edit
from studies.sections.protocol import Section
from studies.study.designs.forms import Edits, Fault, Label, Origin, Proposal, Proposed, errors_of
from studies.study.designs.parts import PartChoices, nothing_there, parts

STRIPPED = "stripped"


class AddOneIn(Section):
    """The parts that are taken out together and put back one at a time."""

    parts: PartChoices | None = Field(None, description="parts by word or selector, as in leave_one_out")
    edits: dict[Label, Edits] = Field(default_factory=dict, description="further parts: name -> edits that take it out")


def add_one_in(section: AddOneIn, origin: Origin) -> Proposed:
    """The variant ``stripped``, and ``stripped + PART`` for each part."""
    taken: dict[str, tuple[Edit, ...]] = {}
    faults = []
    for index, choice in enumerate(section.parts or ()):
        found = dict(parts(origin, choice))
        if not found:
            faults.append(Fault(("add_one_in", "parts", index), *nothing_there(origin, choice)))
        taken |= found
    taken |= section.edits
    if faults:
        yield from faults
        return
    if len(taken) < 2:
        message = f"add_one_in has {len(taken)} part, and putting it back gives the base."
        yield Fault(("add_one_in",), message, "Name at least two parts.")
        return
    path = ("add_one_in",)
    yield Proposal(STRIPPED, _without(taken, None), path, "add_one_in")
    for name in taken:
        edits = _without(taken, name)
        if not errors_of(origin, edits):
            yield Proposal(f"{STRIPPED} + {name}", edits, path, "add_one_in", STRIPPED)
        else:
            said = errors_of(origin, edits)[0].message
            yield Fault(path, f"`{name}` cannot be put back by itself: {said}")


def _without(taken: dict[str, tuple[Edit, ...]], kept: str | None) -> tuple[Edit, ...]:
    edits = list(chain.from_iterable(edits for name, edits in taken.items() if name != kept))
    # Edits of the short form come first, whatever part they belong to.
    return tuple(sorted(edits, key=lambda edit: edit.changes is None))
