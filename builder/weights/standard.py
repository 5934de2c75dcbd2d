"""Which part of the reference U-Net a node is, whatever numbers its id has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import networkx as nx

from archspec import ArchGraph, Op
from archspec.graphs.graph import ops_of

_PLACED = re.compile(r"(down|up)\.(\d+)\.(block|attn|skip)\.(\d+)")


@dataclass(frozen=True)
class Placed:
    """A node of a level: its side, level, kind of part, and the number of its block counted from 0 without gaps."""

    side: str
    level: int
    part: str
    number: int


def placed(architecture: ArchGraph) -> dict[str, Placed]:
    """The nodes ``down.{level}.{block, attn, skip}.{number}`` and their like on the way up.

    Where blocks were taken out, the ones behind move up: other code numbers what is there.
    """
    found = {node: match for node in architecture if (match := _PLACED.fullmatch(node))}
    blocks: dict[tuple[str, str], set[int]] = {}
    for match in found.values():
        if match[3] == "block":
            blocks.setdefault((match[1], match[2]), set()).add(int(match[4]))
    ranks = {key: {number: rank for rank, number in enumerate(sorted(numbers))} for key, numbers in blocks.items()}
    return {
        node: Placed(match[1], int(match[2]), match[3], ranks[match[1], match[2]][int(match[4])])
        for node, match in found.items()
        if int(match[4]) in ranks.get((match[1], match[2]), {})
    }


def renumbered(architecture: ArchGraph) -> ArchGraph:
    """The same graph, its blocks counted without gaps; as it is where a part without its block has such a name."""
    names = {node: f"{at.side}.{at.level}.{at.part}.{at.number}" for node, at in placed(architecture).items()}
    others = set(architecture) - names.keys()
    if all(new == old for old, new in names.items()) or others & set(names.values()):
        return architecture
    renamed: ArchGraph = nx.relabel_nodes(architecture, names, copy=True)
    return renamed


def node_of(architecture: ArchGraph, key: str) -> tuple[str, str, str]:
    """(node, layer, weight or bias) of one of our keys."""
    words = key.split(".")
    end = next(end for end in range(len(words), 0, -1) if ".".join(words[:end]) in architecture)
    return ".".join(words[:end]), ".".join(words[end:-1]), words[-1]


def other_operations(architecture: ArchGraph, known: tuple[type[Op], ...]) -> Iterator[tuple[str, str]]:
    """(node, what is said of it) for each node whose operation is none of those that a class of diffusers has."""
    for node, op in ops_of(architecture):
        if not isinstance(op, known):
            yield node, f"{op.op} is none of its operations."


def other_inputs(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[str]:
    """What is said of each port of a node that another node is at in the reference U-Net; port -> source."""
    for port in dict.fromkeys([*theirs, *ours]):
        if ours.get(port) != theirs.get(port):
            yield f"its input {port} would be {theirs.get(port, 'none')}, not {ours.get(port, 'none')}."
