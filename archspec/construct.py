"""From a spec to a graph: expand or read, edit, check; every problem, and whose doing it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import groupby, islice
from typing import Any, cast

from archspec.document import Architecture
from archspec.edits.edit import OF_SHORT_FORMS, Edit, flat
from archspec.edits.operate import doubts_of
from archspec.edits.surgery import EditError, apply, prune
from archspec.forms.short_form import ShortForm
from archspec.forms.template import Said
from archspec.graphs import infer
from archspec.graphs.graph import ArchGraph, empty, live_nodes, ops_of, place_of
from archspec.lints import graph_lints
from archspec.ops import Unread
from archspec.sections import MAX_PROBLEMS, Reading, read_graph
from archspec.short_forms import SHORT_FORMS
from archspec.text.errors import Problem
from archspec.text.positions import Place
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate

#: An edit (None if it cannot be read) and where it stands.
PlacedEdit = tuple[Edit | None, Place]

#: What is wrong with an edit whatever the edits before it did or failed to do.
_SURE = frozenset({"U010", "U011", "U012", "U013", "U301", "U304", "U305"})
#: The same after an edit that may have put other operations into the graph.
_SURE_OF_ANY_OP = _SURE - {"U305"}
#: The same where the nodes themselves may be others, because an edit of the short form is lost.
_SURE_OF_ANY_NODE = _SURE_OF_ANY_OP - {"U301"}
#: Kinds of edits that make nodes: where one is lost, so are their ids.
_MAKERS = ("insert", "repeat")
#: What follows from an edge that could not be read.
_FROM_A_LOST_EDGE = frozenset({"U104", "U106", "U107"})


class Construction:
    """One way from spec to graph; `problems` holds what was found, `graph` what came of it."""

    def __init__(self, name: str, architecture: Architecture, root: Place, edits: Iterable[PlacedEdit]) -> None:
        self.name, self.architecture, self.root = name, architecture, root
        self.edits = list(edits)
        self.node_edits = [(edit, place) for edit, place in self.edits if edit is None or edit.changes is None]
        #: key of the short form, and its parameters
        self._key: str = OF_SHORT_FORMS[0]
        self._form: ShortForm | None = None
        if architecture.short_form is not None:
            self._key, self._form = architecture.short_form
        self._said = Said(root.at(self._key))
        #: whether the widths are known, so that rules about them can be checked
        self._certain = True
        #: whether every edit could be made, of the short form and of nodes
        self._reshaped = self._edited = True
        #: rules that may seem to be broken only because something could not be read
        self._unsure: frozenset[str] = frozenset()
        self._reading: Reading | None = None
        self.graph = empty(name)
        self.problems = list(self._run())

    def _run(self) -> Iterator[Problem]:
        yield from self._edit_short_form()
        self.graph = graph = self._start()
        yield from self._begin()
        yield from self._edit_nodes(graph)
        if not self._certain:
            return
        found = self._found(graph)
        yield from self._blamed(found) if found and self.node_edits else map(self._more_helpful, found)
        yield from graph_lints(graph)

    def _found(self, graph: ArchGraph) -> list[Problem]:
        problems = islice(infer.problems(graph, self.root), MAX_PROBLEMS + 1)
        return [problem for problem in problems if problem.code not in self._unsure]

    def _edit_short_form(self) -> Iterator[Problem]:
        before: set[object] = set()
        for edit, place in self.edits:
            here = _list_of(place)
            if edit is None or edit.changes is None:
                before.add(here)
                continue
            key = edit.kind
            if self._form is None or key != self._key:
                hint = f"Write `{self._key}`." if self._form is not None else "Edit nodes instead."
                yield place.problem("U307", f"an edit of `{key}` needs a file that has `{key}`.", hint)
            elif here in before:
                yield place.problem("U307", f"edits of `{key}` come before all other edits.", "Move it up.")
            else:
                found = list(self._edit_form(self._form, edit.changes, place.at(key)))
                yield from found
                self._reshaped = self._reshaped and not found

    def _edit_form(self, form: ShortForm, changes: dict[str, Any], place: Place) -> Iterator[Problem]:
        model = SHORT_FORMS[self._key].model
        known = model.model_fields
        for key in changes:
            if key not in known:
                hint = model.OTHER_NAMES.get(key) or did_you_mean(key, known)
                yield place.at(key).problem("U305", f"`{self._key}` has no parameter `{key}`.", hint)
        given = {key: value for key, value in changes.items() if key in known}
        edited, problems = validate(
            model, {**form.model_dump(exclude_unset=True), **given}, place.positions, path=place.path
        )
        yield from problems
        if edited is None or problems or not given:
            return
        if edited.model_dump() == form.model_dump():
            what = ", ".join(f"{key}: {flat(value)}" for key, value in changes.items())
            yield place.problem("U302", f"this changes nothing: {what} is what it has already.")
        said = {**self._said.edited, **{key: place.at(key) for key in given}}
        self._form, self._said = cast("ShortForm", edited), replace(self._said, edited=said)

    def _start(self) -> ArchGraph:
        """The graph before any edit of its nodes."""
        if self._form is not None:
            return SHORT_FORMS[self._key].expand(self._form, self.name, self._said)
        graph = empty(self.name)
        if self.architecture.graph is not None:
            self._reading = read_graph(graph, self.architecture.graph, self.root.at("graph"))
        return graph

    def _begin(self) -> Iterator[Problem]:
        if self._form is not None:
            wrong = list(SHORT_FORMS[self._key].problems(self._form, self._said))
            yield from wrong
            yield from SHORT_FORMS[self._key].lints(self._form, self._said)
            self._certain = not wrong
        elif self._reading is not None:
            yield from self._reading.problems
            self._certain = self._reading.complete
            self._unsure = _FROM_A_LOST_EDGE if self._reading.lost_edges else frozenset()

    def _edit_nodes(self, graph: ArchGraph) -> Iterator[Problem]:
        unread = any(isinstance(op, Unread) for _, op in ops_of(graph))
        sure = _SURE_OF_ANY_OP if unread else None if self._reshaped else _SURE_OF_ANY_NODE
        for _, edits in groupby(self.node_edits, key=lambda placed: _list_of(placed[1])):
            alive = live_nodes(graph)
            for edit, place in edits:
                try:
                    if edit is not None:
                        apply(graph, edit, place)
                        yield from doubts_of(graph)
                        continue
                except EditError as error:
                    yield from (problem for problem in error.problems if sure is None or problem.code in sure)
                doubts_of(graph)
                kept = _sure_after(edit, place)
                sure = kept if sure is None else sure & kept
                self._edited = False
            prune(graph, alive)

    def _blamed(self, found: list[Problem]) -> Iterator[Problem]:
        """The problems of the edited graph, each at the edit that brings it about, if it was not there before.

        Where an edit could not be made, only those that were there before are certain.
        """
        graph = self._start()
        doing = {_key(problem): -1 for problem in self._found(graph)}
        for index, (edit, place) in enumerate(self.node_edits):
            if edit is not None:
                with suppress(EditError):
                    apply(graph, edit, place)
                doing = {key: doing.get(key, index) for key in map(_key, self._found(graph))}
        for problem in found:
            index = doing.get(_key(problem), len(self.node_edits) - 1)
            edit, place = self.node_edits[index]
            if index < 0:
                yield self._more_helpful(problem)
            elif self._edited and edit is not None:
                yield self._at_edit(problem, edit, place)

    def _at_edit(self, problem: Problem, edit: Edit, place: Place) -> Problem:
        if _stands_in(problem, self.graph, place):
            return problem
        moved = place.problem(problem.code, problem.message, problem.hint, node=problem.node)
        hint = f"{problem.hint} " if problem.hint else ""
        words = edit.describe()
        words = words if len(words) <= 100 else f"{words[:97]}..."
        return replace(moved, hint=f"{hint}The edit `{words}` brings this about.")

    def _more_helpful(self, problem: Problem) -> Problem:
        """With what is known of the short form, say which resolution would do."""
        if problem.code != "U206" or self._form is None:
            return problem
        levels, size = len(self._form.ch_mult), self._form.resolution
        step = 2 ** (levels - 1)
        near = [n for n in (size // step * step, (size // step + 1) * step) if n]
        sizes = " or ".join(map(str, near))
        hint = f"{levels} levels need a resolution divisible by {step}, such as {sizes}."
        return replace(problem, hint=hint)


def _sure_after(edit: Edit | None, place: Place) -> frozenset[str]:
    """What is sure after an edit that could not be made, or not be read."""
    if any((*place.path, kind) in place.positions.at for kind in _MAKERS):
        return _SURE_OF_ANY_NODE
    return _SURE if edit is not None and edit.kind != "replace" else _SURE_OF_ANY_OP


def _list_of(edit: Place) -> object:
    """What edits of one list have in common: their document (not its like) and their place in it."""
    return id(edit.positions), edit.path[:-1]


def _key(problem: Problem) -> tuple[object, ...]:
    return (problem.code, problem.node, problem.message)


def _stands_in(problem: Problem, graph: ArchGraph, edit: Place) -> bool:
    """Whether the problem stands at a parameter or port that the edit itself has set."""
    if problem.node is None or problem.node not in graph:
        return False
    places = [place_of(graph, problem.node), *graph.nodes[problem.node]["places"].values()]
    here = (problem.line, problem.column)
    return any(edit.holds(place) and place.positions.find(place.path) == here for place in places)
