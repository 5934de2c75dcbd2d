"""Corrections that are certain: what they change, and that all else stays as it is."""

from __future__ import annotations

import copy
import pickle

import pytest

import archspec
from archspec.text.fix import fixed
from archspec.text.suggest import Suggestion, did_you_mean

TEXT = """\
# a comment
version: 1
name:   small    # another
unet: {ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
"""


def mended(text: str) -> tuple[str, list[str]]:
    corrected, solved = fixed(text, lambda changed: archspec.check_text(changed, "s.yaml").problems, "s.yaml")
    return corrected, [str(problem) for problem in solved]


def test_typos_with_one_close_candidate_are_corrected_and_the_rest_stays() -> None:
    wrong = (
        TEXT.replace("num_res_blocks", "num_res_block")
        .replace("resolution: 16", "resolutoin: 16")
        .replace("\n", "\r\n")
    )
    more = "edits:\r\n  - remove:   atention   # why\r\n  - sett: {nodes: conv_in, to: {bais: false}}\r\n"
    corrected, solved = mended(wrong + more)
    right = TEXT + more.replace("\r\n", "\n")
    for old, new in (("\n", "\r\n"), ("atention", "attention"), ("sett", "set"), ("bais", "bias")):
        right = right.replace(old, new)
    assert corrected == right
    assert solved == [
        "s.yaml:4:44: error U010 `unet.num_res_block` is not a known key. Did you mean `num_res_blocks`?",
        "s.yaml:4:101: error U010 `unet.resolutoin` is not a known key. Did you mean `resolution`?",
        "s.yaml:7:5: error U010 `edits.1.sett` is not a known key. Did you mean `set`?",
        "s.yaml:6:5: error U301 `atention` matches no node. Did you mean `attention`?",
        "s.yaml:7:32: error U305 conv_in: a conv has no parameter `bais`. Did you mean `bias`?",
    ]


@pytest.mark.parametrize(
    "more",
    [
        "edits:\n  - remove: mid.attn_2\n",  # another number is another node
        "edits:\n  - remove: zzz\n",
        "edits:\n  - remove: conv\n    set: {nodes: conv, to: {out: 3}}\n",
        "edits:\n  - {remove: atention, set: {nodes: atention, to: {heads: 4}}}\n",
        "edits: [{remove: mid.attn_1}, {unet: {skip: add}}]\n",  # items on one line are not moved
        "edits:\n  - remove: mid.attn_1\n  - unet: {skip: add}",  # nor the last of a file without an end of line
        "edits:\n  - remove: mid.attn_1  # ushape: ignore[U501, U503]\n",  # one of them might be right
        "edits:\n  - remove: mid.attn_1  # ushape: ignore[U501] because\n",  # somebody's words
    ],
)
def test_what_is_not_certain_stays(more: str) -> None:
    assert mended(TEXT + more) == (TEXT + more, [])


def test_edits_of_the_short_form_move_up() -> None:
    before = """\
edits:
  # first of all
  - remove: mid.attn_1  # not needed
  - unet:
      ch: 64
      skip: add
  # a width
  - set: {nodes: conv, to: {bias: false}}

  - unet: {dropout: 0.1}
  - set: {nodes: mlp, to: {hidden: 64}}
"""
    after = """\
edits:
  # first of all
  - unet:
      ch: 64
      skip: add
  - unet: {dropout: 0.1}
  - remove: mid.attn_1  # not needed
  # a width
  - set: {nodes: conv, to: {bias: false}}

  - set: {nodes: mlp, to: {hidden: 64}}
"""
    corrected, solved = mended(TEXT + before)
    assert corrected == TEXT + after
    assert solved == [
        "s.yaml:8:5: error U307 edits of `unet` come before all other edits. Move it up.",
        "s.yaml:14:5: error U307 edits of `unet` come before all other edits. Move it up.",
    ]
    assert archspec.check_text(corrected).problems == ()


def test_silences_without_effect_go() -> None:
    text = TEXT + "# ushape: ignore[U501]\nedits:\n  - remove: mid.attn_1  # ushape: ignore[U503]\n"
    corrected, solved = mended(text)
    assert corrected == TEXT + "edits:\n  - remove: mid.attn_1\n"
    assert len(solved) == 2


def test_a_sound_text_and_one_that_is_no_yaml_stay() -> None:
    assert mended(TEXT) == (TEXT, [])
    assert mended("a: [1") == ("a: [1", [])


def test_what_is_certain() -> None:
    hint = did_you_mean("chanels", ["channels", "kernel"])
    assert isinstance(hint, Suggestion)
    assert (hint, hint.written, hint.meant) == ("Did you mean `channels`?", "chanels", "channels")
    for twin in (copy.deepcopy(hint), pickle.loads(pickle.dumps(hint))):
        assert (twin, twin.written, twin.meant) == (hint, hint.written, hint.meant)
    assert not isinstance(did_you_mean("attn_0", ["attn_1"]), Suggestion)
    assert not isinstance(did_you_mean("chanel", ["channel", "chanels"]), Suggestion)
