"""How a short form is drawn as a graph: node after node, each with the place where it was said."""

from __future__ import annotations

from collections.abc import Mapping

from archspec.forms.said import Places, Said
from archspec.forms.short_form import ShortForm
from archspec.graphs.graph import Edge, add_edge, add_node, empty
from archspec.ops import Op
from archspec.text.positions import Place


class Drawing:
    """A graph that is being drawn: nodes one after another, each with the place where it was said."""

    def __init__(self, form: ShortForm, name: str, said: Said) -> None:
        self.said = said
        self.graph = empty(name)
        self.widths, self.resolutions = form.widths(), form.resolutions()
        self.last = len(self.widths) - 1
        #: the running node, and the nodes that the way up will meet again
        self.at = "x"
        self.skips: list[str] = []
        #: where the width of the running feature map was said
        self.width_said = said.at("ch")

    def put(
        self, node: str, op: Op, origin: Place, places: Places | None = None, inputs: Mapping[str, str] | None = None
    ) -> None:
        """Add a node after the running one and make it the running one."""
        self.node(node, op, origin, {"x": self.at, **(inputs or {})}, places)
        self.at = node

    def node(self, node: str, op: Op, origin: Place, inputs: Mapping[str, str], places: Places | None = None) -> None:
        """Add a node that takes what `inputs` names: port -> source."""
        add_node(self.graph, node, op, origin, places)
        for port, source in inputs.items():
            add_edge(self.graph, Edge(source, node, port, origin))

    def size_said(self) -> Place:
        """Where it was said how often the image is halved: `resolution`, unless the levels alone were edited."""
        edited = self.said.edited
        return self.said.at("ch_mult" if "ch_mult" in edited and "resolution" not in edited else "resolution")
