"""How conditions come together in `unet`: what is summed, before or after the MLP, and how wide it is."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.graphs.graph import inputs_of, op_of, shape_of
from archspec.ops import ResnetBlock, Transformer
from archspec.ops.shapes import Embedding
from archspec.text.positions import Positions

SMALL: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip
LABEL, VECTOR = {"classes": 10}, {"dim": 5}
FIRST = {"before_mlp": True}


def unet(**changes: Any) -> archspec.ArchGraph:
    document = {"version": 1, "name": "n", "unet": {**SMALL, **changes}}
    return archspec.check_data(document, Positions("f")).sound()


@pytest.mark.parametrize(
    ("changes", "sums", "widths"),
    [
        ({}, {"temb": ["time"]}, {"time": 32, "temb": 128}),
        (
            {"label": LABEL},
            {"temb": ["time"], "with_label": ["temb", "label_emb"]},
            {"time": 32, "temb": 128, "label_emb": 128, "with_label": 128},
        ),
        (
            {"label": {**LABEL, **FIRST}},
            {"with_label": ["time", "label_emb"], "temb": ["with_label"]},
            {"time": 32, "label_emb": 32, "with_label": 32, "temb": 128},
        ),
        (
            {"vector": VECTOR},
            {"temb": ["time"], "vector_emb": ["vector"], "with_vector": ["temb", "vector_emb"]},
            {"time": 32, "temb": 128, "vector": 5, "vector_emb": 128, "with_vector": 128},
        ),
        (
            {"vector": {**VECTOR, **FIRST}, "label": LABEL},
            {
                "vector_emb": ["vector"],
                "with_vector": ["time", "vector_emb"],
                "temb": ["with_vector"],
                "with_label": ["temb", "label_emb"],
            },
            {"time": 32, "vector": 5, "vector_emb": 32, "with_vector": 32, "temb": 128, "label_emb": 128,
             "with_label": 128},
        ),
        (
            {"vector": VECTOR, "label": LABEL},
            {
                "temb": ["time"],
                "with_label": ["temb", "label_emb"],
                "vector_emb": ["vector"],
                "with_vector": ["with_label", "vector_emb"],
            },
            {"time": 32, "temb": 128, "label_emb": 128, "with_label": 128, "vector": 5, "vector_emb": 128,
             "with_vector": 128},
        ),
        ({"use_timestep": False}, {}, {}),
        ({"use_timestep": False, "label": LABEL}, {}, {"label_emb": 128}),
        (
            {"use_timestep": False, "label": {**LABEL, **FIRST}},
            {"temb": ["label_emb"]},
            {"label_emb": 128, "temb": 128},
        ),
        (
            {"use_timestep": False, "label": LABEL, "vector": VECTOR},
            {"vector_emb": ["vector"], "with_vector": ["label_emb", "vector_emb"]},
            {"label_emb": 128, "vector": 5, "vector_emb": 128, "with_vector": 128},
        ),
    ],
)  # fmt: skip
def test_what_is_summed_and_how_wide_it_is(
    changes: dict[str, Any], sums: dict[str, list[str]], widths: dict[str, int]
) -> None:
    graph = unet(**changes)
    found = {node: shape.dim for node in graph if isinstance(shape := shape_of(graph, node), Embedding)}
    assert found == widths
    assert {node: list(inputs_of(graph, node).values()) for node in found if node in sums} == sums


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        ({}, "temb"),
        ({"label": LABEL}, "with_label"),
        ({"label": LABEL, "vector": VECTOR}, "with_vector"),
        ({"use_timestep": False, "label": LABEL}, "label_emb"),
        ({"use_timestep": False}, None),
    ],
)
def test_every_block_takes_what_is_left_at_the_end(changes: dict[str, Any], source: str | None) -> None:
    graph = unet(**changes)
    blocks = {node: op for node in graph if isinstance(op := op_of(graph, node), ResnetBlock)}
    assert {inputs_of(graph, node).get("emb") for node in blocks} == {source}
    assert {op.emb_dim for op in blocks.values()} == {None if source else 128}


@pytest.mark.parametrize(
    ("changes", "crossing"),
    [
        ({"attn_type": "transformer"}, []),
        ({"attn_type": "transformer", "tokens": {"dim": 4}},
         ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]),
        ({"attn_type": "transformer", "tokens": {"dim": 4}, "mid_attn": False},
         ["down.1.attn.0", "up.1.attn.0", "up.1.attn.1"]),
        ({"tokens": {"dim": 4}, "mid_attn": {"type": "transformer"}}, ["mid.attn_1"]),
        ({"tokens": {"dim": 4}, "attn_at": {8: {"type": "transformer"}}, "mid_attn": True},
         ["down.1.attn.0", "up.1.attn.0", "up.1.attn.1"]),
        ({"attn_type": "transformer", "tokens": {"dim": 4}, "transformer": {"cross_attention": False}}, []),
    ],
)  # fmt: skip
def test_which_transformers_attend_to_tokens(changes: dict[str, Any], crossing: list[str]) -> None:
    graph = unet(**changes)
    found = [node for node in graph if isinstance(op := op_of(graph, node), Transformer) and op.cross_attention]
    assert found == crossing
    assert [node for node in graph if "tokens" in inputs_of(graph, node)] == crossing
    assert ("tokens" in graph) == bool(crossing)


@pytest.mark.parametrize(
    ("depth", "down", "middle", "up"),
    [
        (1, [1, 1, 1], 1, [1, 1, 1, 1, 1]),
        (3, [3, 3, 3], 3, [3, 3, 3, 3, 3]),
        ([1, 2], [1, 2, 2], 2, [1, 1, 2, 2, 2]),
        ([1, [2, 3, 4]], [1, 2, 3], 4, [1, 1, 2, 3, 4]),
        ([[5, 6], 2], [5, 2, 2], 2, [5, 6, 2, 2, 2]),
    ],
)
def test_depths_by_level_and_by_block(depth: Any, down: list[int], middle: int, up: list[int]) -> None:
    changes = {"attn_type": "transformer", "attn_resolutions": [16, 8], "num_res_blocks": [1, 2]}
    graph = unet(**changes, transformer={"depth": depth})
    depths = {node: op.depth for node in graph if isinstance(op := op_of(graph, node), Transformer)}
    ways = {side: [depths[node] for node in sorted(depths) if node.startswith(side)] for side in ("down", "mid", "up")}
    assert ways == {"down": down, "mid": [middle], "up": up}


def test_a_depth_of_its_own_comes_before_that_of_the_level() -> None:
    graph = unet(
        attn_type="transformer", transformer={"depth": [1, 2]}, attn_at={8: {"depth": 4}}, mid_attn={"depth": 5}
    )
    depths = {node: op.depth for node in graph if isinstance(op := op_of(graph, node), Transformer)}
    assert depths == {"down.1.attn.0": 4, "mid.attn_1": 5, "up.1.attn.0": 4, "up.1.attn.1": 4}


def test_norms_of_transformers_keep_their_own_eps() -> None:
    graph = unet(attn_type="transformer", norm_eps=1e-3, num_groups=16)
    transformer, block = op_of(graph, "mid.attn_1"), op_of(graph, "mid.block_1")
    assert isinstance(transformer, Transformer)
    assert isinstance(block, ResnetBlock)
    assert (transformer.eps, block.eps) == (1e-6, 1e-3)
    assert transformer.groups == block.groups == 16
