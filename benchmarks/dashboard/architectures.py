"""Architectures of a made-up study: thousands of different ones, in the time that a few hundred take to build."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import archspec
from tests.reports.synthetic_study import graph_of

CHANNELS = 32
"""Of the networks that are built; wider ones are written down after them."""


class Architectures:
    """Documents by parameters; nodes that are alike are kept once, so that thousands fit into memory."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}

    def document(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The architecture in full of a trial with these parameters."""
        names = ("ch_mult", "num_res_blocks", "attn_resolutions", "skip", "mid_attn")
        built = _built(*(given[name] for name in names))
        nodes = {name: self._node(node, given) for name, node in built["graph"]["nodes"].items()}
        return {**built, "graph": {"nodes": nodes, "edges": built["graph"]["edges"]}}

    def _node(self, node: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        changed = dict(node)
        for field in ("out", "dim", "hidden"):
            if changed.get(field, 0) >= CHANNELS:
                changed[field] = changed[field] * given["ch"] // CHANNELS
        if node["op"] == "resnet_block":
            # Widths that 32 does not divide are grouped by 16.
            changed |= {"act": given["act"], "norm_type": given["norm"], "groups": min(given["groups"], 16)}
        if node["op"] == "attention":
            changed |= {"type": given["attn_type"], "heads": given["heads"], "groups": 16}
        if node["op"] == "norm":
            changed |= {"groups": 16}
        return self._nodes.setdefault(repr(changed), changed)


@cache
def _built(mult: str, blocks: int, attention: str, skip: str, mid: bool) -> dict[str, Any]:  # noqa: FBT001
    resolutions = "" if attention == "none" else attention
    graph = graph_of(mult=f"[{mult}]", blocks=blocks, attn=f"[{resolutions}]", skip=skip, mid=str(mid).lower())
    return archspec.to_document(graph)
