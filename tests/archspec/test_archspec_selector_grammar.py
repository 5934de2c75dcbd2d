"""The grammar of selectors: random ones against a judge that knows nothing of it, and every refusal."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archspec
from archspec.edits.edit import Edit
from archspec.edits.select import SelectorError, SelectorParts, idle_parts, in_words, parts_of, select
from archspec.graphs.graph import op_of
from tests.examples import up_to

HEAD = """\
version: 1
name: small
unet: {ch: 32, out_ch: 3, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
"""
GRAPH = archspec.build(archspec.loads(HEAD))

#: Text of a simple selector -> the nodes that it selects, found by looking at ids, operations and sizes alone.
SIMPLE = {
    "mid.attn_1": {node for node in GRAPH if node == "mid.attn_1"},
    "up.*": {node for node in GRAPH if node.startswith("up.")},
    "*.attn*": {node for node in GRAPH if ".attn" in node},
    "conv": {node for node in GRAPH if op_of(GRAPH, node).op == "conv"},
    "attention[heads=1]": {node for node in GRAPH if op_of(GRAPH, node).op == "attention"},
    "@ 16": {node for node in GRAPH if str(GRAPH.nodes[node]["shape"]).endswith("x16x16")},
    "[out=64]": {node for node in GRAPH if getattr(op_of(GRAPH, node), "out", None) == 64},
    "level=1": {node for node in GRAPH if node.startswith(("down.1.", "up.1.", "mid."))},
    "side=up": {node for node in GRAPH if node.startswith("up.") or node in ("norm_out", "act_out", "conv_out", "out")},
    "nothing": set(),
}  # fmt: skip
ALL = set(GRAPH)

Judged = tuple[str, set[str]]


def joined(parts: st.SearchStrategy[Judged]) -> st.SearchStrategy[Judged]:
    """`and`, `or` and `not` of selectors in parentheses, with what sets say of them."""
    several = st.lists(parts, min_size=2, max_size=3)
    return st.one_of(
        several.map(lambda some: (" and ".join(f"({t})" for t, _ in some), set.intersection(*(n for _, n in some)))),
        several.map(lambda some: (" or ".join(f"({t})" for t, _ in some), set.union(*(n for _, n in some)))),
        parts.map(lambda one: (f"not ({one[0]})", ALL - one[1])),
        parts.map(lambda one: (f"  ( {one[0]} )  ", one[1])),
    )


SELECTORS = st.recursive(st.sampled_from(sorted(SIMPLE.items())), joined, max_leaves=6)


def test_the_simple_ones_are_what_they_are_said_to_be() -> None:
    assert {text: set(select(GRAPH, text)) for text in SIMPLE} == SIMPLE


@given(SELECTORS)
@up_to(100)
def test_joined_selectors_are_sets(selector: Judged) -> None:
    text, nodes = selector
    assert select(GRAPH, text) == [node for node in GRAPH if node in nodes]
    words = in_words(parts_of(text))
    assert select(GRAPH, words) == select(GRAPH, text)
    assert in_words(parts_of(words)) == words


@given(st.lists(st.sampled_from(sorted(SIMPLE)), min_size=1, max_size=5), st.data())
@up_to(60)
def test_not_binds_closest_and_or_least(names: list[str], data: st.DataObject) -> None:
    nots = [data.draw(st.booleans()) for _ in names]
    words = [data.draw(st.sampled_from(["and", "or"])) for _ in names[1:]]
    text = " ".join(
        part for at, name in enumerate(names) for part in (*words[at - 1 : at], *["not"] * nots[at], name) if part
    )
    total: set[str] = set()
    term: set[str] | None = None
    for at, name in enumerate(names):
        one = ALL - SIMPLE[name] if nots[at] else SIMPLE[name]
        if term is not None and words[at - 1] == "and":
            term = term & one
        else:
            total |= term or set()
            term = one
    assert set(select(GRAPH, text)) == total | (term or set())


@given(st.text(alphabet="ab1.*[]()=, @&|'\"ornotd", max_size=24))
@up_to(200)
def test_any_text_is_a_selector_or_an_error_that_quotes_it(text: str) -> None:
    try:
        found = select(GRAPH, text)
    except SelectorError as error:
        assert text in str(error) or str(error) == "it is empty"
    else:
        assert set(found) <= ALL


@given(st.lists(st.sampled_from([*GRAPH, "x?", "*", "mid.[ab]*", "down.[!0].*"]), min_size=1, max_size=3))
@up_to(40)
def test_patterns_in_parts_are_those_of_file_names(patterns: list[str]) -> None:
    parts = SelectorParts(any=tuple(SelectorParts(id=one) for one in patterns))
    assert select(GRAPH, parts) == [node for node in GRAPH if any(fnmatchcase(node, one) for one in patterns)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("conv@8", {"op": "conv", "resolution": 8}),
        ("convs", {"id": "convs"}),
        ("conv[]", {"op": "conv"}),
        ("conv[ out = 3 , bias=true ]", {"op": "conv", "where": {"out": 3, "bias": True}}),
        ("conv[out=3,]", {"op": "conv", "where": {"out": 3}}),
        ("[a=null, b=1e-6, c=-1, d=0.0, e=x y]", {"where": {"a": None, "b": 1e-6, "c": -1, "d": 0.0, "e": "x y"}}),
        ("[type=a=b]", {"where": {"type": "a=b"}}),
        ("android", {"id": "android"}),
        ("not_x", {"id": "not_x"}),
        ("not(x)", {"not": {"id": "x"}}),
        ("(x)or(y)", {"any": [{"id": "x"}, {"id": "y"}]}),
        ("x and y or z", {"any": [{"all": [{"id": "x"}, {"id": "y"}]}, {"id": "z"}]}),
        ("x or y and z", {"any": [{"id": "x"}, {"all": [{"id": "y"}, {"id": "z"}]}]}),
        ("((x))", {"id": "x"}),
        ("level=12", {"level": 12}),
        ("side=mid", {"side": "mid"}),
        ("@ 65536", {"resolution": 65_536}),
    ],
)
def test_a_text_in_parts(text: str, parts: dict[str, Any]) -> None:
    def full(one: SelectorParts) -> dict[str, Any]:
        return one.model_dump(by_alias=True, exclude_defaults=True, mode="json")

    assert full(parts_of(text)) == full(SelectorParts.model_validate(parts))


def test_conditions_that_are_not_written_in_brackets_are_told_in_words() -> None:
    parts = {"id": "mid.*", "op": "attention", "resolution": 8, "level": 1, "side": "mid", "where": {"norm": None}}
    assert (
        in_words(SelectorParts.model_validate(parts)) == "attention[norm=null] @ 8 and mid.* and level=1 and side=mid"
    )
    assert in_words(SelectorParts(any=("a or b",))) == "(a or b)"
    assert in_words(SelectorParts(all=("a or b", "c and d", "e"))) == "(a or b) and (c and d) and e"
    assert in_words(SelectorParts.model_validate({"not": "a and b"})) == "not (a and b)"
    assert in_words("  a   and\tb ") == "a and b"


def refused(selector: Any) -> str:
    """What is said of an edit with this selector."""
    text = f"{HEAD}edits:\n- remove: {selector}\n"
    [problem] = archspec.check_text(text, "s.yaml").problems
    return str(problem).removeprefix("s.yaml:5:3: error ")


FORMS = (
    "Write an id, a pattern such as down.*.attn.*, an operation, op[key=value], or op @ 16; or level=1 or side=up; "
    "joined by and, or, not."
)


@pytest.mark.parametrize(
    ("selector", "why"),
    [
        ("attention conv", "`attention conv` cannot be read as a selector."),
        ("attention, conv", "`attention, conv` cannot be read as a selector."),
        ("attention && conv", "`attention && conv` cannot be read as a selector."),
        ("attention AND conv", "`attention AND conv` cannot be read as a selector."),
        ("attention not conv", "`attention not conv` cannot be read as a selector."),
        ("level = 1", "`level = 1` cannot be read as a selector."),
        ("attention @ 8 [heads=1]", "`attention @ 8 [heads=1]` cannot be read as a selector."),
        ("attention[heads=1][norm=true]", "`attention[heads=1][norm=true]` cannot be read as a selector."),
        ("attention[a[b]=1]", "`attention[a[b]=1]` cannot be read as a selector."),
        ("attention[heads>1]", "`heads>1` in `attention[heads>1]` is not of the form key=value."),
        ("attention @ 65537", "no map of `attention @ 65537` has 65537 pixels."),
        ("()", "`()` cannot be read as a selector: a selector is missing after `(`."),
        ("not", "`not` cannot be read as a selector: a selector is missing after `not`."),
        ("a and or b", "`a and or b` cannot be read as a selector: a selector is missing after `and`."),
        ("(a or b", "`(a or b` cannot be read as a selector: `)` is missing."),
        ("a) or (b", "`a) or (b` cannot be read as a selector: `)` closes nothing."),
        ("LEVEL=1", "`LEVEL=1` in `LEVEL=1` says nothing: there is no `LEVEL`. Did you mean `level`?"),
        ("level=x", "`level=x` in `level=x` says nothing: a level is a number from 0."),
        ("level=1000", "`level=1000` in `level=1000` says nothing: a level is a number from 0."),
        ("side=UP", "`side=UP` in `side=UP` says nothing: the sides are down, mid, up."),
        ("level=1[out=3]", "`level=1[out=3]` cannot be read as a selector: join `level=1` and the rest by `and`."),
    ],
)
def test_what_is_no_selector_in_a_file(selector: str, why: str) -> None:
    assert refused(selector) == f"U304 `edits.0.remove` is no selector: {why} {FORMS}"


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("[type=linear]", 'U012 `edits.0.remove` must be text, not a list. Put it in quotes: "[type=linear]".'),
        ("[type=linear, heads=4]",
         'U012 `edits.0.remove` must be text, not a list. Put it in quotes: "[type=linear, heads=4]".'),
        ("[conv_in, mid.*]", "U012 `edits.0.remove` must be text, not a list. Join them by or: conv_in or mid.*."),
        ("[conv_in]", "U012 `edits.0.remove` must be text, not a list. Join them by or: conv_in."),
        ("[]", "U012 `edits.0.remove` must be text, not an empty list."),
        ("[1, 2]", "U012 `edits.0.remove` must be text, not a list."),
        ("8", 'U012 `edits.0.remove` must be text, not 8. Put it in quotes: "8".'),
        ("true", 'U012 `edits.0.remove` must be text, not true. Put it in quotes: "true".'),
        ("x" * 501, "U012 `edits.0.remove` must have at most 500 letters, not 501."),
        ("null", "U011 `edits.0` says nothing about `remove`."),
    ],
)  # fmt: skip
def test_values_that_are_no_selector(selector: str, message: str) -> None:
    assert refused(selector) == message


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("{heads: [1]}", "edits.0.remove.where.heads` must be text, a number, true, false or null, not a list."),
        ("{heads: {a: 1}}", "edits.0.remove.where.heads` must be text, a number, true, false or null, not a mapping."),
        ("[heads]", "edits.0.remove.where` must be a mapping of keys to values, not a list."),
    ],
)
def test_a_condition_is_one_value(where: str, message: str) -> None:
    text = f"{HEAD}edits:\n- remove: {{op: attention, where: {where}}}\n"
    assert [str(problem).partition(" U012 `")[2].partition(" That is")[0]
            for problem in archspec.check_text(text, "s.yaml").problems] == [message]  # fmt: skip


def test_the_deepest_selector_that_is_read_and_the_first_that_is_not() -> None:
    assert select(GRAPH, "not " * 20 + "conv") == select(GRAPH, "conv")
    assert select(GRAPH, "(" * 20 + "conv" + ")" * 20) == select(GRAPH, "conv")
    for text in ("not " * 21 + "conv", "(" * 21 + "conv" + ")" * 21):
        with pytest.raises(SelectorError, match="it is nested too deeply"):
            parts_of(text)


@pytest.mark.parametrize(
    ("selector", "idle"),
    [
        ("conv", []),
        ("zzz", []),
        ("conv or zzz", ["zzz"]),
        ("zzz or yyy", ["zzz", "yyy"]),
        ("conv and not (mid.* or zzz)", ["zzz"]),
        ("(conv or zzz) and (up.* or yyy)", ["zzz", "yyy"]),
        ("(conv or (mid.* or zzz)) or yyy", ["yyy", "zzz"]),
        ("(zzz or yyy) or conv", ["zzz or yyy"]),
    ],
)
def test_parts_of_an_or_that_match_nothing(selector: str, idle: list[str]) -> None:
    assert [in_words(part).strip("()") for part in idle_parts(GRAPH, selector)] == idle


def test_an_edit_keeps_its_selector_as_it_was_written() -> None:
    edit = Edit.model_validate({"remove": "conv   or  mid.*"})
    assert edit.remove == "conv   or  mid.*"
    assert edit.describe() == "remove conv or mid.*"
