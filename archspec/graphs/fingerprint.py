"""The semantic fingerprint: equal if and only if two graphs are the same computation.

The graph is written down in an order that nothing but the computation decides: backwards from the output, through the
ports of each node in their order. Each node is written with what it does (every default and equivalent spelling
resolved) and the numbers of the nodes that feed it; the fingerprint is the hash of that text. So names, order of keys
and nodes, defaults spelled out and unreached options do not enter, and two graphs that differ are never written alike.

Nodes without parameters are the same if they do the same to the same: one that is shared is as good as two. Nodes with
parameters are told apart, however alike they are. A node that gives what it takes (a norm of type none) is passed over.
Where inputs may be swapped (a sum), they are taken in the order of their factors and of a hash over what each of them
is; where two of these are equal, in each order in turn, and the smallest text counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from itertools import islice, product

from archspec.graphs.graph import ArchGraph, input_shapes, inputs_of, op_of, order, output_node
from archspec.ops import Op
from archspec.ops.shapes import Shape

#: Enters every fingerprint; raised when the meaning of an operation changes.
VERSION = 1

#: So many sums of two equal-looking inputs are tried in both orders; no network of the literature has one.
_MOST_TIES = 6


def fingerprint(graph: ArchGraph) -> str:
    """32 hexadecimal digits; the graph must be built (or inferred without a problem)."""
    writer = _Writer(graph)
    return hashlib.sha256(min(writer.texts()).encode()).hexdigest()[:32]


class _Writer:
    """Writes one graph down, once for each choice of order that its ties leave open."""

    def __init__(self, graph: ArchGraph) -> None:
        self.graph = graph
        #: node -> sources in the order of ports (in the order of their hashes where they may be swapped)
        self.sources: dict[str, tuple[tuple[str, str], ...]] = {}
        self.what: dict[str, str] = {}
        self.stateless: set[str] = set()
        #: nodes that give what they take
        self.passing: set[str] = set()
        self.ties: list[str] = []
        self._read()

    def _read(self) -> None:
        below: dict[str, str] = {}
        for node in order(self.graph):
            op, inputs = op_of(self.graph, node), input_shapes(self.graph, node)
            sources = list(inputs_of(self.graph, node).items())
            if len(sources) == 1 and op.identity(inputs):
                self.sources[node] = tuple(sources)
                self.passing.add(node)
                below[node] = below[sources[0][1]]
                continue
            labels = op.labels(inputs)
            labelled = [(labels[port], source) for port, source in sources]
            if any(labels[port] == "" or not labels[port].startswith(port) for port in labels):
                labelled.sort(key=lambda given: (given[0], below[given[1]]))
            given = [(label, below[source]) for label, source in labelled]
            if len(set(given)) < len(given) and len({source for _, source in sources}) > 1:
                self.ties.append(node)
            self.sources[node] = tuple(labelled)
            self.what[node] = _does(op, inputs)
            if op.stateless(inputs):
                self.stateless.add(node)
            below[node] = hashlib.sha256(json.dumps([self.what[node], given]).encode()).hexdigest()

    def texts(self) -> Iterator[str]:
        open_ = self.ties[:_MOST_TIES]
        for choice in islice(product((False, True), repeat=len(open_)), 2**_MOST_TIES):
            yield self._text({node for node, swapped in zip(open_, choice, strict=True) if swapped})

    def _text(self, swapped: set[str]) -> str:
        lines: list[str] = [str(VERSION)]
        number: dict[str, int] = {}
        same: dict[str, int] = {}
        todo = [output_node(self.graph)]
        while todo:
            node = todo[-1]
            sources = self.sources[node][::-1] if node in swapped else self.sources[node]
            waiting = [source for _, source in sources if source not in number]
            if node in number or waiting:
                todo = todo[:-1] if node in number else [*todo, waiting[0]]
                continue
            todo.pop()
            if node in self.passing:
                number[node] = number[sources[0][1]]
                continue
            text = json.dumps([self.what[node], [(port, number[source]) for port, source in sources]])
            if node in self.stateless and text in same:
                number[node] = same[text]
            else:
                number[node] = same[text] = len(lines)
                lines.append(text)
        return "\n".join(lines)


def _does(op: Op, inputs: Mapping[str, Shape]) -> str:
    """What a node does, but for what the labels of its inputs tell."""
    resolved = op.canonical(inputs)
    return json.dumps({key: resolved[key] for key in resolved if key not in op.LABELLED}, sort_keys=True)
