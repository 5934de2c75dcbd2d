"""Canonical forms of what later families brought: equal for the same computation, different for another one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

import archspec
from archspec.positions import Positions

SMALL: dict[str, Any] = {
    "ch": 32,
    "out_ch": 3,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}
CROSS: dict[str, Any] = {"attn_type": "transformer", "tokens": {"dim": 8}}
NO_ATTENTION = {"self_attention": False, "cross_attention": False}


def mark(*edits: dict[str, Any], **changes: Any) -> str:
    document = {"version": 1, "name": "small", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return archspec.fingerprint(archspec.check_data(document, Positions("small")).sound())


def changed(nodes: str, **to: Any) -> dict[str, Any]:
    return {"set": {"nodes": nodes, "to": to}}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"mid_block": True, "stem": "first_level"}),
        ({"ch": 128}, {"ch": 128, "num_groups": "auto"}),
        ({}, {"conditioning": "add", "residual_scale": 1.0, "time": {"order": "sin_cos", "max_period": 10000}}),
        ({}, {"num_res_blocks": [1, 1]}),
        ({}, {"attn": {"fused_qkv": True, "qkv_bias": True}}),
        ({}, {"tokens": {"dim": 8}, "transformer": {"depth": 3}, "resample_filter": [1.0, 1.0]}),
        ({"attn_type": "linear"}, {"attn_type": "linear", "attn": {"qkv_bias": False, "fused_qkv": True}}),
        ({"resblock_updown": True}, {"resblock_updown": True, "downsample_padding": "symmetric"}),
        ({"mid_block": False}, {"mid_block": False, "mid_attn": {"heads": 2}}),
        (CROSS, {**CROSS, "transformer": {"projection": "linear", "depth": [2, 1], "cross_attention": True}}),
        (CROSS, {**CROSS, "attn": {"head_dim": 64, "fused_qkv": True}}),
        (
            {"attn_type": "transformer", "transformer": {**NO_ATTENTION, "ff_mult": 2}},
            {"attn_type": "transformer", "transformer": {**NO_ATTENTION, "ff_mult": 2}, "attn": {"heads": 4}},
        ),
        (
            {"attn_type": "transformer", "transformer": {**NO_ATTENTION, "feed_forward": False}},
            {"attn_type": "transformer", "transformer": {**NO_ATTENTION, "feed_forward": False, "depth": 2}},
        ),
        (
            {"resblock_updown": True, "resample_filter": [1.0, 3.0, 3.0, 1.0]},
            {"resblock_updown": True, "resample_filter": [0.5, 1.5, 1.5, 0.5]},
        ),
    ],
)
def test_equivalent_spellings(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert mark(**one) == mark(**other)


DIFFERENT: list[dict[str, Any]] = [
    {},
    {"num_groups": "auto"},
    {"conditioning": "scale_shift"},
    {"conditioning": "scale_shift", "use_timestep": False},
    {"use_timestep": False},
    {"residual_scale": 0.5},
    {"resblock_updown": True},
    {"resblock_updown": True, "resample_filter": [1.0, 1.0]},
    {"resblock_updown": True, "resample_filter": [1.0, 3.0, 3.0, 1.0]},
    {"downsample_padding": "symmetric"},
    {"mid_block": False},
    {"num_res_blocks": [1, 2]},
    {"num_res_blocks": [2, 1]},
    {"time": {"order": "cos_sin"}},
    {"time": {"freq_shift": 0.0}},
    {"attn": {"qkv_bias": False}},
    {"attn": {"zero_init": True}},
    {"label": {"classes": 7}},
    {"label": {"classes": 8}},
    {"label": {"classes": 7, "type": "linear"}},
    {"label": {"classes": 7, "type": "linear", "bias": True}},
    {"label": {"classes": 7, "type": "linear", "scaled": True}},
    {"label": {"classes": 7, "before_mlp": True}},
    {"vector": {"dim": 7}},
    {"vector": {"dim": 7, "before_mlp": True}},
    {"vector": {"dim": 7}, "label": {"classes": 7}},
    CROSS,
    {**CROSS, "tokens": {"dim": 9}},
    {**CROSS, "attn": {"heads": 2}},
    {**CROSS, "transformer": {"depth": 2}},
    {**CROSS, "transformer": {"depth": [2, 1]}, "attn_resolutions": [16, 8]},
    {**CROSS, "transformer": {"cross_attention": False}},
    {**CROSS, "transformer": {"self_attention": False}},
    {**CROSS, "transformer": {"feed_forward": False}},
    {**CROSS, "transformer": {"ff_mult": 2}},
    {**CROSS, "transformer": {"ff_act": "gelu"}},
    {**CROSS, "mid_attn": {"depth": 2}},
    {**CROSS, "attn": {"residual": False}},
]


def test_different_computations_differ() -> None:
    marks = [mark(**changes) for changes in DIFFERENT]
    twins = [(DIFFERENT[a], DIFFERENT[b]) for a, b in combinations(range(len(marks)), 2) if marks[a] == marks[b]]
    assert twins == []


def test_edits_of_blocks_differ_where_they_change_something() -> None:
    hidden = mark(changed("mid.block_1", hidden=96))
    assert len({mark(), hidden, mark(changed("mid.block_1", residual=False))}) == 3
    document = {"version": 1, "name": "small", "unet": SMALL, "edits": [changed("mid.block_1", hidden=64)]}
    problems = archspec.check_data(document, Positions("small")).problems
    assert [problem.code for problem in problems] == ["U302"]  # 64 is its width already


def test_the_sum_of_embeddings_does_not_care_which_is_which() -> None:
    document = archspec.to_document(
        archspec.check_data(
            {"version": 1, "name": "s", "unet": {**SMALL, "label": {"classes": 7}}}, Positions("s")
        ).sound()
    )
    before = archspec.fingerprint(archspec.from_document(document))
    ports = {"x": "other", "other": "x"}
    edges = [[a, b, ports[port] if b == "with_label" else port] for a, b, port in document["graph"]["edges"]]
    swapped = {**document, "graph": {**document["graph"], "edges": edges}}
    assert archspec.fingerprint(archspec.from_document(swapped)) == before
