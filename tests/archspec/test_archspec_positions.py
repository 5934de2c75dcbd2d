"""YAML as plain data, and where each value of it stands in the text."""

from __future__ import annotations

from typing import Any

import pytest

from archspec import UserError
from archspec.text.parse import MAX_DEPTH, MAX_NODES, MAX_PROBLEMS, DataPath, parse, read
from archspec.text.positions import NOWHERE, Place, Positions


@pytest.mark.parametrize(
    ("text", "path", "at"),
    [
        ("a: 1\n", (), (1, 1)),
        ("# first\n\n  a: 1\n", (), (3, 3)),
        ("---\na: 1\n", ("a",), (2, 1)),
        ("a:\n  - x\n  -   y\n", ("a", 1), (3, 7)),
        ("a:\n- x\n-\n  y\n", ("a", 1), (4, 3)),
        ("a: {b: 1, 'c': 2}\n", ("a", "c"), (1, 11)),
        ("a: [[1], [2, 3]]\n", ("a", 1, 1), (1, 14)),
        ("- {a: 1}\n- b: 2\n  c: 3\n", (1, "c"), (3, 3)),
        ("? a\n: b: 1\n", ("a", "b"), (2, 3)),
        ("a: |\n  text\n\nb: 1\n", ("b",), (4, 1)),
        ("a: one\n  two\nb: 1\n", ("b",), (3, 1)),
        ("größe: {日本: 1, b: 2}\n", ("größe", "b"), (1, 16)),
        ("a: 1\r\nb: 2\r\n", ("b",), (2, 1)),
        ("a: 1\rb: 2\r", ("b",), (2, 1)),
        ("\N{ZERO WIDTH NO-BREAK SPACE}a: 1\nb: 2\n", ("b",), (2, 1)),
        ("a: 1\nb: 2", ("b",), (2, 1)),
        ("1: {2: x}\n", (1, 2), (1, 5)),
        ("a: &x [1, 2]\nb: *x\n", ("b",), (2, 1)),
        ("a: &x [1, 2]\nb: *x\n", ("b", 1), (1, 11)),  # where it is written, and not where it is named
    ],
)
def test_a_key_and_an_item_stand_where_they_are_written(text: str, path: DataPath, at: tuple[int, int]) -> None:
    positions = parse(text, "f").positions
    assert positions.at[path] == at == positions.find(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"), ("No", "No"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
        ("017", 17), ("0o17", 15), ("0x1F", 31), ("0b11", 3), ("1_000", 1000), ("1:30", "1:30"), ("+3", 3), ("-0", 0),
        ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("1e-3", 0.001), ("1.0.0", "1.0.0"), ("4k", "4k"), ("'1'", "1"),
        ("!!str 1", "1"), ("!!int '3'", 3), ("!!float 1", 1.0), ("a # b", "a"), ("a#b", "a#b"), ("attention @ 16",
        "attention @ 16"), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("\"a\\n\\u00e9\"", "a\né"), ("'it''s'", "it's"), (">\n  a\n  b\n", "a b\n"), ("|-\n  a\n  b\n", "a\nb"),
        ("2001-13", "2001-13"), ("0.1", 0.1),
    ],
)  # fmt: skip
def test_words_and_numbers_are_read_as_yaml_1_2_reads_them(text: str, value: Any) -> None:
    found = parse(f"a: {text}\n", "f").data["a"]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "problems", "data"),
    [
        ("a: 9223372036854775808\nb: 1\n", ["1:1: error U012 `9223372036854775808` is too large a number."],
         {"a": None, "b": 1}),
        (f"a: {'7' * 41}\n", [f"1:1: error U012 `{'7' * 37}...` is too large a number."], {"a": None}),
        (f"a: {'7' * 40}\n", [f"1:1: error U012 `{'7' * 40}` is too large a number."], {"a": None}),
        ("a: [1, .nan, -.inf]\n", ["1:8: error U012 `.nan` is not a finite number.",
         "1:14: error U012 `-.inf` is not a finite number."], {"a": [1, None, None]}),
        ("a: 1e999\n", ["1:1: error U012 `1e999` is not a finite number."], {"a": None}),
        ("a: !!int x\n", ["1:1: error U012 `x` cannot be read as a value. Text that looks so needs quotes."],
         {"a": None}),
        ("a: 2001-01-01\n2001-01-02: b\n", [
         '1:1: error U012 `2001-01-01` is a date to YAML. Put it in quotes: "2001-01-01".',
         '2:1: error U012 `2001-01-02` is a date to YAML. Put it in quotes: "2001-01-02".'], {"a": None, None: "b"}),
        ("a: !mine [1]\n", ["1:1: error U012 the tag !mine is not read. Use plain text, numbers, true and false."],
         {"a": [1]}),
        ("a: !!set {b}\n", ["1:1: error U012 the tag !!set is not read. Use plain text, numbers, true and false."],
         {"a": {"b": None}}),
        ("b: &b {c: 1}\na: {<<: *b, d: 2}\n",
         ["2:5: error U012 merge keys (`<<`) are not read. Write the keys out."],
         {"b": {"c": 1}, "a": {None: {"c": 1}, "d": 2}}),
        ("? [a]\n: 1\nb: 2\n", ["1:3: error U012 a key must be a plain word or number."], {"b": 2}),
        ("{a: 1, b: 2, a: 3, a: 4}\n", ["1:14: error U003 the key `a` stands twice in one mapping. Keep one of them.",
         "1:20: error U003 the key `a` stands twice in one mapping. Keep one of them."], {"a": 1, "b": 2}),
        ("16: a\n0x10: b\n", ["2:1: error U003 the key `16` stands twice in one mapping. Keep one of them."],
         {16: "a"}),
        ("null: a\n~: b\n", ["2:1: error U003 the key `null` stands twice in one mapping. Keep one of them."],
         {None: "a"}),
        ("16: a\n'16': b\n", [], {16: "a", "16": "b"}),
        ("a: {c: 1}\nb: {c: 1}\n", [], {"a": {"c": 1}, "b": {"c": 1}}),
    ],
)  # fmt: skip
def test_reading_goes_on_behind_a_value_that_cannot_be_read(text: str, problems: list[str], data: Any) -> None:
    document, found = read(text, "f")
    assert [str(problem).removeprefix("f:") for problem in found] == problems
    assert document.data == data
    if problems:
        with pytest.raises(UserError) as caught:
            parse(text, "f")
        assert list(caught.value.problems) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", "2:1: error U002 not YAML: found character '\\t' that cannot start any token. Indent with "
         "spaces, not with tabs."),
        ("a: 1\n---\nb: 2\n", "2:1: error U002 not YAML: expected a single document in the stream, but found another "
         "document. Keep one document in the file: no second line of ---."),
        ("name: a: b\n", "1:8: error U002 not YAML: mapping values are not allowed here. A value with a colon in it "
         "needs quotes; otherwise look at the indentation."),
        ("a: 1\nb\nc: 2\n", "3:1: error U002 not YAML: could not find expected ':' (in what begins in line 2). A key "
         "needs a colon after it."),
        ("a: [1, 2\nb: 3\n", "2:2: error U002 not YAML: expected ',' or ']', but got ':' (in what begins in line 1)."),
        ("a: 'x\n", "2:1: error U002 not YAML: found unexpected end of stream (in what begins in line 1)."),
        ('a: "\\q"\n', "1:6: error U002 not YAML: found unknown escape character 'q'."),
        ("a: *.attn.*\n", "1:4: error U002 not YAML: found undefined alias '.attn.*'. A value that begins with * needs "
         "quotes; otherwise it names what & marks."),
        ("a: *\n", "1:5: error U002 not YAML: expected alphabetic or numeric character, but found '\\n'. A value that "
         "begins with * or & needs quotes."),
        ("a: @ 16\n", "1:4: error U002 not YAML: found character '@' that cannot start any token. A value that begins "
         "with @ needs quotes."),
        ("a: {b: conv[out=3]}\n", "1:12: error U002 not YAML: expected ',' or '}', but got '['. Between { and } a "
         "value with [ in it needs quotes."),
        ("a: [}\n", "1:5: error U002 not YAML: expected the node content, but found '}'."),
        ("a: b\x07\n", "1:5: error U002 not YAML: the character U+0007 cannot stand in a text."),
        ("a: 1\nb: \ud800\n", "2:4: error U002 not YAML: the character U+D800 cannot stand in a text."),
        ("", " error U011 the file is empty. `ushape init` writes one to start from."),
        ("# nothing\n", " error U011 the file is empty. `ushape init` writes one to start from."),
    ],
)  # fmt: skip
def test_what_is_no_yaml_is_refused_at_its_place(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        read(text, "f")
    assert str(caught.value) == f"f:{message}"


def test_as_many_levels_are_read_as_is_promised() -> None:
    assert parse("[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH, "f").data
    with pytest.raises(UserError) as caught:
        parse("\n".join(["a:", "  " + "[" * MAX_DEPTH + "1" + "]" * MAX_DEPTH]), "f")
    assert str(caught.value) == (
        f"f:2:{3 + MAX_DEPTH}: error U004 the text is nested too deeply. At most 40 levels are read."
    )


def test_as_many_values_are_read_as_is_promised_and_an_alias_counts_each_time() -> None:
    each = 100
    uses = MAX_NODES // (each + 1) - 1
    text = f"- &a [{', '.join(['1'] * each)}]\n" + "- *a\n" * uses
    left = MAX_NODES - 1 - (each + 1) * (uses + 1)
    assert len(parse(text + "- 1\n" * left, "f").data) == uses + 1 + left
    with pytest.raises(UserError) as caught:
        parse(text + "- 1\n" * (left + 1), "f")
    assert str(caught.value) == (
        f"f:{uses + left + 2}:3: error U004 the text has too many values. At most 100,000 are read, each use of an "
        "alias included."
    )


def test_after_two_hundred_values_that_cannot_be_read_reading_ends() -> None:
    assert len(read("- .nan\n" * (MAX_PROBLEMS - 1), "f")[1]) == MAX_PROBLEMS - 1
    with pytest.raises(UserError) as caught:
        read("- .nan\n" * (MAX_PROBLEMS + 50), "f")
    assert len(caught.value.problems) == MAX_PROBLEMS


def test_places_are_in_one_document_alone() -> None:
    first, second = (parse("a: {b: 1}\n", "f").positions for _ in range(2))
    place = Place(first, ("a",))
    assert place.at() is place
    assert place.at("b", 0).path == ("a", "b", 0)
    assert place.holds(Place(first, ("a", "b")))
    assert place.holds(place)
    assert not place.holds(Place(first))
    assert not place.holds(Place(first, ("ab",)))
    assert not place.holds(Place(second, ("a", "b")))


def test_a_problem_carries_all_that_is_known_of_its_place() -> None:
    positions = Positions("s.yaml", {(): (1, 1), ("a",): (2, 5)})
    problem = Place(positions, ("a", 3)).problem("U501", "so.", "do.", node="n", severity="warning")
    assert str(problem) == "s.yaml:2:5: warning U501 n: so. do."
    assert Positions("s.yaml").find(("a",)) is None
    assert str(Positions("s.yaml").problem("U090", "so.")) == "s.yaml: error U090 so."
    assert NOWHERE.at("x", 1).problem("U090", "so.").line is None
