"""What all designs share: the base they start from, the variants they propose, and the faults they find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from archspec import Spec
from archspec.build import check_spec
from archspec.edits.edit import Edit
from archspec.graphs.graph import ArchGraph
from archspec.short_forms import SHORT_FORMS
from archspec.text.errors import Problem
from archspec.text.positions import DataPath

BASE = "base"

#: Names become keys of records and cells of tables.
Label = Annotated[str, Field(min_length=1, max_length=80)]
Edits = Annotated[tuple[Edit, ...], Field(min_length=1)]

#: Variant -> seed -> loss, as far as they are known: what a design that goes on by results looks at.
Losses = Mapping[str, Mapping[int, float]]


def not_base(label: str) -> str:
    """A label that is not the base's."""
    if label == BASE:
        raise ValueError("the name `base` belongs to the base itself; it is always part of an ablation")
    return label


VariantName = Annotated[Label, AfterValidator(not_base)]


@dataclass(frozen=True)
class Origin:
    """The base as designs see it, and the folder that paths of the study file are relative to."""

    spec: Spec
    graph: ArchGraph
    folder: Path = Path()

    @property
    def short_form(self) -> tuple[str, Any] | None:
        """Key and parameters of the base's short form, its own `edits` of it included; None for a graph."""
        architecture = self.spec.architecture
        if architecture.short_form is None:
            return None
        key, form = architecture.short_form
        data = form.model_dump(exclude_unset=True)
        for edit in architecture.edits:
            data |= (edit.changes or {}) if edit.kind == key else {}
        return key, SHORT_FORMS[key].model.model_validate(data)


@dataclass(frozen=True)
class Proposal:
    """One variant that a design asks for.

    Attributes:
        name: the same in every run of the study.
        edits: what turns the base into it.
        path: where it stands below ``ablation:``.
        design: key of the design below ``ablation:``.
        reference: name of the variant that it is compared to.
        factors: factor -> level, for designs that have factors.
    """

    name: str
    edits: tuple[Edit, ...]
    path: DataPath
    design: str
    reference: str = BASE
    factors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """A design that cannot be made: what is wrong, what to do, and where below ``ablation:``.

    Of a `doubt` the rest of the study does not depend.
    """

    path: DataPath
    message: str
    hint: str | None = None
    doubt: bool = False


Proposed = Iterator[Proposal | Fault]


def errors_of(origin: Origin, edits: Sequence[Edit]) -> tuple[Problem, ...]:
    """What keeps the base with these edits from being a sound architecture."""
    return check_spec(origin.spec.with_edits(tuple(edits))).errors
