"""From a text to a checked, shaped and priced graph, with every problem found on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import networkx as nx

from archspec.construct import Construction, PlacedEdit
from archspec.document import MAX_EDITS, Architecture, ArchitectureFile
from archspec.edits.edit import Edit
from archspec.graphs.graph import ArchGraph
from archspec.sections import MAX_PROBLEMS
from archspec.text.errors import Problem, UserError, merged
from archspec.text.files import read_text, resolve
from archspec.text.parse import Document, read
from archspec.text.positions import DataPath, Place, Positions
from archspec.text.silence import silenced, without_silenced
from archspec.text.validate import validate

__all__ = [
    "Checked", "Spec", "build", "check_data", "check_document", "check_file", "check_spec", "check_text", "resolve",
]  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """An architecture as its author wrote it, with the places of its parts for messages.

    Attributes:
        name: what it is called.
        architecture: the model of what was written, all edits included.
        positions: of the document that it was written in.
        path: where it stands in that document.
        edit_places: where each of the edits stands; without, under ``edits`` in the same document.
        text: of the document of `positions`, if it is an architecture file; its comments may silence warnings.
    """

    name: str
    architecture: Architecture
    positions: Positions
    path: DataPath = ()
    edit_places: tuple[Place, ...] | None = None
    text: str = ""

    @property
    def place(self) -> Place:
        """Where the architecture as a whole stands."""
        return Place(self.positions, self.path)

    def placed_edits(self) -> list[PlacedEdit]:
        """Every edit with the place where it stands."""
        edits = self.architecture.edits
        known = self.edit_places or ()
        places = [*known, *(self.place.at("edits", index) for index in range(len(known), len(edits)))]
        return list(zip(edits, places, strict=False))

    def with_edits(
        self, more: tuple[Edit, ...], positions: Positions | None = None, path: DataPath | None = None
    ) -> Spec:
        """The same with further edits, which stand in the document of `positions` under ``(*path, index)``.

        Without a path they stand under ``("edits", index)``, counted on from the edits that are there already.
        """
        old = self.placed_edits()
        document = replace(positions or self.positions)  # an object of its own: these edits are a list of their own
        start = ("edits",) if path is None else path
        first = len(old) if path is None else 0
        places = [Place(document, (*start, first + index)) for index in range(len(more))]
        changed = self.architecture.model_copy(update={"edits": (*self.architecture.edits, *more)})
        return replace(self, architecture=changed, edit_places=(*(place for _, place in old), *places))


@dataclass(frozen=True)
class Checked:
    """What checking found: the graph if it is sound, and all problems, warnings included."""

    spec: Spec | None
    graph: ArchGraph | None
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse it."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def sound(self) -> ArchGraph:
        """The graph; raises `UserError` with every problem if there is none."""
        if self.errors or self.graph is None:
            raise UserError(self.problems)
        return self.graph


def check_text(text: str, file: str = "<string>") -> Checked:
    """Check an architecture file's text; never raises for what is wrong in it."""
    try:
        document, unread = read(text, file)
    except UserError as error:
        return Checked(None, None, error.problems)
    return check_document(document, unread)


def check_document(document: Document, unread: Sequence[Problem] = ()) -> Checked:
    """The same for a text that is read already, with what could not be read in it."""
    checked = check_data(document.data, document.positions)
    said = {(problem.line, problem.column) for problem in unread}
    others = [problem for problem in checked.problems if (problem.line, problem.column) not in said]
    found = merged([*unread, *others]) if unread else checked.problems
    problems = silenced(found, document.text, document.positions.file)
    graph = checked.graph if not unread else None
    if graph is not None:
        graph.graph["warnings"] = problems
    return Checked(checked.spec and replace(checked.spec, text=document.text), graph, problems)


def check_file(path: str | Path) -> Checked:
    """Check an architecture file, or one that ships with the package (``zoo/NAME``)."""
    try:
        return check_text(read_text(resolve(path), str(path)), str(path))
    except UserError as error:
        return Checked(None, None, error.problems)


def check_data(
    data: Any, positions: Positions, model: type[Architecture] = ArchitectureFile, path: DataPath = ()
) -> Checked:
    """Check an architecture given as plain data; `path` is where it stands in its document."""
    place = Place(positions, path)
    if not isinstance(data, dict):
        hint = "It starts with version:, name: and unet: or graph:."
        return Checked(None, None, (place.problem("U012", "an architecture is a mapping of keys to values.", hint),))
    edits, faults = _read_edits(data.get("edits"), place.at("edits"))
    rest = {key: value for key, value in data.items() if key != "edits"} if edits is not None else data
    architecture, problems = validate(model, rest, positions, path=path)
    problems += faults
    if architecture is None:
        return Checked(None, None, merged(problems))
    good = [(edit, at) for edit, at in edits or [] if edit is not None]
    written = architecture.model_copy(update={"edits": tuple(edit for edit, _ in good)})
    spec = Spec(architecture.name or "unnamed", written, positions, path, tuple(at for _, at in good))
    construction = Construction(spec.name, written, place, spec.placed_edits() if edits is None else edits)
    return _checked(spec, construction, problems)


def _read_edits(data: Any, place: Place) -> tuple[list[PlacedEdit] | None, list[Problem]]:
    """Each edit, or None in the place of one that is wrong, and what is wrong; None where it is no list of edits."""
    if not isinstance(data, list | tuple) or len(data) > MAX_EDITS:
        return None, []
    edits: list[PlacedEdit] = []
    problems: list[Problem] = []
    for index, entry in enumerate(data):
        here = place.at(index)
        edit, faults = validate(Edit, entry, place.positions, path=here.path)
        problems += faults
        edits.append((None if faults else edit, here))
    return edits, problems


def check_spec(spec: Spec) -> Checked:
    """Expand, edit, check, infer and price; all problems at once."""
    return _checked(spec, Construction(spec.name, spec.architecture, spec.place, spec.placed_edits()), [])


def _checked(spec: Spec, construction: Construction, more: list[Problem]) -> Checked:
    problems = without_silenced(merged([*more, *construction.problems]), spec.text, spec.positions.file)
    if not any(problem.severity == "error" for problem in problems):
        graph = construction.graph
        graph.graph["warnings"] = problems
        return Checked(spec, nx.freeze(graph), problems)
    if len(problems) > MAX_PROBLEMS:
        message = f"there are more than {MAX_PROBLEMS} problems; the others are not shown."
        problems = (*problems[:MAX_PROBLEMS], spec.place.problem("U004", message, "Mend these first."))
    return Checked(spec, None, problems)


def build(spec: Spec) -> ArchGraph:
    """The graph of a spec, checked, shaped, priced and frozen; `UserError` with every problem."""
    return check_spec(spec).sound()
