"""Canonical forms of what later families brought: equal for the same computation, different for another one."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

import archspec
from archspec.text.positions import Positions

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
        ({"resblock_updown": True}, {"resblock_updown": True, "resample_filter": [3.0, 3.0]}),
        ({}, {"norm_type": "group", "norm_order": "pre", "act": "silu", "skip_per": "block", "skip_scale": 1.0}),
        ({"norm_type": "rms"}, {"norm_type": "rms", "num_groups": 7}),
        ({"norm_type": "none"}, {"norm_type": "none", "num_groups": "auto", "norm_eps": 1e-3}),
        ({"norm_type": "none"}, {"norm_type": "none", "attn": {"norm": False}}),
        ({}, {"time": {"type": "sinusoidal", "scale": 1.0}}),
        ({"time": {"type": "fourier"}}, {"time": {"type": "fourier", "scale": 16.0}}),
        ({"time": {"type": "learned"}}, {"time": {"type": "learned", "steps": 1000}}),
        ({"skip": "none"}, {"skip": "none", "skip_scale": 0.5, "skip_per": "level"}),
        (CROSS, {**CROSS, "transformer": {"depth": [[1, 1], [1, 1]]}}),
        ({**CROSS, "transformer": {"depth": 2}}, {**CROSS, "transformer": {"depth": [1, [2, 2]]}}),
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
    {"norm_type": "rms"},
    {"norm_type": "layer"},
    {"norm_type": "pixel"},
    {"norm_type": "none"},
    {"norm_type": "rms", "attn": {"norm": False}},
    {"norm_order": "post"},
    {"norm_order": "post", "conditioning": "scale_shift"},
    {"norm_order": "post", "conditioning": "scale_shift", "condition_both": True},
    {"conditioning": "scale_shift", "condition_both": True},
    {"act": "gelu"},
    {"act": "relu"},
    {"skip_per": "level"},
    {"skip_per": "level", "skip": "add"},
    {"skip_scale": 0.5},
    {"skip_scale": -0.5},
    {"skip_scale": 0.5, "learn_skip_scale": True},
    {"learn_skip_scale": True},
    {"skip": "add"},
    {"skip": "add", "skip_scale": 0.5},
    {"skip": "add", "learn_skip_scale": True},
    {"time": {"scale": 2.0}},
    {"time": {"type": "fourier"}},
    {"time": {"type": "fourier", "order": "cos_sin"}},
    {"time": {"type": "fourier", "scale": 1.0}},
    {"time": {"type": "learned"}},
    {"time": {"type": "learned", "steps": 999}},
    {**CROSS, "transformer": {"depth": [1, [1, 2]]}},
    {**CROSS, "transformer": {"depth": [1, [2, 1]]}},
    {**CROSS, "norm_type": "rms"},
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


Nodes = dict[str, dict[str, Any]]


def by_hand(nodes: Nodes, *edges: list[str]) -> str:
    ends: Nodes = {"x": {"op": "input", "channels": 8, "resolution": 8}, "out": {"op": "output"}}
    graph = {"nodes": {**ends, **nodes}, "edges": list(edges)}
    return archspec.fingerprint(archspec.from_document({"version": 1, "name": "by hand", "graph": graph}))


def test_a_norm_of_type_none_might_as_well_not_be_there() -> None:
    conv: Nodes = {"a": {"op": "conv", "out": 4}, "b": {"op": "conv", "out": 8}}
    plain = by_hand(conv, ["x", "a"], ["a", "b"], ["b", "out"])
    none: Nodes = {**conv, "n": {"op": "norm", "type": "none", "groups": 3}, "m": {"op": "norm", "type": "none"}}
    assert by_hand(none, ["x", "n"], ["n", "a"], ["a", "b"], ["b", "m"], ["m", "out"]) == plain
    real: Nodes = {**conv, "n": {"op": "norm", "type": "pixel"}}
    assert by_hand(real, ["x", "n"], ["n", "a"], ["a", "b"], ["b", "out"]) != plain


def test_one_box_filter_whatever_its_name() -> None:
    for resample, plain in (
        ("down", {"op": "downsample", "method": "avg_pool"}),
        ("up", {"op": "upsample", "conv": False}),
    ):
        back = {"op": "upsample"} if resample == "down" else {"op": "downsample"}
        marks = [
            by_hand({"a": op, "b": back}, ["x", "a"], ["a", "b"], ["b", "out"])
            for op in (
                plain,
                {"op": "fir_resample", "resample": resample, "filter": [1.0, 1.0]},
                {"op": "fir_resample", "resample": resample, "filter": [0.5, 0.5]},
                {"op": "fir_resample", "resample": resample},
            )
        ]
        assert (marks[0], marks[0]) == (marks[1], marks[2])
        assert marks[3] != marks[0]


def test_fourier_features_under_both_names() -> None:
    nodes: Nodes = {
        "t": {"op": "input", "kind": "timestep"},
        "block": {"op": "resnet_block", "out": 8, "groups": 2},
    }
    edges = [["t", "f"], ["x", "block"], ["f", "block", "emb"], ["block", "out"]]
    one = by_hand({**nodes, "f": {"op": "fourier_features", "dim": 8}}, *edges)
    assert by_hand({**nodes, "f": {"op": "time_embedding", "dim": 8, "type": "fourier"}}, *edges) == one
    other = {"op": "time_embedding", "dim": 8, "type": "fourier", "scale": 1.0}
    assert by_hand({**nodes, "f": other}, *edges) != one


@pytest.mark.parametrize("learned", [False, True])
def test_a_sum_with_factors_may_be_written_both_ways(learned: bool) -> None:
    convs: Nodes = {"a": {"op": "conv", "out": 8}, "b": {"op": "conv", "out": 8, "kernel": 1}}

    def sum_of(x: str, skip: str, **options: Any) -> str:
        nodes: Nodes = {**convs, "sum": {"op": "add", **options}}
        return by_hand(nodes, ["x", "a"], ["x", "b"], [x, "sum", "x"], [skip, "sum", "skip"], ["sum", "out"])

    factors = {"x_scale": 2.0, "skip_scale": 0.5, "learn_x_scale": learned}
    swapped = {"x_scale": 0.5, "skip_scale": 2.0, "learn_skip_scale": learned}
    assert sum_of("a", "b", **factors) == sum_of("b", "a", **swapped)
    assert sum_of("a", "b", **factors) != sum_of("b", "a", **factors)
    assert sum_of("a", "b", **factors) != sum_of("a", "b", **swapped)
    assert sum_of("a", "b", x_scale=2.0, skip_scale=2.0) == sum_of("b", "a", x_scale=2.0, skip_scale=2.0)
    assert len({sum_of("a", "b"), sum_of("a", "b", **factors), sum_of("a", "b", learn_x_scale=True)}) == 3
