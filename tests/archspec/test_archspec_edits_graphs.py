"""Every kind of edit on a small graph with a branch, told by its edges; and what is said where it cannot be made."""

from __future__ import annotations

from typing import Any

import pytest

import archspec
from archspec.build import Checked
from archspec.graphs.graph import edges_of, op_of, shape_of
from archspec.text.parse import Positions, parse

NODES: dict[str, Any] = {
    "x": {"op": "input", "channels": 3, "resolution": 8},
    "a": {"op": "conv", "out": 8},
    "b": {"op": "act"},
    "c": {"op": "conv", "out": 8},
    "s": {"op": "add"},
    "d": {"op": "conv", "out": 3},
    "y": {"op": "output"},
}
EDGES = [["x", "a"], ["a", "b"], ["b", "c"], ["c", "s"], ["a", "s", "skip"], ["s", "d"], ["d", "y"]]
BASE = "x>a a>b b>c c>s a>s.skip s>d d>y"


def checked(*edits: str) -> Checked:
    """The graph with edits, each as it is written in a file."""
    made = [parse(edit, "edit").data for edit in edits]
    graph = {"nodes": NODES, "edges": EDGES}
    return archspec.check_data({"version": 1, "name": "g", "graph": graph, "edits": made}, Positions("g"))


def edges(graph: archspec.ArchGraph) -> set[str]:
    """Every edge as ``from>to``, with the port where it is not `x`."""
    return {f"{e.source}>{e.target}" + (f".{e.port}" if e.port != "x" else "") for e in edges_of(graph)}


def said(*edits: str) -> list[str]:
    return [str(problem).removeprefix("g: error ") for problem in checked(*edits).problems]


def test_without_edits_it_is_what_is_written() -> None:
    assert edges(checked().sound()) == set(BASE.split())


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        ("remove: b", "x>a a>c c>s a>s.skip s>d d>y"),
        ("remove: b or c", "x>a a>s a>s.skip s>d d>y"),
        ("remove: s", "x>a a>b b>c c>d d>y"),
        ("remove: {nodes: a or b or c, project: true}", "x>a a>c c>s a>s.skip s>d d>y"),
        ("set: {nodes: s, to: {skip_scale: 0.5}}", BASE),
        ("replace: {nodes: s, with: {op: act}}", "x>a a>b b>c c>s s>d d>y"),
        ("replace: {nodes: b, with: {op: norm, groups: 4}}", BASE),
        ("insert: {node: {op: act}, after: a}", "x>a a>a_act a_act>b b>c c>s a_act>s.skip s>d d>y"),
        ("insert: {node: {op: act}, before: s, port: skip}", "x>a a>b b>c c>s a>s_act s_act>s.skip s>d d>y"),
        ("insert: {node: {op: act}, from: a, to: s, id: new.one}",
         "x>a a>b b>c c>s a>new.one new.one>s.skip s>d d>y"),
        ("insert: {node: {op: add}, before: d, inputs: {skip: b}}",
         "x>a a>b b>c c>s a>s.skip s>d_add b>d_add.skip d_add>d d>y"),
        ("insert: {node: {op: act}, before: b or c}", "x>a a>b_act b_act>b b>c_act c_act>c c>s a>s.skip s>d d>y"),
        ("insert: {node: {op: act}, after: x}", "x>x_act x_act>a a>b b>c c>s a>s.skip s>d d>y"),
        ("insert: {node: {op: act}, before: y}", "x>a a>b b>c c>s a>s.skip s>d d>y_act y_act>y"),
        ("repeat: {nodes: b, times: 3}", "x>a a>b b>b_2 b_2>b_3 b_3>c c>s a>s.skip s>d d>y"),
        ("repeat: {nodes: b or c, times: 2}", "x>a a>b b>b_2 b_2>c c>c_2 c_2>s a>s.skip s>d d>y"),
        ("repeat: {nodes: s, times: 2}", "x>a a>b b>c c>s a>s.skip s>s_2 a>s_2.skip s_2>d d>y"),
        ("repeat: {nodes: a, times: 2}", "x>a a>a_2 a_2>b b>c c>s a_2>s.skip s>d d>y"),
        ("move: {nodes: b, after: c}", "x>a a>c c>b b>s a>s.skip s>d d>y"),
        ("move: {nodes: b, before: d}", "x>a a>c c>s a>s.skip s>b b>d d>y"),
        ("move: {nodes: b, after: x}", "x>b b>a a>c c>s a>s.skip s>d d>y"),
        ("move: {nodes: b, after: a}", "x>a a>b b>c c>s b>s.skip s>d d>y"),
        ("move: {nodes: s, after: a}", "x>a a>s a>s.skip s>b b>c c>d d>y"),
        ("move: {nodes: b or c, before: d}", "x>a a>s a>s.skip s>b b>c c>d d>y"),
        ("rewire: {to: s, from: b, port: skip}", "x>a a>b b>c c>s b>s.skip s>d d>y"),
        ("rewire: {to: c, from: a}", "x>a a>c c>s a>s.skip s>d d>y"),
        ("rewire: {to: s, from: a}", "x>a a>s a>s.skip s>d d>y"),
        ("rewire: {to: b or c, from: a}", "x>a a>c c>s a>s.skip s>d d>y"),
        ("resize: {nodes: a or c, factor: 2}", BASE),
    ],
)  # fmt: skip
def test_what_an_edit_makes_of_the_edges(edit: str, after: str) -> None:
    assert edges(checked(edit).sound()) == set(after.split())


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        ("insert: {node: {op: act}, after: a, id: n}; remove: b; move: {nodes: n, before: y}",
         "x>a a>c c>s a>s.skip s>d d>n n>y"),
        ("insert: {node: {op: act}, after: b, id: b_2}; repeat: {nodes: b, times: 2}",
         "x>a a>b b>b_3 b_3>b_2 b_2>c c>s a>s.skip s>d d>y"),
        ("insert: {node: {op: act}, after: a}; insert: {node: {op: act}, after: a}",
         "x>a a>a_act_2 a_act_2>a_act a_act>b b>c c>s a_act>s.skip s>d d>y"),
        ("disconnect: {from: '*', to: s}; connect: {from: a, to: s}; connect: {from: c, to: s, port: skip}",
         "x>a a>b b>c a>s c>s.skip s>d d>y"),
        ("disconnect: {from: b, to: c}; connect: {from: a, to: c}",
         "x>a a>c c>s a>s.skip s>d d>y"),
        ("rewire: {to: c, from: a}; rewire: {to: c, from: b}",
         BASE),
        ("remove: b; insert: {node: {op: act}, before: c, id: b}",
         BASE),
        ("replace: {nodes: s, with: {op: act}}; replace: {nodes: s, with: {op: add}}; connect: {from: a, to: s, "
         "port: skip}",
         BASE),
    ],
)  # fmt: skip
def test_edits_are_made_in_their_order(edits: str, after: str) -> None:
    assert edges(checked(*edits.split("; ")).sound()) == set(after.split())


