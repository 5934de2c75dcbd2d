"""The short form written out: ids, shapes, roles, places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest

import archspec
from archspec.forms.template import Said, UNet, expand
from archspec.graphs.graph import input_nodes, inputs_of, op_of, order, output_node, price_of, shape_of
from archspec.ops import Attention, ResnetBlock
from archspec.text.parse import Positions

GOLDEN = Path(__file__).parents[1] / "golden" / "archspec-seed-256.txt"

SMALL: dict[str, Any] = {
    "ch": 32,
    "out_ch": 3,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}


def unet(**changes: Any) -> archspec.ArchGraph:
    return archspec.check_data(
        {"version": 1, "name": "small", "unet": {**SMALL, **changes}}, Positions("small")
    ).sound()


def table(graph: archspec.ArchGraph) -> str:
    rows = []
    for node in order(graph):
        inputs = ", ".join(f"{port}={source}" for port, source in inputs_of(graph, node).items())
        price = price_of(graph, node)
        shape = str(shape_of(graph, node))
        rows.append(
            f"{node:<20} {op_of(graph, node).op:<15} {shape:<18} {price.parameters:>9} {price.macs:>14}  {inputs}"
        )
    total = archspec.total_price(graph)
    return "\n".join([*rows, f"{'total':<55} {total.parameters:>9} {total.macs:>14}", ""])


def test_the_shape_table_of_the_seeds_example() -> None:
    assert table(archspec.build(archspec.load("zoo/seed-256"))) == GOLDEN.read_text(encoding="utf-8")


def test_ids_are_the_reference_module_paths() -> None:
    assert list(unet()) == [
        *("x", "t", "time", "temb", "conv_in"),
        *("down.0.block.0", "down.0.downsample", "down.1.block.0", "down.1.attn.0"),
        *("mid.block_1", "mid.attn_1", "mid.block_2"),
        *("up.1.skip.0", "up.1.block.0", "up.1.attn.0", "up.1.skip.1", "up.1.block.1", "up.1.attn.1", "up.1.upsample"),
        *("up.0.skip.0", "up.0.block.0", "up.0.skip.1", "up.0.block.1"),
        *("norm_out", "act_out", "conv_out", "out"),
    ]


def test_skips_come_last_in_first_out() -> None:
    graph = archspec.build(archspec.load("zoo/seed-256"))
    skips = {node: inputs_of(graph, node)["skip"] for node in graph if ".skip." in node}
    assert list(skips.values()) == [
        *("down.4.attn.1", "down.4.attn.0", "down.3.downsample"),
        *("down.3.block.1", "down.3.block.0", "down.2.downsample"),
        *("down.2.block.1", "down.2.block.0", "down.1.downsample"),
        *("down.1.block.1", "down.1.block.0", "down.0.downsample"),
        *("down.0.block.1", "down.0.block.0", "conv_in"),
    ]


def test_edges_carry_ports_and_roles() -> None:
    graph = unet(context_channels=1)
    assert graph.edges["conv_in", "up.0.skip.1"]["ports"] == ("skip",)
    assert graph.edges["conv_in", "up.0.skip.1"]["roles"] == ("skip",)
    assert graph.edges["temb", "mid.block_1"]["roles"] == ("emb",)
    assert graph.edges["conv_in", "down.0.block.0"]["roles"] == ("main",)
    assert graph.edges["context", "with_context"]["roles"] == ("context",)
    assert input_nodes(graph) == {"image": "x", "timestep": "t", "context": "context"}
    assert output_node(graph) == "out"


def test_the_graph_is_frozen_and_named() -> None:
    graph = unet()
    assert graph.graph["name"] == "small"
    with pytest.raises(nx.NetworkXError):
        graph.remove_node("x")


@pytest.mark.parametrize(
    ("changes", "there", "gone"),
    [
        ({"attn_type": "none"}, [], ["mid.attn_1", "down.1.attn.0"]),
        ({"mid_attn": False}, ["down.1.attn.0"], ["mid.attn_1"]),
        ({"attn_resolutions": []}, ["mid.attn_1"], ["down.1.attn.0"]),
        ({"attn_at": {8: {"type": "none"}}}, ["mid.attn_1"], ["down.1.attn.0"]),
        ({"mid_attn": {"type": "none"}}, ["down.1.attn.0"], ["mid.attn_1"]),
        ({"attn_type": "none", "mid_attn": {"type": "vanilla"}}, ["mid.attn_1"], ["down.1.attn.0"]),
        ({"skip": "none"}, [], ["up.0.skip.0"]),
        ({"use_timestep": False}, [], ["t", "time", "temb"]),
        ({"context_channels": 2}, ["context", "with_context"], []),
    ],
)
def test_switches(changes: dict[str, Any], there: list[str], gone: list[str]) -> None:
    graph = unet(**changes)
    assert [node for node in there if node not in graph] == []
    assert [node for node in gone if node in graph] == []


def test_options_of_attention_the_nearest_wins() -> None:
    graph = unet(
        attn_resolutions=[16, 8],
        attn={"heads": 2, "norm": False},
        attn_at={8: {"heads": 4, "type": "linear"}},
        mid_attn={"residual": False},
    )
    found = {node: op for node in graph if isinstance(op := op_of(graph, node), Attention)}
    assert found["down.0.attn.0"] == Attention(heads=2, norm=False)
    assert found["down.1.attn.0"] == Attention(type="linear", heads=4, norm=False)
    assert found["mid.attn_1"] == Attention(heads=2, norm=False, residual=False)


def test_without_a_timestep_the_projection_stays_allocated() -> None:
    block = op_of(unet(use_timestep=False), "mid.block_1")
    assert isinstance(block, ResnetBlock)
    assert block.emb_dim == 4 * 32


def test_multipliers_are_the_decimals_that_were_written() -> None:
    assert UNet(**{**SMALL, "ch": 70, "ch_mult": (0.7, 1.1)}).widths() == [49, 77]
    assert unet(ch=64, ch_mult=[0.5, 1.5]).nodes["down.1.block.0"]["shape"].channels == 96


def test_expansion_alone_needs_no_document() -> None:
    assert list(expand(UNet(**SMALL), "bare")) == list(unet())
    assert expand(UNet(**SMALL), "bare", Said()).graph["name"] == "bare"
