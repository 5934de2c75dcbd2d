"""Doubts: warnings that do not refuse."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.text.parse import Positions

SMALL: dict[str, Any] = {
    "ch": 32,
    "out_ch": 3,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}


def doubts(**changes: Any) -> list[str]:
    checked = archspec.check_data({"version": 1, "name": "n", "unet": {**SMALL, **changes}}, Positions("f"))
    assert checked.graph is not None
    assert checked.graph.graph["warnings"] == checked.problems
    assert checked.errors == ()
    return [f"{problem.code} {problem.message}" for problem in checked.problems]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        (
            {"attn_resolutions": [8, 4]},
            ["U501 no level reaches the attention resolution 4, so it has no effect."],
        ),
        ({"attn_resolutions": [8, 8]}, ["U501 the attention resolution 8 is listed twice."]),
        (
            {"attn_at": {16: {"heads": 2}}},
            ["U501 attn_at has options for 16, where there is no attention, so they have no effect."],
        ),
        ({"attn_at": {8: {"heads": 2}}}, []),
        (
            {"attn_resolutions": []},
            ["U502 attn_resolutions is empty, but the middle still has attention."],
        ),
        ({"attn_resolutions": [], "mid_attn": True}, []),
        ({"attn_resolutions": [], "mid_attn": False}, []),
        ({"attn_resolutions": [], "attn_type": "none"}, []),
        (
            {"attn_type": "linear"},
            ["U503 linear attention without norm and residual replaces the features."],
        ),
        ({"attn_type": "linear", "attn": {"norm": True, "residual": True}}, []),
        ({"attn_type": "linear", "attn": {"norm": False, "residual": False}}, []),
        (
            {"use_linear_attn": True, "attn_type": "none", "attn": {"norm": True}},
            ["U504 attn_type: none has no effect, because use_linear_attn is true."],
        ),
        ({"use_linear_attn": True, "attn_type": "linear", "attn": {"norm": True}}, []),
    ],
)
def test_doubts(changes: dict[str, Any], expected: list[str]) -> None:
    assert doubts(**changes) == expected


def test_linear_attention_is_doubted_once_with_a_count() -> None:
    checked = archspec.check_file("zoo/seed-256-linear")
    assert [problem.count for problem in checked.problems] == [6]
    assert str(checked.problems[0]).startswith("zoo/seed-256-linear:12:3: warning U503 down.4.attn.0 (and 5 more): ")


def test_doubts_are_no_reason_to_refuse() -> None:
    text = "version: 1\nname: n\nunet: {ch: 32, out_ch: 3, ch_mult: [1], num_res_blocks: 1, attn_resolutions: [], "
    graph = archspec.build(archspec.loads(text + "in_channels: 3, resolution: 8}\n"))
    assert [problem.code for problem in graph.graph["warnings"]] == ["U502"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tokens": {"dim": 8}}, ["U504 tokens has no effect: no transformer attends to them."]),
        (
            {"tokens": {"dim": 8}, "attn_type": "transformer", "transformer": {"cross_attention": False}},
            ["U504 tokens has no effect: no transformer attends to them."],
        ),
        ({"tokens": {"dim": 8}, "attn_type": "transformer"}, []),
        ({"tokens": {"dim": 8}, "mid_attn": {"type": "transformer"}}, []),
        ({"tokens": {"dim": 8}, "attn_at": {8: {"type": "transformer"}}}, []),
        ({"resample_filter": [1.0, 1.0]}, ["U504 resample_filter has no effect: no block resamples."]),
        ({"transformer": {"depth": 2}}, ["U504 transformer has no effect: there is none."]),
        ({"time": {"freq_shift": 0.0}, "use_timestep": False}, ["U504 time has no effect: there is no timestep."]),
        (
            {"downsample_padding": "symmetric", "resblock_updown": True},
            ["U504 downsample_padding has no effect: no convolution strides."],
        ),
        ({"mid_block": False, "mid_attn": False}, ["U504 mid_attn has no effect: there is no middle."]),
        (
            {"attn_type": "transformer", "attn": {"norm": True, "fused_qkv": True}},
            ["U504 attn.norm has no effect on transformers.", "U504 attn.fused_qkv has no effect on transformers."],
        ),
        ({"attn_resolutions": [], "mid_block": False}, []),
    ],
)
def test_parameters_of_later_families_that_have_no_effect(changes: dict[str, Any], expected: list[str]) -> None:
    assert doubts(**changes) == expected