def test_a_resized_node_and_a_projection_have_the_widths_that_were_asked_for() -> None:
    wide = checked("resize: {nodes: a or c, factor: 2.5}").sound()
    assert [str(shape_of(wide, node)) for node in "xabcsdy"] == ["3x8x8", *["20x8x8"] * 4, *["3x8x8"] * 2]
    kept = checked("remove: {nodes: a or b or c, project: true}").sound()
    for node, width in (("a", 8), ("c", 8)):
        op = op_of(kept, node)
        assert op.model_dump(exclude_unset=True) == {"out": width, "kernel": 1}
    assert archspec.total_price(kept).parameters == (3 * 8 + 8) + (8 * 8 + 8) + (9 * 8 * 3 + 3)


@pytest.mark.parametrize(
    ("edit", "messages"),
    [
        ("remove: a",
         "U303 a: it turns 3x8x8 into 8x8x8, so it cannot just be left out. Keep a projection in its place: `remove: "
         "{nodes: a, project: true}`."),
        ("remove: a or b or c",
         "U303 a (and 1 more): it turns 3x8x8 into 8x8x8, so it cannot just be left out. Keep a projection in its "
         "place: `remove: {nodes: a, project: true}`."),
        ("remove: {nodes: b, project: true}",
         "U302 there is nothing to project: `b` keeps the channels or the running map. Take `project` out."),
        ("remove: {nodes: x or a, project: true}",
         "U303 x: an input cannot be removed. Disconnect what it feeds, and it goes too.|U303 a: it has no input that "
         "could go on in its place."),
        ("remove: q",
         "U301 `q` matches no node. Operations here: input, conv, act, add, output; `ushape show` lists the ids."),
        ("set: {nodes: b or c, to: {kernel: 1}}",
         "U305 b: an act has no parameter `kernel`. Of the selected nodes conv has it; select those alone."),
        ("set: {nodes: y, to: {a: 1}}", "U305 y: an output has no parameter `a`. It has: none."),
        ("set: {nodes: a or c, to: {out: 8, bias: true}}",
         "U302 this changes nothing: `a` and 1 more have out: 8, bias: true already."),
        ("replace: {nodes: a or x, with: {op: act}}",
         "U303 x: an input cannot become an act. A network keeps its input."),
        ("replace: {nodes: b, with: act}",
         "U012 an operation is a mapping of keys to values, not 'act'. Write {op: …} and its parameters."),
        ("connect: {from: q, to: r}", "U301 there is no node `q`.|U301 there is no node `r`."),
        ("connect: {from: a, to: y}",
         "U306 y: its port `x` is filled by `d` already. First `disconnect: {from: d, to: y, port: x}`."),
        ("connect: {from: a, to: x}", "U306 x: an input has no port `x`. It has none."),
        ("connect: {from: a, to: s, port: skipp}", "U306 s: an add has no port `skipp`. Did you mean `skip`?"),
        ("disconnect: {from: b, to: s}", "U306 there is no such edge. `s` is given x = c, skip = a."),
        ("disconnect: {from: a, to: x}", "U306 there is no such edge. `x` is given nothing."),
        ("disconnect: {from: a, to: s, port: x}", "U306 there is no such edge. `a` fills the port `skip` of `s`."),
        ("insert: {node: {op: act}, from: a, to: s, port: x}",
         "U306 there is no such edge. `s` is given x = c, skip = a."),
        ("insert: {node: {op: act}, from: q, to: s}", "U301 there is no node `q`."),
        ("insert: {node: {op: act}, from: a, to: x}", "U306 there is no such edge. `x` is given nothing."),
        ("insert: {node: {op: input, channels: 3, resolution: 8}, after: a}",
         "U303 an input cannot be inserted. Insert what takes and gives a value."),
        ("insert: {node: {op: add}, after: a, inputs: {skip: q}}", "U301 there is no node `q`."),
        ("insert: {node: {op: add}, after: a, inputs: {x: b}}",
         "U306 an add has no further port `x`. Its further ports: skip."),
        ("insert: {node: {op: act}, after: a, id: a b}",
         "U109 `a b` is not a node id. Ids are module paths: words of letters, digits and _ joined by dots, such as "
         "down.0.block.1."),
        ("rewire: {to: x, from: a}", "U306 x: an input has no port `x`. It has none."),
        ("rewire: {to: s, from: a, port: skip}", "U302 this changes nothing: `s` takes `a` already."),
        ("rewire: {to: b or s, from: a, port: skip}", "U306 b: an act has no port `skip`. It has x."),
        ("move: {nodes: b, before: c}", "U302 this changes nothing: `b` stands there already."),
        ("move: {nodes: b or c, before: s}", "U302 this changes nothing: `b` and 1 more stand there already."),
        ("move: {nodes: b, before: x}", "U306 x: an input has no port `x`. It has none."),
        ("move: {nodes: y, after: a}", "U303 y: an output cannot be removed."),
        ("move: {nodes: a, after: s}",
         "U303 a: it turns 3x8x8 into 8x8x8, so it cannot just be left out. Keep a projection in its place: `remove: "
         "{nodes: a, project: true}`."),
        ("repeat: {nodes: b or y, times: 2}", "U303 y: an output cannot be repeated."),
        ("resize: {nodes: b, out: 3}",
         "U305 b: an act has no width of its own. Widths are set by operations with `out`, such as conv and "
         "resnet_block; select those."),
        ("resize: {nodes: a, factor: 0.01}",
         "U207 a: 8 channels times 0.01 would be 0.08. It must be a whole number; 0.125 gives 1."),
        ("resize: {nodes: c or a, out: 8}", "U302 this changes nothing: `a` and 1 more have that width already."),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_told_whole(edit: str, messages: str) -> None:
    assert said(edit) == messages.split("|")


@pytest.mark.parametrize(
    ("edit", "start", "describes"),
    [
        ("rewire: {to: b, from: s}",
         "U105 b: the graph has a cycle: b -> c -> s -> b. Take one of its edges out.",
         "rewire s -> b"),
        ("insert: {node: {op: add}, after: a, inputs: {skip: d}, id: n}",
         "U105 b: the graph has a cycle: b -> c -> s -> d -> n -> b. Take one of its edges out.",
         "insert add after a"),
        ("rewire: {to: s, from: x, port: skip}",
         "U202 s: 8 and 3 channels cannot be added. Set project: true to bring the skip to the channels of x, or use "
         "concat. Inputs: c = 8x8x8, x = 3x8x8.",
         "rewire x -> s (skip)"),
        ("resize: {nodes: c, out: 4}",
         "U202 s: 4 and 8 channels cannot be added. Set project: true to bring the skip to the channels of x, or use "
         "concat. Inputs: c = 4x8x8, a = 8x8x8.",
         "resize c: out=4"),
    ],
)  # fmt: skip
def test_what_an_edit_brings_about_is_blamed_on_it(edit: str, start: str, describes: str) -> None:
    assert said(edit) == [f"{start} The edit `{describes}` brings this about."]


def test_what_one_edit_took_is_not_there_for_the_next() -> None:
    assert said("remove: b", "remove: b") == [
        "U301 `b` matches no node. Operations here: input, conv, add, output; `ushape show` lists the ids."
    ]


@pytest.mark.parametrize("node", ["x", "a", "b", "c", "s", "d"])
def test_what_is_inserted_and_removed_again_is_no_change(node: str) -> None:
    insertion = f"insert: {{node: {{op: act}}, after: {node}, id: n}}"
    assert len(checked(insertion).sound()) == len(NODES) + 1
    back = checked(insertion, "remove: n").sound()
    assert edges(back) == set(BASE.split())
    assert archspec.fingerprint(back) == archspec.fingerprint(checked().sound())
