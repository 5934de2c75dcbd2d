"""What differs between two architectures, block by block and skip by skip.

Blocks of the way down, the middle and the end are the same if their ids are. A block of the way up is the one that
gets the skip of the same encoder block: with one block more per level all ids of the way up shift, and readers still
want to see one block added. What is then left is matched by its id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from archspec.graphs.graph import ArchGraph, input_shapes, op_of, shape_of
from reports.figures.unet_units import Network, Unit

Key: TypeAlias = tuple[int, str]
"""Size and encoder unit (the partner), or 0 and the unit's own node."""

Mark = Literal["", "changed", "follows", "added", "removed"]
"""`follows`: the operation is the same, but what arrives at it has another shape."""

SIGNS: dict[Mark, str] = {"": "", "changed": "≠", "follows": "", "added": "+", "removed": "−"}

MIN_SHARED = 0.3
"""Below this share of matched nodes two graphs are named too differently to be compared node by node."""


@dataclass(frozen=True)
class Difference:
    """Marks for the nodes of two graphs, and for the skips that arrive at a merge."""

    base: dict[str, Mark]
    other: dict[str, Mark]
    base_skips: dict[str, Mark]
    other_skips: dict[str, Mark]
    pairs: dict[str, str]
    """Node of the base -> its counterpart."""

    @property
    def counts(self) -> dict[Mark, int]:
        """Number of nodes by mark."""
        marks = list(self.other.values())
        counted: dict[Mark, int] = {mark: marks.count(mark) for mark in ("changed", "follows", "added")}
        return {**counted, "removed": list(self.base.values()).count("removed")}


def difference(base: Network, other: Network) -> Difference | None:
    """Compare two networks; None if too few nodes have a counterpart for that to mean anything."""
    pairs = counterparts(base, other)
    ours, theirs = _drawn(base), _drawn(other)
    if len(pairs) < MIN_SHARED * min(len(ours), len(theirs)):
        return None
    back = {b: a for a, b in pairs.items()}
    changed: dict[str, Mark] = {a: mark for a, b in pairs.items() if (mark := _change(base.graph, a, other.graph, b))}
    moved: dict[str, Mark] = dict.fromkeys(_moved(base, other, pairs), "changed")
    return Difference(
        {n: _mark(n, pairs, changed, "removed") for n in ours},
        {n: _mark(n, back, {pairs[a]: mark for a, mark in changed.items()}, "added") for n in theirs},
        {n: _mark(n, pairs, moved, "removed") for n in base.skips},
        {n: _mark(n, back, {pairs[a]: mark for a, mark in moved.items()}, "added") for n in other.skips},
        pairs,
    )


def counterparts(base: Network, other: Network) -> dict[str, str]:
    """Match the drawn nodes of two networks: node of the base -> node of the other."""
    by_partner = _match(_by_partner(base), _by_partner(other))
    taken = {a.node for a, _ in by_partner}, {b.node for _, b in by_partner}
    by_name = _match(
        {(0, u.node): u for u in base.units if u.node not in taken[0]},
        {(0, u.node): u for u in other.units if u.node not in taken[1]},
    )
    pairs = {n: n for n in set(base.conditioning) & set(other.conditioning)}
    for a, b in [*by_partner, *by_name]:
        for mine, yours in ((a.node, b.node), (a.attention, b.attention), (a.merge, b.merge)):
            if mine is not None and yours is not None:
                pairs[mine] = yours
    return pairs


def unet_keys(network: Network) -> dict[str, str]:
    """Node -> what its counterpart in another network is found by: blocks of the way up by their partner, else by id.

    The same rule as `counterparts`, for one network alone: nodes of equal keys are counterparts.
    """
    keys = {node: node for node in _drawn(network)}
    for (size, partner), unit in _by_partner(network).items():
        for kind, node in (("", unit.node), (".attn", unit.attention), (".merge", unit.merge)):
            if node is not None:
                keys[node] = f"up {size} {partner}{kind}"
    return keys


def _match(ours: Mapping[Key, Unit], theirs: Mapping[Key, Unit]) -> list[tuple[Unit, Unit]]:
    return [(unit, theirs[key]) for key, unit in ours.items() if key in theirs and theirs[key].side == unit.side]


def _by_partner(network: Network) -> dict[Key, Unit]:
    """Decoder units by the encoder unit whose output they get; the first one where several get the same."""
    keyed: dict[Key, Unit] = {}
    for unit in network.units:
        if unit.side == "up" and unit.skip_source is not None:
            keyed.setdefault((unit.size, network.home.get(unit.skip_source, unit.skip_source)), unit)
    return keyed


def _drawn(network: Network) -> list[str]:
    return [*network.conditioning, *network.home]


def _mark(node: str, matched: dict[str, str], changed: dict[str, Mark], alone: Mark) -> Mark:
    return changed.get(node, "") if node in matched else alone


def _moved(base: Network, other: Network, pairs: dict[str, str]) -> set[str]:
    """Merges that have a counterpart whose skip comes from another block."""
    found = set()
    for merge, source in base.skips.items():
        theirs = other.skips.get(pairs.get(merge, ""))
        if theirs is not None and pairs.get(base.home.get(source, source)) != other.home.get(theirs, theirs):
            found.add(merge)
    return found


def _change(base: ArchGraph, ours: str, other: ArchGraph, theirs: str) -> Mark:
    inputs = input_shapes(base, ours), input_shapes(other, theirs)
    if op_of(base, ours).canonical(inputs[0]) != op_of(other, theirs).canonical(inputs[1]):
        # Defaults that depend on the width, such as channels per head, do not make an operation another one.
        return "changed" if op_of(base, ours) != op_of(other, theirs) else "follows"
    same = inputs[0] == inputs[1] and shape_of(base, ours) == shape_of(other, theirs)
    return "" if same else "follows"
