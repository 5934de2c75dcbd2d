"""Selectors: by id, pattern, operation, parameters and resolution."""

from __future__ import annotations

import pytest

import archspec
from archspec.edits.select import SelectorError, SelectorParts, parts_of, select

TEXT = """\
version: 1
name: small
unet:
  ch: 32
  out_ch: 3
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [16, 8]
  attn_at: {16: {type: linear, heads: 4, norm: true, residual: true}}
  in_channels: 3
  resolution: 16
  skip: add
"""


@pytest.fixture(scope="module")
def graph() -> archspec.ArchGraph:
    return archspec.build(archspec.loads(TEXT))


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("mid.attn_1", ["mid.attn_1"]),
        ("mid.*", ["mid.block_1", "mid.attn_1", "mid.block_2"]),
        ("down.*.attn.*", ["down.0.attn.0", "down.1.attn.0"]),
        ("up.?.block.0", ["up.1.block.0", "up.0.block.0"]),
        ("downsample", ["down.0.downsample"]),
        ("attention @ 8", ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]),
        ("attention@8", ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]),
        ("  attention   @   8  ", ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]),
        ("attention[type=linear]", ["down.0.attn.0", "up.0.attn.0", "up.0.attn.1"]),
        ("attention[type=linear, heads=4] @ 16", ["down.0.attn.0", "up.0.attn.0", "up.0.attn.1"]),
        ("down.*[type=linear]", ["down.0.attn.0"]),
        ("down.*[out=64]", ["down.1.block.0"]),
        ("attention[heads=1]", ["down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"]),  # by default
        ("mid.*[norm=true]", ["mid.attn_1"]),  # by default
        ("mid.*[norm=null]", ["mid.attn_1"]),  # as written
        ("mid.*[norm=1]", []),  # true is not 1
        ("add[project=true] @ 8", ["up.1.skip.0", "up.1.skip.1"]),
        ("add[project=false]", ["up.1.skip.0", "up.0.skip.1"]),  # equal channels: the projection has no effect
        ("mlp @ 8", []),
        ("*[eps=1e-6] @ 8", []),
    ],
)
def test_text(graph: archspec.ArchGraph, selector: str, expected: list[str]) -> None:
    if selector.startswith("*"):
        expected = [node for node in graph if node.startswith(("down.1.b", "down.1.a", "mid", "up.1.b", "up.1.a"))]
    assert select(graph, selector) == expected


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (SelectorParts(id="down.[01].attn.*"), ["down.0.attn.0", "down.1.attn.0"]),
        (SelectorParts(op="attention", id="mid.*"), ["mid.attn_1"]),
        (SelectorParts(resolution=8, where={"method": "conv"}), ["down.0.downsample"]),
        (SelectorParts(op="input", where={"kind": "timestep"}), ["t"]),
        (SelectorParts(op="act", where={"op": "act"}), ["act_out"]),
    ],
)
def test_parts(graph: archspec.ArchGraph, parts: SelectorParts, expected: list[str]) -> None:
    assert select(graph, parts) == expected


def test_no_condition_selects_everything(graph: archspec.ArchGraph) -> None:
    assert select(graph, SelectorParts()) == list(graph) == select(graph, "*")


def test_the_values_of_conditions_are_read_as_they_look() -> None:
    where = parts_of("conv[a=1, b=1.5, c=true, d=null, e=silu, f=-2]").where
    assert where == {"a": 1, "b": 1.5, "c": True, "d": None, "e": "silu", "f": -2}


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("", "it is empty"),
        ("a b", "`a b` cannot be read as a selector"),
        ("attention @ many", "`attention @ many` cannot be read as a selector"),
        ("attention[heads]", "`heads` in `attention[heads]` is not of the form key=value"),
        ("attention @ 0", "no map of `attention @ 0` has 0 pixels"),
        ("attention @ 99999999999", "`attention @ 99999999999` cannot be read as a selector"),
        ("attention @ ８", "`attention @ ８` cannot be read as a selector"),
        ("x]", "`x]` cannot be read as a selector"),
    ],
)
def test_what_is_no_selector(graph: archspec.ArchGraph, selector: str, message: str) -> None:
    with pytest.raises(SelectorError) as caught:
        select(graph, selector)
    assert str(caught.value) == message
