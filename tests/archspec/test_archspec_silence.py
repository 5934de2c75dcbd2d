"""Comments that silence warnings, and those that silence nothing (U091)."""

from __future__ import annotations

import pytest

import archspec
from archspec.text.silence import Silence, silences_in

HEAD = "version: 1\nname: small\nunet:\n  ch: 32\n  out_ch: 3\n  ch_mult: [1, 2]\n  num_res_blocks: 1\n"
TAIL = "  in_channels: 3\n  resolution: 16\n"


def said(line: str, more: str = "") -> list[str]:
    return [str(problem) for problem in archspec.check_text(f"{HEAD}{line}\n{TAIL}{more}", "s.yaml").problems]


@pytest.mark.parametrize(
    "line",
    [
        "  attn_resolutions: [8, 4]  # ushape: ignore[U501]",
        "  attn_resolutions: [8, 4]  #ushape:ignore [ U501 ]  ",
        "  # ushape: ignore[U501]\n  attn_resolutions: [8, 4, 2]",
        "  # ushape: ignore[U501]\n\n  # four is for later\n  attn_resolutions: [8, 4]",
        "  # ushape: ignore[U502]\n  attn_resolutions: []",
    ],
)
def test_a_warning_is_silenced_on_its_line(line: str) -> None:
    assert said(line) == []
    assert archspec.check_text(f"{HEAD}{line}\n{TAIL}").sound().graph["warnings"] == ()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("  attn_resolutions: [8]  # ushape: ignore[U501]",
         "s.yaml:8:26: warning U091 this silences nothing: there is no U501 on line 8. Take it out."),
        ("  attn_resolutions: [8]  # ushape: ignore",
         "s.yaml:8:26: warning U091 this silences nothing: it names no rule. Write # ushape: ignore[U501]."),
        ("  attn_resolutions: [8]  # ushape: ignore[U5O1]",
         "s.yaml:8:26: warning U091 this silences nothing: there is no rule U5O1. Did you mean `U501`?"),
        ("  attn_resolutions: [8]  # ushape: ignore[U204]",
         "s.yaml:8:26: warning U091 this silences nothing: U204 is an error. Mend what it is about instead."),
    ],
)  # fmt: skip
def test_a_silence_without_effect_is_a_warning(line: str, message: str) -> None:
    assert said(line) == [message]


def test_one_comment_may_name_several_and_each_counts() -> None:
    assert said("  attn_resolutions: [8, 4]  # ushape: ignore[U501, U502]") == [
        "s.yaml:8:29: warning U091 this silences nothing: there is no U502 on line 8. Take it out."
    ]


def test_errors_stay_and_hide_whether_a_silence_has_an_effect() -> None:
    assert said("  attn_resolutions: [8, 4]  # ushape: ignore[U501]", "  chh: 3\n") == [
        "s.yaml:11:3: error U010 `unet.chh` is not a known key. Did you mean `ch`?"
    ]


def test_text_in_quotes_is_no_comment() -> None:
    text = 'a: "x # ushape: ignore[U501]"\nb: |\n  # ushape: ignore[U501]\nc: 1 # ushape: ignore[U502]\n'
    assert list(silences_in(text)) == [Silence("U502", 4, 6, 4)]


def test_what_is_built_of_a_spec_heeds_its_silences_too() -> None:
    line = "  attn_resolutions: [8, 4]  # ushape: ignore[U501]"
    spec = archspec.loads(f"{HEAD}{line}\n{TAIL}")
    assert archspec.build(spec).graph["warnings"] == ()
    loud = archspec.loads(f"{HEAD}{line.partition('#')[0]}\n{TAIL}")
    assert [problem.code for problem in archspec.build(loud).graph["warnings"]] == ["U501"]
