"""All designs of an ablation together: from its section of the study file to one list of variants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archspec import fingerprint
from archspec.build import check_spec
from studies.study.designs.add_one_in import add_one_in
from studies.study.designs.factorial import factorial
from studies.study.designs.forms import BASE, Fault, Losses, Origin, Proposal, Proposed
from studies.study.designs.leave_one_out import leave_one_out
from studies.study.designs.matched import matched
from studies.study.designs.one_factor import one_factor
from studies.study.designs.path import path

if TYPE_CHECKING:
    from studies.study.document import Ablation

#: key below ``ablation:`` -> its section and the base to the variants it asks for
DESIGNS: dict[str, Callable[[Any, Origin], Proposed]] = {
    "leave_one_out": leave_one_out,
    "add_one_in": add_one_in,
    "one_factor": one_factor,
    "factorial": factorial,
}


@dataclass
class Expansion:
    """The variants of an ablation in order, and what could not be made.

    Attributes:
        variants: every variant but the base, names distinct.
        faults: designs or variants that cannot be made.
        same: name of a variant that a design asked for and that is another one already -> that one's name.
        base_factors: the base's levels where it is a cell of a factorial.
    """

    variants: list[Proposal] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    same: dict[str, str] = field(default_factory=dict)
    base_factors: dict[str, str] = field(default_factory=dict)


def expand(ablation: Ablation, origin: Origin, losses: Losses | None = None, seeds: tuple[int, ...] = ()) -> Expansion:
    """Every variant that the section asks for.

    Args:
        ablation: the section.
        origin: the base.
        losses: what is known of the variants, for designs that go on by results.
        seeds: the seeds that such a design waits for.
    """
    found = Expansion()
    marks = {fingerprint(origin.graph): BASE}
    for one in _proposed(ablation, origin, losses or {}, seeds):
        if isinstance(one, Fault):
            found.faults.append(one)
        elif one.name == BASE:
            found.base_factors = dict(one.factors)
        else:
            _take(found, one, origin, marks)
    return found


def _take(found: Expansion, one: Proposal, origin: Origin, marks: dict[str, str]) -> None:
    if any(other.name == one.name for other in found.variants):
        found.faults.append(Fault(one.path, f"two variants are called `{one.name}`.", "Give one another name."))
        return
    graph = check_spec(origin.spec.with_edits(one.edits)).graph
    mark = fingerprint(graph) if graph is not None else None
    # Every cell of a factorial and of a path is needed; others would be counted twice.
    if mark in marks and one.design not in ("variants", "factorial", "path"):
        found.same[one.name] = marks[mark]
        return
    if mark is not None:
        marks.setdefault(mark, one.name)
    found.variants.append(one)


def _proposed(ablation: Ablation, origin: Origin, losses: Losses, seeds: tuple[int, ...]) -> Iterator[Proposal | Fault]:
    before: list[Proposal] = []
    for one in _fixed(ablation, origin):
        before += [one] if isinstance(one, Proposal) and one.name != BASE else []
        yield one
    if ablation.matched is not None:
        yield from matched(ablation.matched, origin, before)
    if ablation.path is not None:
        yield from path(ablation.path, origin, losses, seeds)


def _fixed(ablation: Ablation, origin: Origin) -> Iterator[Proposal | Fault]:
    for name, edits in ablation.variants.items():
        yield Proposal(name, edits, ("variants", name), "variants")
    for key, propose in DESIGNS.items():
        section = getattr(ablation, key)
        if section:
            yield from propose(section, origin)
