"""The catalogue of architectures says of every node what the graph itself says, however much is shared."""

import copy

import networkx as nx
import pytest

from archspec import from_document, total_price
from reports.figures.unet_catalogue import Catalogue
from reports.figures.unet_labels import node_label, node_tooltip
from reports.figures.unet_svg import unet_form
from reports.figures.unet_units import Network
from tests.reports.synthetic_study import full_study, graph_of


def test_shared_blocks_say_what_the_graph_says() -> None:
    catalogue = Catalogue()
    documents = list(full_study().architectures.values())
    for document in documents:
        entry, graph = catalogue.add(document), from_document(document)
        assert entry is not None
        assert entry.price == total_price(graph)
        for node, number in zip(document["graph"]["nodes"], entry.blocks, strict=True):
            label, words, *_ = catalogue.blocks[number]
            assert (label, f"{node}: {words}") == (node_label(graph, node), node_tooltip(graph, node))
    nodes = sum(len(document["graph"]["nodes"]) for document in documents)
    assert len(catalogue.blocks) < nodes / 5


def test_one_form_is_drawn_for_architectures_that_differ_in_words_alone() -> None:
    catalogue = Catalogue()
    document = next(iter(full_study().architectures.values()))
    wider = copy.deepcopy(document)
    wider["graph"]["nodes"]["mid.block_1"]["dropout"] = 0.25
    first, second = catalogue.add(document), catalogue.add(wider)
    assert first is not None
    assert second is not None
    assert first.form == second.form
    assert len(catalogue.forms) == 1
    changed = [a != b for a, b in zip(first.blocks, second.blocks, strict=True)]
    assert changed.count(True) == 1
    at = list(document["graph"]["nodes"]).index("mid.block_1")
    assert "dropout 0.25" in catalogue.blocks[second.blocks[at]][1]


@pytest.mark.parametrize(
    "damage",
    [
        lambda graph: graph["nodes"]["mid.block_1"].update(op="no_such_operation"),
        lambda graph: graph["nodes"]["mid.block_1"].update(groups=7),
        lambda graph: graph["edges"].append(["conv_in", "mid.block_1", "no_such_port"]),
        lambda graph: graph["edges"].append(["conv_out", "conv_in", "x"]),
        lambda graph: graph.pop("edges"),
    ],
)
def test_what_can_not_be_drawn_is_left_out_and_spoils_nothing(damage: object) -> None:
    catalogue = Catalogue()
    document = next(iter(full_study().architectures.values()))
    broken = copy.deepcopy(document)
    assert callable(damage)
    damage(broken["graph"])
    assert catalogue.add(broken) is None
    assert catalogue.add(document) is not None


def test_a_full_catalogue_still_takes_what_is_made_of_known_parts() -> None:
    documents = list(full_study().architectures.values())
    catalogue = Catalogue(most_forms=1)
    assert catalogue.add(documents[0]) is not None
    assert catalogue.add(documents[1]) is None
    assert catalogue.add(documents[0]) is not None


def test_names_of_nodes_are_escaped_in_a_form() -> None:
    graph = nx.relabel_nodes(graph_of(), {"mid.block_1": "<script>alert(1)</script>"})
    form = str(unet_form(Network(graph)))
    assert "<script>" not in form
    assert "&lt;script&gt;alert(1)" in form
