"""Whole messages about texts that are wrong in one place, each as it stands in a small file of the short form."""

from __future__ import annotations

import pytest

import archspec

TEXT = """\
version: 1
name: small
unet: {ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
"""
GRAPH = """\
version: 1
name: small
graph:
  nodes:
    1: {op: input, channels: 1, resolution: 8}
    out: {op: output}
  edges: [[x], {from: out}, x]
"""


def told(text: str) -> list[str]:
    return [str(problem) for problem in archspec.check_text(text, "s.yaml").problems]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("small", "sm\x07all", "2:9: error U002 not YAML: the character U+0007 cannot stand in a text."),
        ("small", "2001-99-99", '2:1: error U012 `2001-99-99` is a date to YAML. Put it in quotes: "2001-99-99".'),
        (
            "small",
            "!!binary x",
            "2:1: error U012 the tag !!binary is not read. Use plain text, numbers, true and false.",
        ),
        ("ch: 32", "ch: .inf", "3:8: error U012 `.inf` is not a finite number."),
    ],
)
def test_values_that_are_no_values(old: str, new: str, message: str) -> None:
    assert told(TEXT.replace(old, new)) == [f"s.yaml:{message}"]


@pytest.mark.parametrize(
    ("nodes", "hint"),
    [
        ("attention @ 32", "Such nodes stand at 8."),
        ("{op: mlp, resolution: 8}", "Such nodes have no size."),
        ("{op: attention, where: {heds: 2}}", "Did you mean `heads`?"),
        ("{op: attention, where: {zzz: 2}}", "The parameters there: "),
        ("{op: attention, where: {heads: 3}}", "`heads` is 1 there."),
        ("{op: attention, where: {heads: 3, norm: false}}", "No such node has all of these parameters."),
    ],
)
def test_a_selector_that_asks_for_too_much_says_what_there_is(nodes: str, hint: str) -> None:
    [message] = told(f"{TEXT}edits:\n  - set: {{nodes: {nodes}, to: {{bias: false}}}}\n")
    assert message.startswith(f"s.yaml:5:11: error U301 `{nodes}` matches no node. {hint}")


def test_every_node_and_edge_that_is_none_is_named() -> None:
    edge = "Write [from, to] or [from, to, port], with ids and port as text."
    assert told(GRAPH) == [
        "s.yaml:5:5: error U109 `1` is not a node id. Ids are module paths: words of letters, digits and _ joined by "
        "dots, such as down.0.block.1.",
        f"s.yaml:7:11: error U012 an edge is a list of two or three ids, not ['x']. {edge}",
        "s.yaml:7:16: error U011 `graph.edges.1.to` is missing. That is: node id.",
        f"s.yaml:7:29: error U012 an edge is a list of two or three ids, not 'x'. {edge}",
    ]
