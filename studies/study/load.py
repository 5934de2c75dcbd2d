"""A study from its file: checked against itself and its base, every problem at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from archspec import Checked, Problem, Spec, UserError, check_data, check_file, zoo_names
from archspec.document import Architecture
from archspec.short_forms import SHORT_FORMS
from archspec.text.errors import merged
from archspec.text.files import read_text
from archspec.text.parse import Document, read
from archspec.text.positions import Positions
from archspec.text.silence import silenced
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate
from studies.study.cross_checks import cross_checks
from studies.study.document import StudyFile
from studies.study.here import here_problems
from studies.study.salvage import Lost, salvaged
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
        document, unread = read(read_text(path), str(path))
    except UserError as error:
        return None, error.problems
    return check_study_document(document, path, unread)


def check_study_document(
    document: Document, path: Path, unread: Sequence[Problem] = (), *, here: bool = False
) -> tuple[Study | None, tuple[Problem, ...]]:
    """The same for a text that is read already.

    Args:
        document: the text as data.
        path: of the file.
        unread: what could not be read in the text; those values are null in `document`.
        here: look at what this machine has too, the data and where records go, and draw points of a search.
    """
    study, problems = _check_document(document, path, here=here)
    said = {(problem.line, problem.column) for problem in unread}
    found = merged([*unread, *(one for one in problems if (one.line, one.column) not in said)])
    return (None if unread else study), silenced(found, document.text, document.positions.file)


def _check_document(document: Document, path: Path, *, here: bool) -> tuple[Study | None, tuple[Problem, ...]]:
    data, positions = document.data, document.positions
    if not isinstance(data, dict):
        problem = positions.problem("U012", "a study is a mapping of keys to values.", "See `ushape init`.")
        return None, (problem,)
    if data.keys() & {*SHORT_FORMS, "graph"} and not data.keys() & {"base", "protocol", "ablation", "search"}:
        hint = f"Name it in a study, `base: {path.name}`, beside what is asked; `ushape init` writes a study."
        return None, (positions.problem("U401", "this is an architecture, not a study.", hint),)
    file, problems = validate(StudyFile, data, positions)
    base, of_base = _read_base(data.get("base"), path, positions)
    problems += of_base
    usable, lost = (file, Lost()) if file is not None else salvaged(data)
    if usable is None:
        return None, merged(problems)
    protocol = usable.protocol.resolved(path.parent.absolute())
    protocol, faults = completed(protocol, base.graph, path, positions)
    study = Study(path, document.text, usable, base.spec or _STAND_IN, protocol)
    problems += [*faults, *cross_checks(study, base, positions, lost)]
    if here:
        problems += here_problems(study, base.graph, positions, lost)
    sound = file is not None and base.graph is not None
    search = usable.search
    if here and search is not None and sound and all(problem.severity != "error" for problem in problems):
        # Only studies that search pay for importing what draws points.
        from studies.study.search_doubts import search_doubts

        problems += search_doubts(study, search, positions)
    return (study if sound else None), merged(problems)


#: In the place of a base that cannot be read, so that what does not depend on it is checked.
_STAND_IN = Spec("unread", Architecture.model_construct(), Positions("<unread>"))


def _read_base(data: Any, path: Path, positions: Positions) -> tuple[Checked, list[Problem]]:
    """The base, and what is wrong with it: in the study file, or in its own."""
    if isinstance(data, dict):
        checked = check_data(data, positions, Architecture, ("base",))
        if checked.spec is not None and checked.spec.name == "unnamed":
            checked = replace(checked, spec=replace(checked.spec, name="base"))
        return checked, list(checked.problems)
    if not isinstance(data, str):
        return Checked(None, None, ()), []
    checked = check_file(_beside(path, data))
    if not any(problem.code == "U001" for problem in checked.problems):
        return checked, list(checked.problems)
    # The fault is in the study's line, not in a file that is not there.
    hint = _zoo_hint(data) or "Paths are relative to the study file."
    return checked, [
        positions.problem("U001", f"the base `{data}`: {problem.message}", hint, path=("base",))
        for problem in checked.problems
    ]


def _zoo_hint(base: str) -> str | None:
    """What to write for an architecture of the package that is not there."""
    if base in zoo_names():
        return f"Did you mean `zoo/{base}`?"
    if Path(base).parent != Path("zoo"):
        return None
    return did_you_mean(base, [f"zoo/{name}" for name in zoo_names()]) or "`ushape zoo` lists those that ship."


def _beside(study: Path, base: str) -> Path:
    """A base's path, relative to the study file; ``zoo/NAME`` names an architecture of the package."""
    here = study.parent / base
    return here if here.exists() or Path(base).parent != Path("zoo") else Path(base)
