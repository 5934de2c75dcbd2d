"""A study from its file: checked against itself and its base, every problem at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from archspec import Problem, UserError, check_data, check_file, check_spec, fingerprint, zoo_names
from archspec.document import Architecture
from archspec.text.errors import Severity, merged
from archspec.text.files import read_text
from archspec.text.parse import Document, parse
from archspec.text.positions import DataPath, Positions
from archspec.text.silence import silenced
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate
from studies.study.document import StudyFile
from studies.study.fairness import group_doubts, size_doubts
from studies.study.sampled import sample_problems
from studies.study.study import Study
from studies.training.pretrained import completed


def load_study(path: str | Path) -> Study:
    """A sound study from a file; `UserError` with every problem of the study and of its base."""
    study, problems = check_study(path)
    if study is None or any(problem.severity == "error" for problem in problems):
        raise UserError(problems)
    return replace(study, warnings=tuple(problems))


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
            hint = _zoo_hint(base_data) or "Paths are relative to the study file."
            problems.append(document.positions.problem("U001", message, hint, path=("base",)))
    if file is None or checked.spec is None or checked.graph is None:
        return None, merged(problems)
    spec = checked.spec if not inline or checked.spec.name != "unnamed" else replace(checked.spec, name="base")
    protocol = file.protocol.resolved(path.parent.absolute())
    protocol, faults = completed(protocol, checked.graph, path, document.positions)
    study = Study(path, document.text, file, spec, protocol)
    return study, merged([*problems, *faults, *_cross_checks(study, document.positions)])


def _zoo_hint(base: str) -> str | None:
    """What to write for an architecture of the package that is not there."""
    if Path(base).parent != Path("zoo"):
        return None
    return did_you_mean(base, [f"zoo/{name}" for name in zoo_names()]) or "`ushape zoo` lists those that ship."


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
        from studies.study.search_check import search_problems

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
