"""Doubts about the variants of an ablation: what differs besides the question."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import Problem, total_price
from archspec.graph import ArchGraph, op_of, shape_of
from archspec.positions import DataPath, Positions
from archspec.shapes import FeatureMap


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
    """U406: the variant has other widths, but as many norm groups, so its groups have other widths too."""
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
    """(groups, channels before, channels after) of a node with `out` and groups where `out` alone differs."""
    old, new = op_of(base, node), op_of(variant, node)
    fields = type(new).model_fields
    before, after = shape_of(base, node), shape_of(variant, node)
    if type(old) is not type(new) or not {"out", "groups"} <= fields.keys() or fields["groups"].default == 1:
        return None
    groups = (old.model_dump()["groups"], new.model_dump()["groups"])
    if not (isinstance(before, FeatureMap) and isinstance(after, FeatureMap)) or before.channels == after.channels:
        return None
    return (
        (groups[0], before.channels, after.channels) if isinstance(groups[0], int) and groups[0] == groups[1] else None
    )
