"""Corrections in texts of every look: quotes, other ends of lines, lists without indentation, ends without a line."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

import archspec
from archspec import Problem
from archspec.text.fix import fixed
from archspec.text.suggest import Suggestion

HEAD = """\
version: 1
name: small
unet: {ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
edits:
"""


def mended(text: str) -> str:
    return fixed(text, lambda changed: archspec.check_text(changed, "s.yaml").problems, "s.yaml")[0]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("- remove: 'mid.atn_1'\n", "- remove: 'mid.attn_1'\n"),
        ('- "remvoe": mid.attn_1\n', '- "remove": mid.attn_1\n'),
        ("- remove:\n    mid.atn_1\n", None),  # the word stands on another line than what is wrong
        ("- {remove: {op: atention, side: mid}}\n", "- {remove: {op: attention, side: mid}}\n"),
        ("- remove: mid.atn_1", "- remove: mid.attn_1"),
        ("- remove: mid.atn_1  # not mid.atn_1\n", None),  # which of them is not certain
        ("- remove: atention and mid.*\n", None),  # one word in a selector of several
        ("- set: {nodes: mid.attn_1, to: {heds: 2, norm: fals}}\n", None),  # then the other would be wrong
        ("- set: {nodes: mid.attn_1, to: {heds: 2}}\n", "- set: {nodes: mid.attn_1, to: {heads: 2}}\n"),
        ("- replace: {nodes: mid.attn_1, with: {op: convv, out: 64}}\n",
         "- replace: {nodes: mid.attn_1, with: {op: conv, out: 64}}\n"),
        ("- insert: {node: {op: act, fn: gellu}, after: mid.attn_1}\n",
         "- insert: {node: {op: act, fn: gelu}, after: mid.attn_1}\n"),
    ],
)  # fmt: skip
def test_one_word(wrong: str, right: str | None) -> None:
    assert mended(HEAD + wrong) == HEAD + (wrong if right is None else right)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("indent", ["", "  ", "      "])
def test_an_edit_of_the_short_form_moves_in_lists_of_every_indentation(indent: str, end: str) -> None:
    items = ["- remove: mid.attn_1", "- unet:", "    ch: 64", "", "# the end of it"]
    lines = [f"{indent}{item}" if item else "" for item in items]
    after = [*lines[1:3], lines[0], *lines[3:]]
    before, expected = (HEAD.replace("\n", end) + end.join(part) + end for part in (lines, after))
    assert mended(before) == expected


def test_only_the_list_that_it_stands_in_is_looked_at() -> None:
    text = HEAD + "  - remove: mid.attn_1\n  - unet: {ch: 64}\ndescription: |\n  - remove: x\n  - unet: y\n"
    assert mended(text) == text.replace(
        "  - remove: mid.attn_1\n  - unet: {ch: 64}\n", "  - unet: {ch: 64}\n  - remove: mid.attn_1\n"
    )


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a: 1   # ushape: ignore[U501]\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1\t#ushape:ignore\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1  # ushape: ignore[U501]\r\nb: 2\r\n", "a: 1\r\nb: 2\r\n"),
        ("a: 1\r\n  # ushape: ignore[U501]\r\nb: 2\r\n", "a: 1\r\nb: 2\r\n"),
        ("a: 1\n# ushape: ignore[U501]", "a: 1\n"),
        ("a: 1 # ushape: ignore[U501]", "a: 1"),
        ("# ushape: ignore[U501]  \na: 1\n", "a: 1\n"),
        ("a: 1  # ushape: ignore[U501] # and more\n", "a: 1  # ushape: ignore[U501] # and more\n"),
        ("a: 1  # because # ushape: ignore[U501]\n", "a: 1  # because\n"),
    ],
)
def test_a_silence_without_effect_goes_with_the_space_before_it(text: str, left: str) -> None:
    assert fixed(text, idle, "f")[0] == left


def idle(text: str) -> Iterator[Problem]:
    """Every silence in a text, as one that silences nothing."""
    for match in re.finditer(r"#\s*ushape:\s*ignore", text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        yield Problem(code="U091", message="m.", file="f", line=line, column=column, severity="warning")


def spelling(text: str) -> Iterator[Problem]:
    """`colour` is wrong, `color` is right."""
    for match in re.finditer("colour", text):
        line = text.count("\n", 0, match.start()) + 1
        column = match.start() - text.rfind("\n", 0, match.start())
        hint = Suggestion("colour", "color")
        yield Problem(code="U010", message="m.", hint=hint, file="f", line=line, column=column)


def test_all_words_are_corrected_in_one_step_from_the_last_to_the_first() -> None:
    text, solved = fixed("colour: colour, [colour]\nb: {colour: 1}\ncolour", spelling, "f")
    assert text == "color: color, [color]\nb: {color: 1}\ncolor"
    assert [(problem.line, problem.column) for problem in solved] == [(1, 1), (1, 9), (1, 18), (2, 5), (3, 1)]


@pytest.mark.parametrize("text", ["colours: 1", "a.colour: 1", "my_colour: 1"])
def test_a_part_of_another_word_is_not_the_word(text: str) -> None:
    assert fixed(text, spelling, "f") == (text, [])


@pytest.mark.parametrize(
    "problem",
    [
        Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="other", line=1, column=1),
        Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="f"),
        Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="f", line=1),
        Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="f", line=9, column=1),
        Problem(code="U010", message="m.", hint="Did you mean `b`?", file="f", line=1, column=1),
        Problem(code="U307", message="m.", hint="Edit nodes instead.", file="f", line=1, column=1),
    ],
)
def test_without_a_place_or_without_certainty_nothing_is_done(problem: Problem) -> None:
    assert fixed("a: 1\n", lambda text: [problem] if "a" in text else [], "f") == ("a: 1\n", [])


def test_a_step_that_solves_nothing_is_not_made() -> None:
    problem = Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="f", line=1, column=1)
    assert fixed("a: 1\n", lambda _: [problem], "f") == ("a: 1\n", [])


def test_a_step_that_brings_more_errors_than_it_solves_is_not_made() -> None:
    first = Problem(code="U010", message="m.", hint=Suggestion("a", "b"), file="f", line=1, column=1)
    others = [Problem(code="U204", message="m.", file="f", line=line, column=1) for line in (2, 3)]
    assert fixed("a: 1\n", lambda text: [first] if "a" in text else others, "f") == ("a: 1\n", [])


def test_several_errors_on_one_line_that_come_to_light_count_once() -> None:
    found = [
        Problem(code="U010", message="m.", hint=Suggestion(word, "z"), file="f", line=line, column=1)
        for line, word in ((1, "a"), (2, "b"))
    ]
    behind = [Problem(code="U204", message=f"m{n}.", file="f", line=3, column=n) for n in (1, 2, 3)]
    text, solved = fixed("a: 1\nb: 2\nc: 3\n", lambda now: found if "a" in now else behind, "f")
    assert text == "z: 1\nz: 2\nc: 3\n"
    assert solved == found


def test_what_comes_to_light_is_corrected_too() -> None:
    first = Problem(code="U010", message="m.", hint=Suggestion("a", "x"), file="f", line=1, column=1)
    beside = Problem(code="U204", message="m.", file="f", line=9, column=1)
    behind = Problem(code="U010", message="m.", hint=Suggestion("b", "y"), file="f", line=2, column=1)

    def check(text: str) -> list[Problem]:
        return [first, beside] if "a" in text else [behind] if "b" in text else []

    assert fixed("a\nb\n", check, "f") == ("x\ny\n", [first, behind])
