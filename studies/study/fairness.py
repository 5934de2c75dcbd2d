"""Doubts about the variants of an ablation: what differs besides the question."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import Problem, total_price
from archspec.graphs.graph import ArchGraph, input_shapes, inputs_of, op_of
from archspec.text.positions import DataPath, Positions


def size_doubts(
    base: ArchGraph, variant: ArchGraph, share: float | None, positions: Positions, path: DataPath
) -> Iterator[Problem]:
    """U405: the variant's parameters differ from the base's by more than the share that the study states."""
    before, after = total_price(base).parameters, total_price(variant).parameters
    if share is None or not before or abs(after - before) <= share * before:
        return
    change = after / before - 1
    more = "more" if change > 0 else "fewer"
    message = (
        f"the variant `{path[-1]}` has {abs(change):.1%} {more} parameters than the base ({after:,} to {before:,})."
    )
    hint = f"The study states at most {share:.1%}: match it by `resize` or another ch, or state a larger share."
    yield positions.problem("U405", message, hint, path=path, severity="warning")


def group_doubts(base: ArchGraph, variant: ArchGraph, positions: Positions, path: DataPath) -> Iterator[Problem]:
    """U406: norms see other widths in the variant, but have as many groups, so their groups have other widths too."""
    found = [(node, *change) for node in variant if node in base and (change := _regrouped(base, variant, node))]
    if not found:
        return
    node, groups, before, after = found[0]
    where = f"in {node}" if len(found) == 1 else f"in {node} and {len(found) - 1} more"
    message = f"the variant `{path[-1]}` changes the channels but not the norm groups {where}."
    hint = (
        f"Channels for each of its {groups} groups: {before / groups:g} in the base, {after / groups:g} here. Set the "
        "groups too (num_groups), or silence this if that is the question."
    )
    yield positions.problem("U406", message, hint, path=path, node=None, severity="warning")


def _regrouped(base: ArchGraph, variant: ArchGraph, node: str) -> tuple[int, int, int] | None:
    """(groups, channels before, channels after) of a node's first group norm of another width and as many groups."""
    groups, before = _norms(base, node)
    same, after = _norms(variant, node)
    if groups is None or groups != same or _feeds(base, node) != _feeds(variant, node):
        return None  # where a join is gone or another one, its width is what the variant asks about
    changes = ((groups, old, new) for old, new in zip(before, after, strict=False) if old != new)
    return next(changes, None)


def _feeds(graph: ArchGraph, node: str) -> dict[str, tuple[str, str]]:
    """Port -> the node that fills it, and its operation."""
    return {port: (source, op_of(graph, source).op) for port, source in inputs_of(graph, node).items()}


def _norms(graph: ArchGraph, node: str) -> tuple[int | None, tuple[int, ...]]:
    """The number of groups of a node's group norms, if it is said as a number, and their widths."""
    op = op_of(graph, node)
    groups = getattr(op, "groups", None)
    return groups if isinstance(groups, int) else None, op.normed(input_shapes(graph, node))
