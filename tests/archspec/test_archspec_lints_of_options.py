"""Doubts about options that have no effect beside the others: what is said of each, and where nothing is to be said."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.text.positions import Positions

SMALL: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip
FAIR: dict[str, Any] = {"norm": True, "residual": True}
ONE_LEVEL: dict[str, Any] = {"ch_mult": [1], "attn_resolutions": [16]}
CROSS: dict[str, Any] = {"attn_type": "transformer", "tokens": {"dim": 4}}


def doubts(**changes: Any) -> list[str]:
    checked = archspec.check_data({"version": 1, "name": "n", "unet": {**SMALL, **changes}}, Positions("f"))
    assert {problem.severity for problem in checked.problems} <= {"warning"}
    return [f"{problem.code} {problem.message} {problem.hint}" for problem in checked.problems]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"resblock_updown": True, "resamp_with_conv": False},
         "resamp_with_conv has no effect: residual blocks resample"),
        ({**ONE_LEVEL, "resamp_with_conv": False}, "resamp_with_conv has no effect: there is one level"),
        ({**ONE_LEVEL, "resblock_updown": True}, "resblock_updown has no effect: there is one level"),
        ({**ONE_LEVEL, "downsample_padding": "symmetric"}, "downsample_padding has no effect: no convolution strides"),
        ({"resamp_with_conv": False, "downsample_padding": "symmetric"},
         "downsample_padding has no effect: no convolution strides"),
        ({"norm_type": "rms", "num_groups": 8}, "num_groups has no effect: there are no group norms"),
        ({"norm_type": "none", "norm_eps": 1e-5}, "norm_eps has no effect: there are no norms"),
        ({"skip": "none", "skip_per": "level"}, "skip_per has no effect: there are no skips"),
        ({"skip": "none", "skip_scale": 0.5}, "skip_scale has no effect: there are no skips"),
        ({"skip": "none", "learn_skip_scale": True}, "learn_skip_scale has no effect: there are no skips"),
        ({"mid_block": False, "mid_attn": {"heads": 2}}, "mid_attn has no effect: there is no middle"),
        ({"attn_at": {8: {"depth": 2}}}, "attn_at.8.depth has an effect on transformers alone"),
        ({"attn_at": {8: {"type": "none", "depth": 2}}}, "attn_at.8.depth has an effect on transformers alone"),
        ({"mid_attn": {"depth": 2}}, "mid_attn.depth has an effect on transformers alone"),
        ({**CROSS, "mid_attn": {"type": "vanilla", "depth": 2}}, "mid_attn.depth has an effect on transformers alone"),
        ({**CROSS, "attn": {"qkv_bias": False}}, "attn.qkv_bias has no effect on transformers"),
        ({**CROSS, "attn_at": {8: {"norm": False}}}, "attn_at.8.norm has no effect on transformers"),
        ({**CROSS, "mid_attn": {"fused_qkv": False}}, "mid_attn.fused_qkv has no effect on transformers"),
        ({"tokens": {"dim": 4}, "mid_attn": {"type": "transformer", "qkv_bias": True}},
         "mid_attn.qkv_bias has no effect on transformers"),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_named(changes: dict[str, Any], said: str) -> None:
    assert doubts(**changes) == [f"U504 {said}. Take it out."]


@pytest.mark.parametrize(
    "changes",
    [
        {"resamp_with_conv": False},
        {"resblock_updown": True, "resample_filter": [1.0, 1.0]},
        {"downsample_padding": "symmetric"},
        {"norm_type": "rms", "norm_eps": 1e-5},
        {"norm_type": "none", "num_groups": 32, "norm_eps": 1e-6},
        {"skip": "add", "skip_per": "level", "skip_scale": 0.5, "learn_skip_scale": True},
        {"mid_block": False, "mid_attn": True},
        {"time": {"order": "cos_sin"}},
        {**CROSS, "transformer": {"depth": 2}, "mid_attn": {"depth": 3}, "attn_at": {8: {"depth": 4}}},
        {**CROSS, "attn": {"norm": True}, "mid_attn": {"type": "vanilla"}},
        {"attn_at": {8: {"norm": False, "qkv_bias": False, "fused_qkv": True}}},
        {**CROSS, "attn": {"heads": 2, "residual": False, "zero_init": True}},
        {"attn_at": {8: {"depth": None}}, "mid_attn": {"depth": None}},
        {"attn_type": "linear", "attn": FAIR},
        {"attn_type": "linear", "attn": {"norm": True}},
        {"attn_type": "linear", "attn": {"residual": False}},
    ],
)
def test_an_option_with_an_effect_is_not_doubted(changes: dict[str, Any]) -> None:
    assert doubts(**changes) == []


def test_several_options_are_named_one_by_one() -> None:
    assert doubts(
        **{**ONE_LEVEL, "resblock_updown": True, "resample_filter": [1.0, 1.0], "resamp_with_conv": False}
    ) == [
        "U504 resample_filter has no effect: no block resamples. Take it out.",
        "U504 resblock_updown has no effect: there is one level. Take it out.",
        "U504 resamp_with_conv has no effect: there is one level. Take it out.",
    ]


def test_options_where_there_is_no_attention_are_said_to_have_no_effect_once() -> None:
    assert doubts(attn_at={16: {"depth": 2}}) == [
        "U501 attn_at has options for 16, where there is no attention, so they have no effect. "
        "List it in attn_resolutions too."
    ]
    assert doubts(attn_at={5: {"heads": 2}}) == [
        "U501 attn_at has options for 5, where there is no attention, so they have no effect. "
        "The levels have 16, 8 (pixels, not downsampling factors)."
    ]


def test_what_is_to_be_done_about_each_doubt() -> None:
    assert doubts(attn_resolutions=[]) == [
        "U502 attn_resolutions is empty, but the middle still has attention. "
        "Say mid_attn: false to have none, or mid_attn: true to keep it without this warning."
    ]
    assert doubts(attn_resolutions=[8, 8]) == ["U501 the attention resolution 8 is listed twice. Once is enough."]
    assert doubts(mid_attn={"type": "linear"}) == [
        "U503 linear attention without norm and residual replaces the features. For a fair comparison with vanilla set "
        "norm: true and residual: true on both; set them to false to keep it without this warning."
    ]
    assert doubts(use_linear_attn=True, attn_type="vanilla", attn=FAIR) == [
        "U504 attn_type: vanilla has no effect, because use_linear_attn is true. Keep one of the two."
    ]


@pytest.mark.parametrize("form", ["edm2", "song"])
def test_families_are_doubted_for_resolutions_that_no_level_reaches(form: str) -> None:
    parameters = {**SMALL, "ch": 16, "attn_resolutions": [8, 4, 8], **({"head_dim": 8} if form == "edm2" else {})}
    checked = archspec.check_data({"version": 1, "name": "n", form: parameters}, Positions("f"))
    assert [str(problem) for problem in checked.problems] == [
        "f: warning U501 no level reaches the attention resolution 4, so it has no effect. "
        "The levels have 16, 8 (pixels, not downsampling factors).",
        "f: warning U501 the attention resolution 8 is listed twice. Once is enough.",
    ]


def test_levels_of_one_size_are_named_once() -> None:
    form = {**SMALL, "ch_mult": [1] * 6, "resolution": 32, "attn_resolutions": [3]}
    [problem] = archspec.check_data({"version": 1, "name": "n", "unet": form}, Positions("f")).problems
    assert problem.hint == "The levels have 32, 16, 8, 4, 2, 1 (pixels, not downsampling factors)."
    refused = archspec.check_data({"version": 1, "name": "n", "unet": {**form, "resolution": 4}}, Positions("f"))
    assert refused.problems[0].hint == "The levels have 4, 2, 1 (pixels, not downsampling factors)."
