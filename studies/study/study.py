"""A study: what its file asks and how, with the base built and paths resolved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archspec import Problem, Spec, build, total_price
from archspec.graphs.graph import ArchGraph
from search import space as spaces
from search.space import Primitive
from studies.sections.protocol import Measure, Protocol
from studies.study.designs.expand import Expansion, expand
from studies.study.designs.forms import Losses, Origin
from studies.study.document import StudyFile
from studies.study.execution import Run
from studies.study.place import results_folder
from studies.training.pretrained import shared_init


@dataclass(frozen=True)
class Study:
    """What is asked and how, with paths resolved.

    Attributes:
        path: the study file.
        source: its text.
        file: its model.
        spec: the base.
        protocol: the protocol with absolute paths.
        warnings: doubts about base and variants.
    """

    path: Path
    source: str
    file: StudyFile
    spec: Spec
    protocol: Protocol
    warnings: tuple[Problem, ...] = ()

    @property
    def name(self) -> str:
        """The study's name."""
        return self.file.name

    @property
    def folder(self) -> Path:
        """Where its results lie, unless the user says otherwise: ``runs/NAME`` beside the study file."""
        return results_folder(self.path, self.file.name)

    @cached_property
    def base(self) -> ArchGraph:
        """The base's graph."""
        return build(self.spec)

    @property
    def run(self) -> Run:
        """How it is run, with paths resolved."""
        run = self.file.run
        if run.storage is None:
            return run
        return run.model_copy(update={"storage": run.storage.resolved(self.path.parent.absolute())})

    @property
    def levels(self) -> int:
        """Number of levels of the base; 0 for a base written as a graph."""
        form = self.spec.architecture.short_form
        return len(form[1].ch_mult) if form else 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """The training seeds of the ablation in order: those of the protocol, or with `until` as many as it allows."""
        until = self.file.ablation.until if self.file.ablation else None
        return tuple(range(until.max_seeds)) if until else self.protocol.seed_list()

    @property
    def search_seed(self) -> int:
        """The training seed of the search's points."""
        said = self.file.search.seed if self.file.search else None
        return said if said is not None else self.protocol.seed_list()[0]

    def expansion(self, losses: Losses | None = None) -> Expansion:
        """The ablation's variants; with `losses` also those that a design asks for in view of them."""
        assert self.file.ablation is not None
        origin = Origin(self.spec, self.base, self.path.parent)
        return expand(self.file.ablation, origin, losses, self.seeds)

    def primitives(self) -> dict[str, Primitive]:
        """The plain choices of the search space; empty without a search."""
        return spaces.primitives(self.file.search.space, self.levels) if self.file.search else {}

    def document(self) -> dict[str, Any]:
        """The study with every default spelled out, as plain data."""
        document: dict[str, Any] = self.file.model_dump(mode="json", by_alias=True, exclude_none=True)
        # The base as it is, not the name of a file that may change.
        document["base"] = self.spec.architecture.model_dump(mode="json", by_alias=True, exclude_unset=True)
        if self.file.ablation is not None:
            document["ablation"]["planned"] = {one.name: one.design for one in self.expansion().variants}
        if self.file.search is not None:
            document["search"]["of_base"] = self.known_of_base()
        return document

    def known_of_base(self) -> dict[str, float]:
        """What budgets can be relative to without a trial of the base: its parameters and MACs."""
        price = total_price(self.base)
        return {"parameters": float(price.parameters), "macs": float(price.macs)}

    def protocol_hash(self, tuned: Mapping[str, float] | None = None, measure: Measure | None = None) -> str:
        """16 hexadecimal digits over everything that all variants share; seeds do not enter.

        Args:
            tuned: parameters of the training that take the place of the protocol's.
            measure: how it is measured, if not as the study says.
        """
        protocol = self.file.protocol.model_dump(mode="json", exclude={"seeds", "tune", "init"})
        protocol["train"] |= tuned or {}
        shared = {"protocol": protocol, "measure": (measure or self.file.measure).model_dump(mode="json")}
        shared |= shared_init(self.protocol)
        return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]

    def tuned_protocol(self, tuned: Mapping[str, float]) -> Protocol:
        """The protocol, with absolute paths, and with these parameters of the training."""
        return self.protocol.model_copy(update={"train": self.protocol.train.model_copy(update=dict(tuned))})


def with_workers(study: Study, workers: int | None) -> Study:
    """The study with another number of trials at once; the same if it is None."""
    if workers is None:
        return study
    run = study.file.run.model_copy(update={"workers": workers})
    return replace(study, file=study.file.model_copy(update={"run": run}))
