"""What is wrong or doubtful between the parts of a study: variants and base, space and base, sampler and objectives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from archspec import Checked, Problem, check_spec, fingerprint
from archspec.text.errors import Severity
from archspec.text.positions import DataPath, Positions
from studies.study.fairness import group_doubts, size_doubts
from studies.study.salvage import Lost, is_lost
from studies.study.sampled import sample_problems
from studies.study.study import Study


def cross_checks(study: Study, base: Checked, positions: Positions, lost: Lost) -> Iterator[Problem]:
    """Every problem between the parts, as far as they could be read.

    Args:
        study: what could be read; its base may be unsound, or a stand-in if it could not be read.
        base: what checking the base found.
        positions: where things stand in the study file.
        lost: what could not be read; nothing is said that may follow from it.
    """
    nothing = study.file.ablation is None and study.file.search is None
    if nothing and not is_lost(lost, "ablation") and not is_lost(lost, "search"):
        hint = "Add `ablation:` (take parts away) or `search:` (vary parameters)."
        yield positions.problem("U401", "the study asks nothing.", hint)
    if base.graph is not None:
        yield from _variant_problems(study, positions)
    elif base.spec is not None:
        yield from _edits_of_an_unsound_base(study, base, positions)
    if study.file.search is not None:
        # Only studies that search pay for importing Optuna.
        from studies.study.search_check import search_problems

        yield from search_problems(study, study.file.search, positions, (base, lost))
    yield from sample_problems(study.protocol, study.file.search, positions, lost)


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


def _edits_of_an_unsound_base(study: Study, base: Checked, positions: Positions) -> Iterator[Problem]:
    """What is wrong with named variants whatever becomes of the base: what stands in their own lines."""
    assert base.spec is not None
    variants = study.file.ablation.variants if study.file.ablation is not None else {}
    known = {(problem.code, problem.message) for problem in base.problems}
    for name, edits in variants.items():
        path: DataPath = ("ablation", "variants", name)
        lines = {at[0] for place, at in positions.at.items() if place[: len(path)] == path}
        for problem in check_spec(base.spec.with_edits(edits, positions, path)).errors:
            new = (problem.code, problem.message) not in known
            if new and problem.file == positions.file and problem.line in lines:
                yield problem
