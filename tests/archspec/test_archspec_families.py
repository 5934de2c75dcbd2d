"""The short forms `edm2` and `song`: what they draw, how they are edited, and when they are the same network."""

from __future__ import annotations

import math
from typing import Any

import pytest

import archspec
from archspec import ArchGraph, fingerprint, total_price
from archspec.document import Architecture
from archspec.graphs.graph import inputs_of, op_of, shape_of
from archspec.ops import Attention, MpAttention, MpBlock, MpConv, MpSum, ResnetBlock
from archspec.ops.shapes import FeatureMap
from archspec.short_forms import SHORT_FORMS
from archspec.text.positions import Positions

SIZES: dict[str, Any] = {"ch": 16, "out_ch": 3, "in_channels": 3, "resolution": 16, "ch_mult": [1, 2]}
EDM2: dict[str, Any] = {**SIZES, "num_res_blocks": 1, "attn_resolutions": [8], "head_dim": 8}
SONG: dict[str, Any] = {**SIZES, "num_res_blocks": 1, "attn_resolutions": [8]}


def network(form: str, parameters: dict[str, Any], *edits: dict[str, Any]) -> ArchGraph:
    document = {"version": 1, "name": "small", form: parameters, "edits": list(edits)}
    return archspec.check_data(document, Positions("small")).sound()


def test_every_short_form_is_a_key_of_files_and_of_edits() -> None:
    keys = set(Architecture.model_fields)
    assert keys >= {*SHORT_FORMS, "graph"}
    assert set(archspec.Edit.model_fields) >= set(SHORT_FORMS)


def test_what_edm2_draws() -> None:
    graph = network("edm2", {**EDM2, "classes": 10})
    assert list(graph) == [
        "x", "t", "time", "emb.noise", "label", "one_hot", "emb.label", "emb.sum", "emb.act", "with_ones", "conv_in",
        "down.0.block.0", "down.0.clip.0", "down.0.downsample", "down.0.clip.1",
        "down.1.block.0", "down.1.attn.0", "down.1.clip.0",
        "mid.block.0", "mid.attn.0", "mid.clip.0", "mid.block.1", "mid.clip.1",
        "up.1.skip.0", "up.1.block.0", "up.1.attn.0", "up.1.clip.0",
        "up.1.skip.1", "up.1.block.1", "up.1.attn.1", "up.1.clip.1", "up.1.upsample", "up.1.clip.2",
        "up.0.skip.0", "up.0.block.0", "up.0.clip.0", "up.0.skip.1", "up.0.block.1", "up.0.clip.1",
        "conv_out", "out",
    ]  # fmt: skip
    skips = [inputs_of(graph, f"up.{level}.skip.{number}")["skip"] for level in (1, 0) for number in (0, 1)]
    assert skips == ["down.1.clip.0", "down.0.clip.1", "down.0.clip.0", "conv_in"]
    assert op_of(graph, "down.0.downsample") == MpBlock(out=16, flavor="encoder", resample="down")
    assert op_of(graph, "up.1.upsample") == MpBlock(out=32, flavor="decoder", resample="up")
    assert op_of(graph, "mid.attn.0") == MpAttention(head_dim=8)
    assert op_of(graph, "conv_out") == MpConv(out=3, gain=True)
    assert shape_of(graph, "up.0.skip.0") == FeatureMap(48, 16)


def test_what_song_draws() -> None:
    graph = network("song", {**SONG, "classes": 10, "augment_dim": 9, "progressive_input": "residual"})
    assert list(graph) == [
        "x", "t", "time", "label", "label_emb", "with_label", "augment", "augment_emb", "with_augment", "temb",
        "conv_in", "down.0.block.0", "down.0.downsample", "down.0.aux", "down.0.with_aux",
        "down.1.block.0", "down.1.attn.0", "mid.block_1", "mid.attn_1", "mid.block_2",
        "up.1.skip.0", "up.1.block.0", "up.1.skip.1", "up.1.block.1", "up.1.attn.1", "up.1.upsample",
        "up.0.skip.0", "up.0.block.0", "up.0.skip.1", "up.0.block.1", "norm_out", "act_out", "conv_out", "out",
    ]  # fmt: skip
    down = op_of(graph, "down.0.downsample")
    assert isinstance(down, ResnetBlock)
    assert (down.groups, down.eps, down.project_shortcut, down.residual_scale) == ("auto", 1e-6, True, math.sqrt(0.5))
    attention = op_of(graph, "mid.attn_1")
    assert isinstance(attention, Attention)
    assert attention.residual_scale == math.sqrt(0.5)
    assert op_of(graph, "down.0.with_aux") == MpSum(t=0.5)  # (x + aux) / sqrt(2)
    assert inputs_of(graph, "up.1.skip.1")["skip"] == "down.0.with_aux"
    assert inputs_of(graph, "down.0.aux") == {"x": "x"}


def test_progressive_images_on_both_ways() -> None:
    graph = network("song", {**SONG, "ch_mult": [1, 1, 2], "progressive_input": "skip", "progressive_output": "skip"})
    assert inputs_of(graph, "down.1.image") == {"x": "down.0.image"}
    assert inputs_of(graph, "down.1.with_aux") == {"x": "down.1.downsample", "skip": "down.1.aux"}
    assert inputs_of(graph, "up.1.image_sum") == {"x": "up.1.conv_out", "skip": "up.1.enlarged"}
    assert inputs_of(graph, "up.1.enlarged") == {"x": "up.2.conv_out"}
    assert inputs_of(graph, "image_sum") == {"x": "conv_out", "skip": "up.0.enlarged"}
    assert inputs_of(graph, "up.1.upsample")["x"] == "up.1.attn.1"
    assert shape_of(graph, "out") == FeatureMap(3, 16)


