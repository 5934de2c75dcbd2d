"""Whatever is given: a sound graph, or problems with their places; never another exception, and never for long."""

from __future__ import annotations

import copy
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

import archspec
from archspec.text.files import MAX_BYTES
from archspec.text.parse import Positions
from tests.examples import up_to

UNET: dict[str, Any] = {
    "version": 1,
    "name": "n",
    "unet": {
        "ch": 8,
        "out_ch": 3,
        "ch_mult": [1, 2],
        "num_res_blocks": 1,
        "attn_resolutions": [4],
        "in_channels": 3,
        "resolution": 8,
        "num_groups": 4,
        "attn": {"heads": 2},
        "attn_at": {4: {"type": "linear", "norm": True}},
        "mid_attn": {"heads": 4},
        "skip": "add",
        "skip_per": "block",
        "skip_scale": 0.5,
        "learn_skip_scale": True,
        "norm_type": "group",
        "norm_order": "post",
        "act": "gelu",
        "conditioning": "scale_shift",
        "condition_both": True,
        "time": {"type": "fourier", "scale": 2.0},
    },
    "edits": [
        {"unet": {"out_ch": 6}},
        {"remove": "mid.attn_1"},
        {"set": {"nodes": "attention @ 4", "to": {"heads": 4}}},
        {"replace": {"nodes": {"id": "up.*", "op": "add", "where": {"project": True}}, "with": {"op": "concat"}}},
        {"disconnect": {"from": "conv_in", "to": "up.0.skip.1"}},
        {"connect": {"from": "conv_in", "to": "up.0.skip.1", "port": "skip"}},
    ],
}
_SOUND = archspec.check_data({**UNET, "edits": []}, Positions("base")).sound()
GRAPH: dict[str, Any] = {**archspec.to_document(_SOUND), "edits": [{"remove": "mid.attn_1"}]}

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 4, 8, 10**12, 10**400, 1.5, -0.0, 1e300, float("nan"), float("inf")),
    *("", " ", "x", "out", "conv_in", "*", "down.*", "attention", "a[b", "a[b=c]", "attention @ 8", "@", "\n", "\x00"),
    *("é", "🦊" * 50, "a" * 5000, "__class__", "forward", "class", "1", "true", "linear", "none", "{x}", "%s"),
    *([], {}, [[]], [None], [1, 2, 3], ["x", "out"], ["x", "conv_in", "x"], {"a": 1}, {1: 2}, {None: None}),
    *({"op": "conv"}, {"op": "conv", "out": 4}, {"op": "output"}, {"op": None}, {"from": "x", "to": "out"}),
    *({"remove": "x"}, {"unet": {"ch": 16}}, {"unet": {}}, {"nodes": "*", "to": {"out": 4}}, {"type": "none"}),
]


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A document with values replaced, left out, repeated, or put under other keys."""
    document = copy.deepcopy(draw(st.sampled_from([UNET, GRAPH])))
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from([path for path in places(document) if path]))
        around, value = document, copy.deepcopy(draw(st.sampled_from(VALUES)))
        for key in path[:-1]:
            around = around[key]
        change = draw(st.sampled_from(["replace", "replace", "drop", "add"]))
        if change == "replace":
            around[path[-1]] = value
        elif change == "drop":
            del around[path[-1]]
        elif isinstance(around, list):
            around.insert(path[-1], value)
        elif isinstance(value, str | int | float | None):
            around[value] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return document


def examine(checked: archspec.Checked) -> None:
    """Problems can be said, and what has no error is a graph that stands on its own."""
    for problem in checked.problems:
        assert str(problem)
        assert problem.file
    if checked.errors:
        assert checked.graph is None
        return
    assert checked.graph is not None
    assert checked.spec is not None
    document = json.loads(json.dumps(archspec.to_document(checked.graph)))
    again = archspec.from_document(document)
    assert archspec.fingerprint(again) == archspec.fingerprint(checked.graph)
    assert archspec.total_price(again) == archspec.total_price(checked.graph)


@up_to(300)
@given(spoilt())
def test_spoilt_documents(document: Any) -> None:
    examine(archspec.check_data(document, Positions("data")))


@up_to(100)
@given(spoilt(), st.data())
def test_spoilt_texts(document: Any, data: st.DataObject) -> None:
    buffer = io.StringIO()
    YAML(typ="safe", pure=True).dump(json.loads(json.dumps(document)), buffer)
    text = buffer.getvalue()
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + data.draw(st.sampled_from(list("\t\n :-[]{}*&!|>'\"%@`#,?x0\x00\ufeff\u2028\ud800")))
            + text[at:]
        )
    examine(archspec.check_text(text, "text"))


@up_to(200)
@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    checked = archspec.check_text(text, "text")
    assert checked.errors
    with pytest.raises(archspec.UserError):
        archspec.loads(text)


@up_to(50)
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "file.yaml"
    file.write_bytes(content)
    assert archspec.check_file(file).errors


@up_to(60)
@given(st.recursive(st.sampled_from(VALUES), lambda inner: st.lists(inner, max_size=3), max_leaves=5))
def test_documents_of_any_kind(document: Any) -> None:
    with pytest.raises(archspec.UserError):
        archspec.from_document(document)


@st.composite
def sound(draw: st.DrawFn) -> dict[str, Any]:
    """Parameters of a short form that break no rule."""
    levels = draw(st.integers(1, 4))
    groups = draw(st.sampled_from([1, 2, 4, 8]))
    sizes = [2**power for power in range(8)]
    return {
        "ch": groups * draw(st.sampled_from([4, 8, 12])),
        "out_ch": draw(st.integers(1, 6)),
        "ch_mult": draw(st.lists(st.integers(1, 4), min_size=levels, max_size=levels)),
        "num_res_blocks": draw(st.integers(1, 3)),
        "attn_resolutions": draw(st.lists(st.sampled_from(sizes), max_size=3, unique=True)),
        "dropout": draw(st.floats(0, 0.9)),
        "resamp_with_conv": draw(st.booleans()),
        "in_channels": draw(st.integers(3, 8)),
        "resolution": 2 ** (levels - 1) * draw(st.integers(1, 9)),
        "use_timestep": draw(st.booleans()),
        "use_linear_attn": draw(st.booleans()),
        "attn_type": draw(st.sampled_from(["vanilla", "linear", "none"])),
        "attn": {"heads": draw(st.sampled_from([None, 1, 2, 4])), "norm": draw(st.sampled_from([None, True, False]))},
        "attn_at": {draw(st.sampled_from(sizes)): {"head_dim": 4, "heads": 3}},
        "mid_attn": draw(st.sampled_from([True, False, {"type": "none"}, {"residual": True}])),
        "skip": draw(st.sampled_from(["concat", "add", "none"])),
        "num_groups": groups,
        "norm_eps": draw(st.floats(1e-8, 1.0)),
        "zero_init": draw(st.booleans()),
        "context_channels": draw(st.integers(0, 2)),
    }


@up_to(100)
@given(sound())
def test_sound_short_forms_are_sound(parameters: dict[str, Any]) -> None:
    checked = archspec.check_data({"version": 1, "name": "sound", "unet": parameters}, Positions("sound"))
    assert checked.errors == ()
    assert checked.graph is not None
    assert str(checked.graph.nodes["out"]["shape"]) == (
        f"{parameters['out_ch']}x{parameters['resolution']}x{parameters['resolution']}"
    )
    examine(checked)


# bounded time


def bounded(text: str, code: str, seconds: float = 20.0) -> None:
    start = time.process_time()
    checked = archspec.check_text(text, "hostile.yaml")
    assert time.process_time() - start < seconds
    assert [problem.code for problem in checked.errors][:1] == [code]
    assert len(checked.problems) <= 201


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting(opening: str) -> None:
    bounded(opening * 20_000, "U002")


def test_deep_indentation() -> None:
    bounded("".join(f"{' ' * depth}a:\n" for depth in range(600)), "U002")


def test_deep_but_closed() -> None:
    bounded("[" * 60 + "]" * 60, "U004")


def test_a_bomb_of_aliases() -> None:
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 30))]
    bounded("\n".join(lines), "U004")


def test_too_large_a_text() -> None:
    bounded("# " + "x" * MAX_BYTES, "U004")


def test_many_unknown_keys() -> None:
    bounded("version: 1\nname: n\n" + "".join(f"key{n}: {n}\n" for n in range(5_000)), "U010")


def test_many_unknown_nodes() -> None:
    nodes = "".join(f"    node.number.{n}: {{op: act}}\n" for n in range(800))
    edges = "".join(f"    - [nod.number.{n}, node.number.{n}]\n" for n in range(800))
    bounded(f"version: 1\nname: n\ngraph:\n  nodes:\n{nodes}  edges:\n{edges}", "U101")


def test_a_large_cycle() -> None:
    nodes = "".join(f"    a{n}: {{op: act}}\n" for n in range(3_000))
    edges = "".join(f"    - [a{n}, a{(n + 1) % 3_000}]\n" for n in range(3_000))
    bounded(f"version: 1\nname: n\ngraph:\n  nodes:\n{nodes}  edges:\n{edges}", "U108")


def test_many_problems_are_cut() -> None:
    nodes = "".join(f"    n{n}: {{op: act}}\n" for n in range(150))
    text = (
        "version: 1\nname: n\ngraph:\n  nodes:\n    x: {op: input, channels: 4, resolution: 8}\n    out: {op: output}\n"
        f"{nodes}  edges:\n    - [x, out]\n"
    )
    checked = archspec.check_text(text, "many.yaml")
    assert len(checked.problems) == 201
    assert str(checked.problems[-1]) == (
        "many.yaml:1:1: error U004 there are more than 200 problems; the others are not shown. Mend these first."
    )


def test_the_largest_short_form_is_quick() -> None:
    parameters = {**UNET["unet"], "ch_mult": [1] * 12, "resolution": 2**11, "num_res_blocks": 64, "mid_attn": True}
    start = time.process_time()
    checked = archspec.check_data({"version": 1, "name": "large", "unet": parameters}, Positions("large"))
    assert checked.errors == ()
    assert time.process_time() - start < 10
