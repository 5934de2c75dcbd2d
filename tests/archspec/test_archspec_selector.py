"""Selectors joined by and, or, not; sides and levels; the same in parts; and what is said about wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.edits.select import SelectorError, SelectorParts, in_words, parts_of, select, suggestion
from archspec.graphs.sides import Standing, standings
from archspec.text.positions import Positions

SEED = archspec.build(archspec.load("zoo/seed-256"))

#: A graph whose ids say nothing about the U.
PLAIN = """\
version: 1
name: plain
graph:
  nodes:
    x: {op: input, kind: image, channels: 3, resolution: 16}
    a: {op: conv, out: 32}
    b: {op: downsample}
    c: {op: conv, out: 32}
    d: {op: upsample}
    e: {op: concat}
    f: {op: conv, out: 3}
    y: {op: output}
  edges: [[x, a], [a, b], [b, c], [c, d], [d, e], [a, e, skip], [e, f], [f, y]]
"""


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("attention @ 16 and not mid.*", [f"{s}.4.attn.{i}" for s, n in (("down", 2), ("up", 3)) for i in range(n)]),
        ("side=mid", ["mid.block_1", "mid.attn_1", "mid.block_2"]),
        ("conv", ["conv_in", "conv_out"]),
        ("conv and side=up", ["conv_out"]),
        ("conv and level=0 and side=down", ["conv_in"]),
        ("resnet_block and level=4 and side=mid", ["mid.block_1", "mid.block_2"]),
        ("down.0.* and (downsample or [out=128] and *.0)", ["down.0.block.0", "down.0.downsample"]),
        ("mid.attn_1 or not not conv_in", ["conv_in", "mid.attn_1"]),
        ("not (side=down or side=up or side=mid)", ["t", "time", "temb"]),
        ("@ 256 and norm", ["norm_out"]),
        ("  [kind=timestep]  ", ["t"]),
    ],
)
def test_text(selector: str, expected: list[str]) -> None:
    assert select(SEED, selector) == expected
    assert select(SEED, SelectorParts(all=(in_words(parts_of(selector)),))) == expected


@pytest.mark.parametrize(
    ("parts", "words", "expected"),
    [
        ({"op": "attention", "side": "mid"}, "attention and side=mid", ["mid.attn_1"]),
        ({"any": ["conv_in", {"id": "t"}]}, "(conv_in or t)", ["t", "conv_in"]),
        ({"all": ["conv", {"not": "conv_in"}]}, "conv and not conv_in", ["conv_out"]),
        ({"op": "conv", "not": {"any": ["conv_in", "x"]}}, "conv and not (conv_in or x)", ["conv_out"]),
        ({"not": {"all": ["*.*", "mid.*"]}, "op": "upsample", "level": 4},
         "upsample and level=4 and not (*.* and mid.*)", ["up.4.upsample"]),
        ({"id": "*", "op": "conv", "where": {"out": 3, "bias": True}}, "conv[out=3, bias=true] and *", ["conv_out"]),
        ({}, "*", list(SEED)),
    ],
)  # fmt: skip
def test_parts_and_their_words(parts: dict[str, Any], words: str, expected: list[str]) -> None:
    selector = SelectorParts.model_validate(parts)
    assert in_words(selector) == words
    assert select(SEED, selector) == expected == select(SEED, words)


def test_side_and_level_come_from_the_graph_where_ids_do_not_say_them() -> None:
    graph = archspec.build(archspec.loads(PLAIN))
    assert standings(graph) == {
        "x": Standing("down", 0), "a": Standing("down", 0), "b": Standing("down", 1), "c": Standing("mid", 1),
        "d": Standing("up", 0), "e": Standing("up", 0), "f": Standing("up", 0), "y": Standing("up", 0),
    }  # fmt: skip


def test_without_a_change_of_size_there_is_no_side() -> None:
    text = PLAIN.replace("{op: downsample}", "{op: act}").replace("{op: upsample}", "{op: act}")
    assert {standing.side for standing in standings(archspec.build(archspec.loads(text))).values()} == {None}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("attention and", "`attention and` cannot be read as a selector: a selector is missing after `and`"),
        ("or x", "`or x` cannot be read as a selector: a selector is missing at its beginning"),
        ("(a", "`(a` cannot be read as a selector: `)` is missing"),
        ("a)", "`a)` cannot be read as a selector: `)` closes nothing"),
        ("not " * 30 + "a", f"`{'not ' * 30}a` cannot be read as a selector: it is nested too deeply"),
        ("(" * 450, f"`{'(' * 450}` cannot be read as a selector: it is nested too deeply"),
        ("sid=up", "`sid=up` in `sid=up` says nothing: there is no `sid`. Did you mean `side`?"),
        ("x and out=3", "`out=3` in `x and out=3` says nothing: there is no `out`. Parameters stand in brackets, as in "
         "conv[out=64]"),
        ("side=upp", "`side=upp` in `side=upp` says nothing: the sides are down, mid, up"),
        ("level=-1", "`level=-1` in `level=-1` says nothing: a level is a number from 0"),
        ("side=up @ 8", "`side=up @ 8` cannot be read as a selector: join `side=up` and the rest by `and`"),
    ],
)  # fmt: skip
def test_what_is_no_selector(selector: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        parts_of(selector)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("selector", "hint"),
    [
        ("attention and mid.blok_1", "`mid.blok_1`: Did you mean `mid.block_1`?"),
        ("conv and (atention or xyz)", "`atention`: Did you mean `attention`?"),
        ("side=up and mid.*", "Each part matches something, but no node matches all of it."),
        ("not *", "Each part matches something, but no node matches all of it."),
        (SelectorParts(op="attention", level=1), "The levels there: 4."),
        (SelectorParts(op="upsample", side="down"), "The sides there: up."),
        (SelectorParts(op="resnet_block", side="mid", level=0), "No such node has this side and this level."),
        (SelectorParts(op="timestep", side="mid"), "Did you mean `time`?"),
    ],
)
def test_what_to_write_instead(selector: str | SelectorParts, hint: str) -> None:
    assert select(SEED, selector) == []
    assert suggestion(SEED, selector) == hint


def doubts(selector: Any, to: dict[str, Any]) -> list[str]:
    unet = {"ch": 32, "out_ch": 3, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3,
            "resolution": 16}  # fmt: skip
    document = {"version": 1, "name": "s", "unet": unet, "edits": [{"set": {"nodes": selector, "to": to}}]}
    checked = archspec.check_data(document, Positions("s"))
    assert checked.graph is not None
    assert "doubts" not in checked.graph.graph
    return [f"{problem.severity} {problem.code} {problem.message} {problem.hint}" for problem in checked.problems]


def test_a_part_of_an_or_that_matches_nothing_is_doubtful() -> None:
    ending = "matches no node, so this part of the `or` has no effect."
    assert doubts("attention or mid.attn_1", {"heads": 2}) == []
    assert doubts("attention or atention", {"heads": 2}) == [
        f"warning U308 `atention` {ending} Did you mean `attention`?"
    ]
    assert doubts("attention @ 8 or attention @ 4", {"heads": 2}) == [
        f"warning U308 `attention @ 4` {ending} Such nodes stand at 8."
    ]
    assert doubts("mid.* and (attention or (up.* and side=down))", {"heads": 2}) == [
        f"warning U308 `up.* and side=down` {ending} Each part matches something, but no node matches all of it."
    ]
    assert len(doubts({"any": ["attention", "x1", {"not": {"any": ["*", "y1"]}}]}, {"heads": 2})) == 2
