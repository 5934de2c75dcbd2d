"""A problem of a short form stands at the parameter that causes it, and the doubt at the one that has no effect."""

from __future__ import annotations

from typing import Any

import pytest
from ruamel.yaml import YAML

import archspec

UNET: dict[str, Any] = {
    "ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
    "resolution": 16,
}  # fmt: skip
EDM2: dict[str, Any] = {**UNET, "ch": 16, "head_dim": 8}
SONG: dict[str, Any] = {**UNET, "ch": 16}
BASES = {"unet": UNET, "edm2": EDM2, "song": SONG}


def text(form: str, parameters: dict[str, Any]) -> str:
    """A file with a line for each parameter."""
    lines = [f"  {key}: {written(value)}" for key, value in parameters.items() if value is not None]
    return "\n".join(["version: 1", "name: n", f"{form}:", *lines, ""])


def written(value: Any) -> str:
    """A value in one line, as YAML has it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {written(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def blamed(source: str) -> list[tuple[str, str]]:
    """Each problem's rule and what stands where it points: from there to the end of the line."""
    lines = source.splitlines()
    problems = archspec.check_text(source, "n").problems
    return [(problem.code, lines[(problem.line or 0) - 1][(problem.column or 0) - 1 :]) for problem in problems]


@pytest.mark.parametrize(
    ("form", "changes", "code", "stands_at"),
    [
        ("unet", {"ch": 40, "ch_mult": [1, 1]}, "U204", "ch: 40"),
        ("unet", {"ch_mult": [1, 1.25]}, "U204", "1.25]"),
        ("unet", {"ch_mult": [1.25, 1]}, "U204", "1.25, 1]"),
        ("unet", {"ch": 48, "ch_mult": None}, "U204", "ch: 48"),
        ("unet", {"ch_mult": [1, 1.01]}, "U207", "1.01]"),
        ("unet", {"ch": 16_384, "ch_mult": [1, 8]}, "U207", "8]"),
        ("unet", {"resolution": 9, "attn_resolutions": [4]}, "U206", "resolution: 9"),
        ("unet", {"resolution": 9, "attn_resolutions": [4], "resblock_updown": True}, "U206", "resolution: 9"),
        ("unet", {"attn": {"norm": False, "heads": 5}}, "U205", "heads: 5}"),
        ("unet", {"attn": {"heads": 2}, "attn_at": {8: {"heads": 3}}, "mid_attn": False}, "U205", "heads: 3}}"),
        ("unet", {"mid_attn": {"head_dim": 7}}, "U205", "head_dim: 7}"),
        ("unet", {"attn_type": "transformer", "attn": {"head_dim": 6}}, "U205", "head_dim: 6}"),
        ("unet", {"ch": 2, "num_groups": 1, "attn_resolutions": [], "mid_attn": False}, "U202", "ch: 2"),
        ("unet", {"ch": 3, "num_groups": 1, "time": {"type": "fourier"}}, "U202", "time: {type: fourier}"),
        ("unet", {"num_res_blocks": [1, 1, 1]}, "U012", "num_res_blocks: [1, 1, 1]"),
        ("unet", {"attn_type": "transformer", "transformer": {"depth": [1]}}, "U012", "depth: [1]}"),
        ("unet", {"attn_type": "transformer", "transformer": {"depth": [1, [1, 2, 3]]}}, "U012", "[1, 2, 3]]}"),
        (
            "unet",
            {"attn_type": "transformer", "transformer": {"cross_attention": True}},
            "U012",
            "cross_attention: true}",
        ),
        ("edm2", {"head_dim": 12}, "U205", "head_dim: 12"),
        ("edm2", {"resolution": 9, "attn_resolutions": [4]}, "U206", "resolution: 9"),
        ("edm2", {"ch_mult": [1, 1.01]}, "U207", "1.01]"),
        ("song", {"ch": 18, "ch_mult": None, "resolution": 32}, "U204", "ch: 18"),
        ("song", {"resolution": 9, "attn_resolutions": [4]}, "U206", "resolution: 9"),
        ("song", {"ch": 1, "ch_mult": [4, 4]}, "U202", "ch: 1"),
        ("song", {"ch": 3, "ch_mult": [4, 4], "features": "fourier", "noise_mult": 1}, "U202", "noise_mult: 1"),
        ("song", {"ch": 16_384, "noise_mult": 5}, "U207", "noise_mult: 5"),
    ],
)
def test_a_problem_stands_at_its_parameter(form: str, changes: dict[str, Any], code: str, stands_at: str) -> None:
    found = blamed(text(form, {**BASES[form], **changes}))
    assert set(found) == {(code, stands_at)}


@pytest.mark.parametrize(
    ("edit", "code", "stands_at"),
    [
        ({"ch": 40}, "U204", "ch: 40}"),
        ({"num_groups": 24}, "U204", "num_groups: 24}"),
        ({"ch_mult": [1, 1.25]}, "U204", "1.25]}"),
        ({"ch_mult": [1, 2, 2, 2, 2, 2]}, "U206", "ch_mult: [1, 2, 2, 2, 2, 2]}"),
        ({"resolution": 18, "ch_mult": [1, 2, 2]}, "U206", "resolution: 18, ch_mult: [1, 2, 2]}"),
        ({"attn": {"heads": 7}}, "U205", "heads: 7}}"),
        ({"transformer": {"depth": [1, 2, 3]}}, "U012", "depth: [1, 2, 3]}}"),
    ],
)
def test_what_an_edit_of_the_short_form_breaks_stands_at_the_edit(
    edit: dict[str, Any], code: str, stands_at: str
) -> None:
    source = text("unet", UNET) + f"edits:\n  - unet: {written(edit)}\n"
    found = [problem for problem in blamed(source) if problem[0] not in ("U501", "U504")]
    assert set(found) == {(code, stands_at)}


