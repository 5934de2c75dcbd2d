"""A path from the base to another architecture by single edits, the best one first.

Ablation analysis as Fawcett & Hoos 2016 do it between two parameter configurations ("Analysing differences between
algorithm configurations through ablation", J. Heuristics 22; irace's `ablation`), with trainings instead of solver
runs: from where the path is, every edit that is left is trained, and the one with the smallest mean loss is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from pydantic import Field, model_validator

from archspec.build import check_file
from archspec.edits.edit import Edit, flat
from archspec.text.positions import DataPath
from studies.sections.protocol import Section
from studies.study.designs.forms import Edits, Fault, Label, Losses, Origin, Proposal, Proposed, errors_of
from studies.study.designs.levels import in_order


class Path(Section):
    """Where the path leads."""

    to: str | None = Field(
        None, min_length=1, description="another architecture: a file, or zoo/NAME, with the base's short form"
    )
    edits: dict[Label, Edits] | None = Field(None, min_length=2, description="or its single steps: name -> edits")

    @model_validator(mode="after")
    def _has_one(self) -> Path:
        if (self.to is None) == (self.edits is None):
            raise ValueError("needs one of to and edits")
        return self


def steps_of(section: Path, origin: Origin) -> dict[str, tuple[Edit, ...]] | Fault:
    """The single edits of a path by name."""
    if section.edits is not None:
        return dict(section.edits)
    assert section.to is not None
    short, where = origin.short_form, ("path", "to")
    here = origin.folder / section.to
    checked = check_file(here if here.exists() else section.to)
    if checked.spec is None or checked.graph is None:
        said = checked.problems[0]
        return Fault(where, f"`{section.to}` cannot be used: {said.message}", said.hint)
    other = Origin(checked.spec, checked.graph).short_form
    if short is None or other is None or short[0] != other[0]:
        message = f"`{section.to}` and the base do not have one short form."
        return Fault(where, message, "Write the steps as `edits`.")
    key, form = short
    goal = other[1]
    changed = [name for name in type(form).model_fields if getattr(form, name) != getattr(goal, name)]
    foreign = [edit for edit in checked.spec.architecture.edits if edit.kind != key]
    if foreign:
        return Fault(where, f"`{section.to}` has edits of nodes.", "Write the steps as `edits`.")
    if len(changed) < 2:
        message = f"`{section.to}` differs from the base in {len(changed)} parameter."
        return Fault(where, message, "A path needs two steps at least; a variant is enough here.")
    values = goal.model_dump(mode="json")
    return {f"{name}: {flat(values[name])}": (Edit.model_validate({key: {name: values[name]}}),) for name in changed}


def path(section: Path, origin: Origin, losses: Losses, seeds: tuple[int, ...]) -> Proposed:
    """The variants of the path that are known so far: all candidates of each step that has been reached."""
    steps = steps_of(section, origin)
    if isinstance(steps, Fault):
        yield steps
        return
    where: DataPath = ("path",)
    faults = errors_of(origin, in_order(chain.from_iterable(steps.values())))
    if faults:
        yield Fault(where, f"all steps together are no sound architecture: {faults[0].message}", faults[0].hint)
        return
    taken: list[str] = []
    while True:
        candidates = list(_candidates(steps, taken, origin))
        yield from candidates
        best = kept(candidates, losses, seeds)
        if best is None:
            return
        taken.append(best.factors["step"])


def _candidates(steps: dict[str, tuple[Edit, ...]], taken: list[str], origin: Origin) -> Iterator[Proposal]:
    for name in steps:
        if name not in taken:
            edits = in_order(chain.from_iterable(steps[each] for each in steps if each in (*taken, name)))
            if not errors_of(origin, edits):
                before = name_of(steps, taken) if taken else "base"
                factors = {"step": name, "number": str(len(taken) + 1)}
                yield Proposal(name_of(steps, [*taken, name]), edits, ("path",), "path", before, factors)


def name_of(steps: dict[str, tuple[Edit, ...]], taken: list[str]) -> str:
    """The variant with these steps, in the order of the file: the same by whatever way it is reached."""
    return "path: " + " + ".join(name for name in steps if name in taken)


def kept(candidates: list[Proposal], losses: Losses, seeds: tuple[int, ...]) -> Proposal | None:
    """The candidate with the smallest mean loss, once every one has all its seeds; None before that, or without any.

    A seed without a loss (diverged, out of memory) is infinite: the candidate that lost it is kept last.
    """
    if not candidates or not all(set(seeds) <= losses.get(one.name, {}).keys() for one in candidates):
        return None
    return min(candidates, key=lambda one: sum(losses[one.name][seed] for seed in seeds))
