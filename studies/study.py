"""A study file, loaded: checked against itself and its base, every problem at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from archspec import Problem, Spec, UserError, build, check_data, check_file, check_spec, fingerprint
from archspec.document import Architecture
from archspec.errors import Severity, merged
from archspec.files import read_text
from archspec.graph import ArchGraph
from archspec.parse import Document, parse
from archspec.positions import DataPath, Positions
from archspec.silence import silenced
from archspec.validate import validate
from search import space as spaces
from search.space import Primitive
from studies.designs.expand import Expansion, expand
from studies.designs.forms import Losses, Origin
from studies.document import StudyFile
from studies.execution import Run
from studies.fairness import group_doubts, size_doubts
from studies.pretrained import completed, shared_init
from studies.protocol import Measure, Protocol
from studies.sampled import sample_problems


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
        return self.path.parent / "runs" / self.file.name

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
        return document

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


def load_study(path: str | Path) -> Study:
    """A sound study from a file; `UserError` with every problem of the study and of its base."""
    study, problems = check_study(path)
    if study is None or any(problem.severity == "error" for problem in problems):
        raise UserError(problems)
    return replace(study, warnings=tuple(problems))


def with_workers(study: Study, workers: int | None) -> Study:
    """The study with another number of trials at once; the same if it is None."""
    if workers is None:
        return study
    run = study.file.run.model_copy(update={"workers": workers})
    return replace(study, file=study.file.model_copy(update={"run": run}))


def check_study(path: str | Path) -> tuple[Study | None, tuple[Problem, ...]]:
    """A study file and everything that is wrong or doubtful about it; never raises for what a user wrote."""
    path = Path(path)
    try:
        document = parse(read_text(path), str(path))
    except UserError as error:
        return None, error.problems
    return check_study_document(document, path)


def check_study_document(document: Document, path: Path) -> tuple[Study | None, tuple[Problem, ...]]:
    """The same for a text that is read already."""
    study, problems = _check_document(document, path)
    return study, silenced(problems, document.text, document.positions.file)


def _check_document(document: Document, path: Path) -> tuple[Study | None, tuple[Problem, ...]]:
    data = document.data
    if not isinstance(data, dict):
        problem = document.positions.problem("U012", "a study is a mapping of keys to values.", "See `ushape init`.")
        return None, (problem,)
    file, problems = validate(StudyFile, data, document.positions)
    base_data = data.get("base")
    inline = isinstance(base_data, dict)
    if inline:
        checked = check_data(base_data, document.positions, Architecture, ("base",))
    elif isinstance(base_data, str):
        checked = check_file(_beside(path, base_data))
    else:
        return None, merged(problems)
    problems = [*problems, *checked.problems]
    if isinstance(base_data, str) and any(problem.code == "U001" for problem in checked.problems):
        # The fault is in the study's line, not in a file that is not there.
        problems = [p for p in problems if p.code != "U001"]
        for problem in checked.problems:
            message = f"the base `{base_data}`: {problem.message}"
            hint = "Paths are relative to the study file."
            problems.append(document.positions.problem("U001", message, hint, path=("base",)))
    if file is None or checked.spec is None or checked.graph is None:
        return None, merged(problems)
    spec = checked.spec if not inline or checked.spec.name != "unnamed" else replace(checked.spec, name="base")
    protocol = file.protocol.resolved(path.parent.absolute())
    protocol, faults = completed(protocol, checked.graph, path, document.positions)
    study = Study(path, document.text, file, spec, protocol)
    return study, merged([*problems, *faults, *_cross_checks(study, document.positions)])


def _beside(study: Path, base: str) -> Path:
    """A base's path, relative to the study file; ``zoo/NAME`` names an architecture of the package."""
    here = study.parent / base
    return here if here.exists() or Path(base).parent != Path("zoo") else Path(base)


def _cross_checks(study: Study, positions: Positions) -> Iterator[Problem]:
    if study.file.ablation is None and study.file.search is None:
        hint = "Add `ablation:` (take parts away) or `search:` (vary parameters)."
        yield positions.problem("U401", "the study asks nothing.", hint)
    yield from _variant_problems(study, positions)
    if study.file.search is not None:
        # Only studies that search pay for importing Optuna.
        from studies.search_check import search_problems

        yield from search_problems(study, study.file.search, positions)
    yield from sample_problems(study.protocol, study.file.search, positions)


def _variant_problems(study: Study, positions: Positions) -> Iterator[Problem]:
    if study.file.ablation is None:
        return
    share = study.file.ablation.same_parameters
    # A cell of a factorial may be a named variant too: it is trained once, and each design needs it.
    seen_by = {design: {fingerprint(study.base): "the base"} for design in ("variants", "factorial")}
    found = study.expansion()
    for fault in found.faults:
        severity: Severity = "warning" if fault.doubt else "error"
        where = ("ablation", *fault.path)
        yield positions.problem("U407", fault.message, fault.hint, path=where, severity=severity)
    for one in found.variants:
        path: DataPath = ("ablation", *one.path)
        checked = check_spec(study.spec.with_edits(one.edits, positions, path))
        named = one.design == "variants"
        yield from (_of_variant(problem, one.name, named=named) for problem in checked.errors)
        if checked.graph is None:
            continue
        mark, seen = fingerprint(checked.graph), seen_by.get(one.design, {})
        if mark in seen:
            message = f"the variant `{one.name}` is the same architecture as {seen[mark]}."
            yield positions.problem("U402", message, "Change it or take it out.", path=path)
        if named:
            yield from size_doubts(study.base, checked.graph, share, positions, path)
            yield from group_doubts(study.base, checked.graph, positions, path)
        seen.setdefault(mark, f"the variant `{one.name}`")


def _of_variant(problem: Problem, name: str, *, named: bool) -> Problem:
    """A problem of a variant; one that a design made is named, since its edits stand nowhere in the file."""
    return problem if named else replace(problem, message=f"in the variant `{name}`: {problem.message}")
