"""Which node of an architecture is at work: marks in a copy of the generated forward, found again in the backward."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch

from archspec import ArchGraph
from builder.assemble import traced
from builder.network import NODE_ID, Network

#: What is at work outside of every node: noise, loss, optimizer.
OUTSIDE = ""


class Marks:
    """Where each node begins, in the autograd engine's own numbering of the forward."""

    def __init__(self) -> None:
        self.now = OUTSIDE
        self._starts: list[int] = []
        self._nodes: list[str] = []

    def enter(self, node: str) -> None:
        """From here on the forward works at `node`."""
        self.now = node
        self._starts.append(torch.autograd._get_sequence_nr())  # type: ignore[attr-defined]  # noqa: SLF001
        self._nodes.append(node)

    @contextmanager
    def active(self) -> Iterator[None]:
        """While it lasts, marked networks report here."""
        token = _MARKS.set(self)
        try:
            yield
        finally:
            _MARKS.reset(token)

    def node(self) -> str:
        """The node at work; inside of a backward the one whose gradient is being taken."""
        function: Any = torch._C._current_autograd_node()  # noqa: SLF001 - no public face
        if function is None:
            return self.now
        index = bisect_right(self._starts, function._sequence_nr()) - 1  # noqa: SLF001
        return self._nodes[index] if index >= 0 else OUTSIDE


_MARKS: ContextVar[Marks | None] = ContextVar("marks", default=None)


def entered(node: str) -> None:
    """Stands in the generated forward before each node's call."""
    marks = _MARKS.get()
    if marks is not None:
        marks.enter(node)


def marked_network(architecture: ArchGraph) -> Network:
    """The compiled model on the meta device, with a mark before each node; the marks hold no tensor alive."""
    with torch.device("meta"):
        modules, graph = traced(architecture)
    for call in list(graph.nodes):
        if call.op == "placeholder":
            continue
        with graph.inserting_before(call):
            graph.call_function(entered, (OUTSIDE if call.op == "output" else call.meta[NODE_ID],))
    return Network(architecture, modules, graph)
