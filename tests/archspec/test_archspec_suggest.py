"""What is suggested in the place of a word or a key that is not known."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Discriminator, Field, Tag

from archspec.text.fields import Flag, Form, Width
from archspec.text.parse import parse
from archspec.text.suggest import Suggestion, did_you_mean, field_at, known_keys, models_at
from archspec.text.validate import faulty_places, validate


@pytest.mark.parametrize(
    ("word", "known", "meant", "certain"),
    [
        ("chanels", ["channels", "kernel"], "channels", True),
        ("channels", ["channels"], "channels", False),  # nothing to correct
        ("CHANNELS", ["kernel", "channels"], "channels", True),
        ("attn", ["attention", "act"], "attention", False),  # close, and yet something else
        ("block_1", ["block_2"], "block_2", False),  # another number is another node
        ("blok_1", ["block_2"], "block_2", True),
        ("heds", ["heads", "beds"], "heads", False),  # two that are as close
        ("x", ["y", "z"], None, False),
        ("abc", [], None, False),
        ("", ["a"], None, False),
        ("a" * 80, ["a" * 79 + "b"], "a" * 79 + "b", True),
        ("a" * 81, ["a" * 81], None, False),
    ],
)
def test_a_close_word_is_suggested_and_certain_where_it_is_the_only_one(
    word: str, known: list[str], meant: str | None, *, certain: bool
) -> None:
    hint = did_you_mean(word, known)
    assert hint == (None if meant is None else f"Did you mean `{meant}`?")
    assert isinstance(hint, Suggestion) == certain
    if isinstance(hint, Suggestion):
        assert (hint.written, hint.meant) == (word, meant)


def test_among_very_many_words_the_first_thousand_are_looked_at() -> None:
    words = [f"zzzz{number}" for number in range(999)]
    assert did_you_mean("channel", [*words, "channels"]) == "Did you mean `channels`?"
    assert did_you_mean("channel", [*words, "yyyy", "channels"]) is None


class Size(Form):
    OTHER_NAMES: ClassVar[dict[str, str]] = {"pixels": "Here it is `width`."}

    width: Width = Field(description="how wide.")


class Near(Form):
    kind: Literal["near"] = "near"
    steps: Width = 1


class Far(Form):
    kind: Literal["far"] = "far"
    miles: Width = 1


class Whole(Form):
    size: Size | None = None
    parts: dict[str, Size] = Field(default_factory=dict)
    way: Annotated[
        Annotated[Near, Tag("near")] | Annotated[Far, Tag("far")],
        Discriminator(lambda data: data.get("kind", "near") if isinstance(data, dict) else data.kind),
    ] = Near()
    other: Flag = Field(default=True, alias="else", description="what then")


def said(text: str) -> list[str]:
    document = parse(text, "f")
    return [str(problem).removeprefix("f:") for problem in validate(Whole, document.data, document.positions)[1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sise: {}", "1:1: error U010 `sise` is not a known key. Did you mean `size`?"),
        ("miles: 3", "1:1: error U010 `miles` is not a known key. It belongs under `way`."),
        ("width: 3", "1:1: error U010 `width` is not a known key. It belongs under `size`."),
        ("other: true", "1:1: error U010 `other` is not a known key. Known keys: size, parts, way, else."),
        ("size: {pixels: 3, width: 1}", "1:8: error U010 `size.pixels` is not a known key. Here it is `width`."),
        ("size: {zzz: 3, width: 1}", "1:8: error U010 `size.zzz` is not a known key. Known keys: width."),
        ("size: {}", "1:1: error U011 `size.width` is missing. That is: how wide."),
        ("size: {witdh: 3}", "1:8: error U010 `size.witdh` is not a known key. Did you mean `width`?"),
        ("parts: {a: {widht: 3}}", "1:13: error U010 `parts.a.widht` is not a known key. Did you mean `width`?"),
        ("way: {kind: far, mile: 3}", "1:18: error U010 `way.mile` is not a known key. Did you mean `miles`?"),
        ("way: {kind: far, miles: x}", "1:18: error U012 `way.miles` must be a whole number, not 'x'."),
        ("3: x", "1:1: error U010 `3` is not a known key. Known keys: size, parts, way, else."),
        ("true: x", "1:1: error U010 `true` is not a known key. Known keys: size, parts, way, else."),
        ("else: 1", "1:1: error U012 `else` must be true or false, not 1."),
    ],
)
def test_a_key_that_is_not_known_is_told_where_it_belongs_or_what_there_is(text: str, message: str) -> None:
    assert said(text) == [message]


def test_a_key_under_a_wrong_name_is_not_missing_too_but_another_is() -> None:
    class Two(Form):
        width: Width
        height: Width

    document = parse("{widht: 1}\n", "f")
    assert {str(problem) for problem in validate(Two, document.data, document.positions)[1]} == {
        "f:1:1: error U011 `height` is missing.",
        "f:1:2: error U010 `widht` is not a known key. Did you mean `width`?",
    }


def test_where_data_keep_it_from_being_a_model() -> None:
    data = {"size": {"width": 0}, "parts": {"a": {"width": 1}, "b": {}}, "els": 1, "way": {"kind": "far", "miles": "x"}}
    assert set(faulty_places(Whole, data)) == {("size", "width"), ("parts", "b"), ("els",), ("way", "miles")}
    assert faulty_places(Whole, {"size": {"width": 1}}) == []


def test_what_is_known_at_a_place() -> None:
    assert known_keys(Whole, ()) == ["size", "parts", "way", "else"]
    assert known_keys(Whole, ("size",)) == ["width"]
    assert known_keys(Whole, ("way",)) == ["kind", "steps", "miles"]
    assert known_keys(Whole, ("way", "far")) == ["kind", "miles"]
    assert models_at(Whole, ("parts", "any key")) == [Size]
    found = field_at(Whole, ("parts", "any key", "width"))
    assert found is not None
    assert found.description == "how wide."
    assert field_at(Whole, ("zzz",)) is None
