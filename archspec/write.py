"""Graph to text: the full form, with every parameter spelled out, and back."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from archspec.build import check_data
from archspec.graphs.graph import ArchGraph, edges_of, ops_of
from archspec.text.positions import Positions


def to_document(graph: ArchGraph) -> dict[str, Any]:
    """The full form of a graph as plain data, defaults spelled out; JSON and YAML can hold it."""
    nodes = {node: op.model_dump(mode="json", exclude_none=True) for node, op in ops_of(graph)}
    edges = [[edge.source, edge.target, edge.port] for edge in edges_of(graph)]
    return {"version": 1, "name": str(graph.graph["name"]), "graph": {"nodes": nodes, "edges": edges}}


def from_document(document: dict[str, Any]) -> ArchGraph:
    """The graph of plain data, checked, shaped and priced; `UserError` with every problem."""
    name = document.get("name", "<document>") if isinstance(document, dict) else "<document>"
    return check_data(document, Positions(str(name))).sound()


def to_yaml(graph: ArchGraph) -> str:
    """The full form as YAML text, one node or edge a line."""
    document = to_document(graph)
    section = document["graph"]
    section["nodes"] = {node: _in_one_line(CommentedMap(data)) for node, data in section["nodes"].items()}
    section["edges"] = [_in_one_line(CommentedSeq(edge)) for edge in section["edges"]]
    yaml = YAML()
    yaml.width = 4_000
    yaml.indent(mapping=2, sequence=4, offset=2)
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return buffer.getvalue()


def _in_one_line(collection: CommentedMap | CommentedSeq) -> CommentedMap | CommentedSeq:
    collection.fa.set_flow_style()
    return collection
