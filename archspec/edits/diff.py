"""What differs between two architectures: nodes, their parameters, connections, and the price of it.

Nodes are the same where their ids are. Parameters are compared with their defaults resolved, as the fingerprint sees
them, so what is only spelled differently does not differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archspec.edits.edit import flat
from archspec.graphs.fingerprint import fingerprint
from archspec.graphs.graph import ArchGraph, edges_of, input_shapes, inputs_of, op_of, order, shape_of, total_price
from archspec.ops import Price

#: Ids that are named before the others are only counted.
_MOST_NAMED = 4
#: Lines of one kind before the others are only counted.
_MOST_LINES = 12


@dataclass(frozen=True)
class Changed:
    """A node that both have and that does something else.

    Attributes:
        node: its id.
        op: the operation before and after.
        parameters: parameter -> value before and after (None where the operation has no such parameter).
    """

    node: str
    op: tuple[str, str]
    parameters: dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Difference:
    """What differs from the first architecture to the second.

    Attributes:
        names: of the two.
        same: whether they are the same computation, whatever their nodes are called.
        removed: nodes that only the first has -> operation.
        added: nodes that only the second has -> operation.
        changed: nodes that do something else.
        rewired: (node, port) that both have -> source before and after (None where the port is given nothing).
        reshaped: nodes whose result has another shape -> shape before and after.
        edges: number of edges in the first that the second lacks, and of new ones.
        prices: of the two.
    """

    names: tuple[str, str]
    same: bool
    removed: dict[str, str]
    added: dict[str, str]
    changed: tuple[Changed, ...]
    rewired: dict[tuple[str, str], tuple[str | None, str | None]]
    reshaped: dict[str, tuple[str, str]]
    edges: tuple[int, int]
    prices: tuple[Price, Price]


def difference(first: ArchGraph, second: ArchGraph) -> Difference:
    """What differs between two built graphs."""
    both = [node for node in order(first) if node in second]
    shapes = {node: (str(shape_of(first, node)), str(shape_of(second, node))) for node in both}
    edges = [{(edge.source, edge.target, edge.port) for edge in edges_of(graph)} for graph in (first, second)]
    return Difference(
        names=(str(first.graph["name"]), str(second.graph["name"])),
        same=fingerprint(first) == fingerprint(second),
        removed={node: op_of(first, node).op for node in order(first) if node not in second},
        added={node: op_of(second, node).op for node in order(second) if node not in first},
        changed=tuple(changed for node in both if (changed := _changed(first, second, node)) is not None),
        rewired={key: change for node in both for key, change in _rewired(first, second, node).items()},
        reshaped={node: shape for node, shape in shapes.items() if shape[0] != shape[1]},
        edges=(len(edges[0] - edges[1]), len(edges[1] - edges[0])),
        prices=(total_price(first), total_price(second)),
    )


def _changed(first: ArchGraph, second: ArchGraph, node: str) -> Changed | None:
    old, new = op_of(first, node), op_of(second, node)
    before, after = (op_of(graph, node).canonical(input_shapes(graph, node)) for graph in (first, second))
    keys = [key for key in dict.fromkeys([*before, *after]) if key != "op" and before.get(key) != after.get(key)]
    if not keys and old.op == new.op:
        return None
    return Changed(node, (old.op, new.op), {key: (before.get(key), after.get(key)) for key in keys})


def _rewired(first: ArchGraph, second: ArchGraph, node: str) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    before, after = inputs_of(first, node), inputs_of(second, node)
    ports = dict.fromkeys([*before, *after])
    return {(node, p): (before.get(p), after.get(p)) for p in ports if before.get(p) != after.get(p)}


def as_data(found: Difference) -> dict[str, Any]:
    """The difference as plain data."""
    before, after = found.prices
    return {
        "from": found.names[0],
        "to": found.names[1],
        "same": found.same,
        "removed": [{"node": node, "op": op} for node, op in found.removed.items()],
        "added": [{"node": node, "op": op} for node, op in found.added.items()],
        "changed": [
            {"node": c.node, "op": list(c.op), "parameters": {key: list(pair) for key, pair in c.parameters.items()}}
            for c in found.changed
        ],
        "rewired": [{"node": node, "port": port, "source": list(pair)} for (node, port), pair in found.rewired.items()],
        "reshaped": [{"node": node, "shape": list(pair)} for node, pair in found.reshaped.items()],
        "edges": {"removed": found.edges[0], "added": found.edges[1]},
        "parameters": _numbers(before.parameters, after.parameters),
        "macs": _numbers(before.macs, after.macs),
    }


def _numbers(before: int, after: int) -> dict[str, int]:
    return {"from": before, "to": after, "change": after - before}


def in_words(found: Difference) -> list[str]:
    """The difference as lines for people: what goes, what comes, what changes, and the price."""
    if found.same:
        ids = "" if not (found.removed or found.added) else ", under other ids"
        return [f"{found.names[0]} and {found.names[1]} are the same architecture{ids}."]
    lines = [f"from {found.names[0]} to {found.names[1]}:"]
    lines += _some([f"- {_listed(nodes)} ({op})" for op, nodes in _by_value(found.removed).items()])
    lines += _some([f"+ {_listed(nodes)} ({op})" for op, nodes in _by_value(found.added).items()])
    lines += _some([f"~ {_listed(nodes)}: {what}" for what, nodes in _by_value(_said(found)).items()])
    lines += _some([f"~ {_listed(nodes)} gives {what}" for what, nodes in _by_value(_shapes(found)).items()])
    lines += _some([_rewiring(*key, *sources) for key, sources in found.rewired.items()])
    before, after = found.prices
    lines.append(f"parameters {_price(before.parameters, after.parameters)}")
    lines.append(f"MACs {_price(before.macs, after.macs)}")
    return lines


def _by_value(words: dict[str, str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for node, word in words.items():
        groups.setdefault(word, []).append(node)
    return groups


def _said(found: Difference) -> dict[str, str]:
    return {changed.node: _change(changed) for changed in found.changed}


def _change(changed: Changed) -> str:
    old, new = changed.op
    if old != new:
        own = [f"{key}={flat(after)}" for key, (_, after) in changed.parameters.items() if after is not None]
        return f"{old} becomes {new}" + (f" ({', '.join(own)})" if own else "")
    return f"{old}: " + ", ".join(f"{key} {flat(a)} -> {flat(b)}" for key, (a, b) in changed.parameters.items())


def _shapes(found: Difference) -> dict[str, str]:
    """Other shapes, where they do not follow from a parameter that is named already."""
    said = {changed.node for changed in found.changed}
    return {node: f"{old} -> {new}" for node, (old, new) in found.reshaped.items() if node not in said}


def _rewiring(node: str, port: str, before: str | None, after: str | None) -> str:
    if after is None:
        return f"~ {node} is no longer given {before} ({port})"
    return f"~ {node} takes {after}{f' instead of {before}' if before is not None else ''} ({port})"


def _listed(nodes: list[str]) -> str:
    shown = ", ".join(nodes[:_MOST_NAMED])
    return shown if len(nodes) <= _MOST_NAMED else f"{shown} and {len(nodes) - _MOST_NAMED} more"


def _some(lines: list[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return lines
    return [*lines[:_MOST_LINES], f"  … and {len(lines) - _MOST_LINES} more of these (--json has all)"]


def _price(before: int, after: int) -> str:
    if before == after:
        return f"{before:,} in both"
    share = f", {after / before - 1:+.1%}" if before else ""
    return f"{before:,} -> {after:,} ({after - before:+,}{share})"