def test_groups_that_were_edited_are_to_blame_unless_the_width_was_too() -> None:
    groups, width = "  - unet: {num_groups: 24}\n", "  - unet: {ch: 40}\n"
    assert set(blamed(text("unet", UNET) + "edits:\n" + groups)) == {("U204", "num_groups: 24}")}
    assert set(blamed(text("unet", UNET) + "edits:\n" + groups + width)) == {("U204", "ch: 40}")}


def test_of_a_block_that_changes_the_width_each_norm_is_blamed_on_its_own() -> None:
    assert set(blamed(text("song", {**SONG, "ch": 17, "ch_mult": [1, 16]}))) == {("U204", "ch: 17"), ("U204", "16]")}
    first = blamed(text("song", {**SONG, "ch": 18, "ch_mult": [2, 2]}))
    assert first[0] == ("U204", "ch: 18")  # 18 channels come from the first convolution, whatever the multipliers


@pytest.mark.parametrize(
    ("changes", "code", "stands_at"),
    [
        ({"attn_resolutions": [8, 5]}, "U501", "5]"),
        ({"attn_resolutions": [8, 8]}, "U501", "8]"),
        ({"attn_at": {8: {"heads": 2}, 16: {"heads": 4}}}, "U501", "16: {heads: 4}}"),
        ({"attn_resolutions": []}, "U502", "attn_resolutions: []"),
        ({"attn_type": "linear"}, "U503", "attn_type: linear"),
        ({"use_linear_attn": True}, "U503", "use_linear_attn: true"),
        ({"mid_attn": {"type": "linear"}}, "U503", "mid_attn: {type: linear}"),
        ({"attn_at": {8: {"type": "linear"}}}, "U503", "8: {type: linear}}"),
        ({"tokens": {"dim": 4}}, "U504", "tokens: {dim: 4}"),
        ({"skip": "none", "skip_scale": 0.5}, "U504", "skip_scale: 0.5"),
        ({"attn_at": {8: {"depth": 2}}}, "U504", "depth: 2}}"),
        ({"mid_attn": {"depth": 2}}, "U504", "depth: 2}"),
        ({"resblock_updown": True, "resamp_with_conv": False}, "U504", "resamp_with_conv: false"),
    ],
)
def test_a_doubt_stands_at_its_parameter(changes: dict[str, Any], code: str, stands_at: str) -> None:
    assert blamed(text("unet", {**UNET, **changes})) == [(code, stands_at)]


@pytest.mark.parametrize(
    ("form", "changes", "message"),
    [
        ("unet", {"ch_mult": [1, 1.01]},
         "n:6:16: error U207 level 1 would have 32.32 channels. "
         "ch (32) times the multiplier must be a whole number; 1 gives 32."),
        ("unet", {"ch_mult": [1, 0.01]},
         "n:6:16: error U207 level 1 would have 0.32 channels. "
         "ch (32) times the multiplier must be a whole number; 0.03125 gives 1."),
        ("unet", {"ch": 16_384, "ch_mult": [1, 8]},
         "n:6:16: error U207 level 1 would have 131,072 channels. At most 65,536 are possible."),
        ("song", {"ch": 16_384, "noise_mult": 5},
         "n:11:3: error U207 the features of the noise level would have 81,920 channels. At most 65,536 are possible."),
        ("unet", {"resolution": 9, "attn_resolutions": [4], "ch_mult": [1, 1, 1]},
         "n:10:3: error U206 down.0.downsample: a map of 9x9 pixels cannot be halved. "
         "3 levels need a resolution divisible by 4, such as 8 or 12."),
        ("edm2", {"resolution": 3, "ch_mult": [1, 1, 1], "attn_resolutions": [1]},
         "n:10:3: error U206 down.0.downsample: a map of 3x3 pixels cannot be halved. "
         "3 levels need a resolution divisible by 4, such as 4."),
    ],
)  # fmt: skip
def test_the_whole_of_what_is_said(form: str, changes: dict[str, Any], message: str) -> None:
    errors = archspec.check_text(text(form, {**BASES[form], **changes}), "n").errors
    assert [str(problem) for problem in errors] == [message]


def test_a_width_as_wide_as_can_be_is_sound() -> None:
    widest = {**SONG, "ch": 16_384, "ch_mult": [4, 4], "noise_mult": 4}
    assert archspec.check_text(text("song", widest), "n").errors == ()


def test_the_text_of_these_tests_is_what_it_should_be() -> None:
    parameters = {**UNET, "attn_at": {8: {"norm": True}}}
    assert YAML(typ="safe").load(text("unet", parameters)) == {"version": 1, "name": "n", "unet": parameters}