@pytest.mark.parametrize(("form", "parameters"), [("edm2", EDM2), ("song", SONG)])
def test_edits_of_the_short_form_are_as_if_written(form: str, parameters: dict[str, Any]) -> None:
    edited = network(form, parameters, {form: {"ch": 32, "num_res_blocks": 2}})
    written = network(form, {**parameters, "ch": 32, "num_res_blocks": 2})
    assert fingerprint(edited) == fingerprint(written)
    assert total_price(edited) == total_price(written) != total_price(network(form, parameters))


def test_nodes_of_a_family_are_edited_as_any() -> None:
    base = network("edm2", {**EDM2, "classes": 10})
    bare = network("edm2", {**EDM2, "classes": 10}, {"remove": "mp_attention"}, {"remove": "emb.sum"})
    heads = sum(base.nodes[node]["price"].parameters for node in base if isinstance(op_of(base, node), MpAttention))
    labels = base.nodes["emb.label"]["price"].parameters
    assert total_price(base).parameters - total_price(bare).parameters == heads + labels
    assert "label" not in bare


@pytest.mark.parametrize(
    ("form", "first", "second"),
    [
        ("edm2", {}, {"num_res_blocks": 1, "clip": 256.0, "noise_dim": 16, "emb_dim": 32, "label_balance": 0.3}),
        ("edm2", {"resample_filter": [1, 3, 3, 1]}, {"resample_filter": [0.5, 1.5, 1.5, 0.5]}),
        ("song", {}, {"noise_mult": 1, "features": "positional", "classes": 0}),
        ("song", {"resample_filter": [1, 3, 3, 1]}, {"resample_filter": [2, 6, 6, 2]}),
        (
            "song",
            {"progressive_input": "skip", "resample_filter": [1, 1]},
            {"progressive_input": "skip", "resample_filter": [3, 3]},
        ),
    ],
)
def test_the_same_computation_has_one_fingerprint(form: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    parameters = {"edm2": EDM2, "song": SONG}[form]
    assert fingerprint(network(form, {**parameters, **first})) == fingerprint(network(form, {**parameters, **second}))


CHANGES: list[tuple[str, dict[str, Any]]] = [
    *(
        ("edm2", change)
        for change in (
            {"clip": None}, {"clip": 128.0}, {"noise_dim": 8}, {"emb_dim": 8}, {"classes": 2}, {"dropout": 0.1},
            {"classes": 2, "label_balance": 0.4}, {"concat_balance": 0.4}, {"res_balance": 0.4}, {"head_dim": 16},
            {"attn_balance": 0.4}, {"resample_filter": [1, 3, 3, 1]}, {"attn_resolutions": []}, {"ch": 32},
        )
    ),
    *(
        ("song", change)
        for change in (
            {"features": "fourier"}, {"noise_mult": 2}, {"classes": 2}, {"augment_dim": 2}, {"dropout": 0.1},
            {"resample_filter": [1, 3, 3, 1]}, {"progressive_input": "skip"}, {"progressive_input": "residual"},
            {"progressive_output": "skip"}, {"norm_eps": 1e-5}, {"zero_init": True}, {"attn_resolutions": []},
        )
    ),
]  # fmt: skip


def test_every_parameter_that_has_an_effect_changes_the_fingerprint() -> None:
    bases = {"edm2": EDM2, "song": SONG}
    graphs = [network(form, base) for form, base in bases.items()]
    graphs += [network(form, {**bases[form], **change}) for form, change in CHANGES]
    assert len({fingerprint(graph) for graph in graphs}) == len(graphs)
    said = {(form, name) for form, change in CHANGES for name in change}
    known = {(form, name) for form in bases for name in SHORT_FORMS[form].model.model_fields}
    shared = {(form, name) for form, name in known if name in {*SIZES, "num_res_blocks", "attn_resolutions"}}
    assert known - said - shared == set()


def test_features_that_are_drawn_are_not_shared() -> None:
    text = """
version: 1
name: two
graph:
  nodes:
    x: {op: input, channels: 2, resolution: 4}
    t: {op: input, kind: timestep}
    a: {op: mp_fourier, dim: 4}
    b: {op: mp_fourier, dim: 4}
    sum: {op: mp_sum, t: 0.25}
    block: {op: mp_block, out: 2, flavor: encoder}
    out: {op: output}
  edges:
    - [t, a]
    - [t, b]
    - [a, sum]
    - [SECOND, sum, skip]
    - [x, block]
    - [sum, block, emb]
    - [block, out]
"""
    two = archspec.build(archspec.loads(text.replace("SECOND", "b")))
    one = text.replace("SECOND", "a").replace("    b: {op: mp_fourier, dim: 4}\n", "").replace("    - [t, b]\n", "")
    assert fingerprint(two) != fingerprint(archspec.build(archspec.loads(one)))


@pytest.mark.parametrize("form", ["edm2", "song"])
def test_yaml_and_back(form: str) -> None:
    graph = network(form, {"edm2": EDM2, "song": SONG}[form])
    again = archspec.build(archspec.loads(archspec.to_yaml(graph)))
    assert fingerprint(again) == fingerprint(graph)
    assert archspec.to_document(again) == archspec.to_document(graph)
