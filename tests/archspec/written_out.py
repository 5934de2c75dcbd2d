"""A short form beside the graph that it stands for, written by hand."""

from __future__ import annotations

from typing import Any

import archspec
from archspec.graphs.graph import edges_of, ops_of


def nodes_and_edges(text: str) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str, str]]]:
    """What a file says, short or long: each node with all its parameters, and each filled port."""
    graph = archspec.build(archspec.loads(text))
    nodes = {node: op.model_dump(mode="json", exclude_none=True) for node, op in ops_of(graph)}
    return nodes, sorted((edge.source, edge.target, edge.port) for edge in edges_of(graph))


def assert_same(short: str, long: str) -> None:
    """Both say the same nodes in the same order, the same parameters and the same edges; one fingerprint, one price."""
    (nodes, edges), (expected_nodes, expected_edges) = nodes_and_edges(short), nodes_and_edges(long)
    assert list(nodes) == list(expected_nodes)
    assert nodes == expected_nodes
    assert edges == expected_edges
    one, other = (archspec.build(archspec.loads(text)) for text in (short, long))
    assert archspec.fingerprint(one) == archspec.fingerprint(other)
    assert archspec.total_price(one) == archspec.total_price(other)
