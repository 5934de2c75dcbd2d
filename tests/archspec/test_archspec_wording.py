"""What is wrong with a value, as a sentence: what must be, what is there, and what to write instead."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from archspec.text.fields import WHOLE, Count, Epsilon, Flag, Form, Groups, Number, Rate, Taps, Title, Width
from archspec.text.parse import parse
from archspec.text.validate import validate
from archspec.text.wording import a_or_an, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-1.5, "-1.5"),
        ("", "''"),
        ("a b", "'a b'"),
        ("it's", '"it\'s"'),
        ("ä\n", "'ä\\n'"),
        ([], "an empty list"),
        ((), "an empty list"),
        ([0], "a list"),
        ({}, "a mapping"),
        ({"a": 1}, "a mapping"),
        (10**20 - 1, "99999999999999999999"),
        (10**20, "a number of more than 20 digits"),
        (-(10**20), "a number of more than 20 digits"),
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 56}..."),
    ],
)
def test_a_value_is_shown_as_in_the_file_and_cut_after_sixty_letters(value: Any, text: str) -> None:
    assert shown(value) == text
    assert len(shown(value)) <= 60


@pytest.mark.parametrize(
    ("word", "text"), [("conv", "a conv"), ("act", "an act"), ("mlp", "an mlp"), ("upsample", "an upsample")]
)
def test_the_article_is_that_of_the_word_as_it_is_said(word: str, text: str) -> None:
    assert a_or_an(word) == text


def said(kind: Any, text: str) -> str:
    """What is said about this value of a field of this kind; nothing if it is right."""
    model = create_model("Model", __base__=Form, value=(kind, ...))
    document = parse(f"value: {text}\n", "f")
    found, problems = validate(model, document.data, document.positions)
    assert found is not None or problems
    return "; ".join(str(problem).removeprefix("f:1:1: error U012 `value` ") for problem in problems)


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Width, "1", ""),
        (Width, "65536", ""),
        (Width, "65537", "must be at most 65536, not 65537."),
        (Width, "0", "must be at least 1, not 0."),
        (Width, "8.0", "must be a whole number, not 8.0."),
        (Width, "true", "must be a whole number, not true."),
        (Width, "'8'", "must be a whole number, not '8'. Write it without quotes."),
        (Width, "eight", "must be a whole number, not 'eight'."),
        (Width, "[8]", "must be a whole number, not a list."),
        (Count, "4097", "must be at most 4096, not 4097."),
        (Number, "1", ""),
        (Number, "'1e-3'", "must be a number, not '1e-3'. Write it without quotes."),
        (Number, "1e-3x", "must be a number, not '1e-3x'."),
        (Number, "no", "must be a number, not 'no'."),
        (Number, "null", "must be a number, not null."),
        (Rate, "0", ""),
        (Rate, "1", "must be less than 1, not 1."),
        (Rate, "-0.5", "must be at least 0, not -0.5."),
        (Epsilon, "0", "must be more than 0, not 0."),
        (Epsilon, "1", ""),
        (Epsilon, "1.5", "must be at most 1, not 1.5."),
        (Annotated[int, Field(multiple_of=8)], "12", "must be a multiple of 8, not 12."),
        (Flag, "yes", "must be true or false, not 'yes'. Write true."),
        (Flag, "'ON'", "must be true or false, not 'ON'. Write true."),
        (Flag, "n", "must be true or false, not 'n'. Write false."),
        (Flag, "off", "must be true or false, not 'off'. Write false."),
        (Flag, "'true'", "must be true or false, not 'true'."),
        (Flag, "1", "must be true or false, not 1."),
        (str, "3", 'must be text, not 3. Put it in quotes: "3".'),
        (str, "2.50", 'must be text, not 2.5. Put it in quotes: "2.5".'),
        (str, "false", 'must be text, not false. Put it in quotes: "false".'),
        (str, "null", "must be text, not null."),
        (str, "[a]", "must be text, not a list."),
        (Title, "''", "must not be empty."),
        (Title, "' '", "must be one line of printable text."),
        (Title, '"a\\tb"', "must be one line of printable text."),
        (Title, "x" * 120, ""),
        (Title, "x" * 121, "must have at most 120 letters, not 121."),
        (Annotated[str, Field(min_length=2)], "a", "must have at least 2 letters, not 1."),
        (Annotated[str, Field(pattern="^[a-z]+$")], "a/b", "cannot be 'a/b'."),
    ],
)
def test_numbers_words_and_text(kind: Any, text: str, message: str) -> None:
    assert said(kind, text) == message


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Literal["silu", "relu", "gelu"], "relu", ""),
        (Literal["silu", "relu", "gelu"], "gellu", "cannot be 'gellu'. Did you mean `gelu`?"),
        (Literal["silu", "relu", "gelu"], "tanh", "cannot be 'tanh'. Choices: silu, relu, gelu."),
        (Literal["silu", "relu", "gelu"], "1", "cannot be 1. Choices: silu, relu, gelu."),
        (Annotated[Literal[1, 3, 5], WHOLE], "4", "cannot be 4. Choices: 1, 3, 5."),
        (Annotated[Literal[1, 3, 5], WHOLE], "3.0", "must be a whole number, not 3.0."),
        (Annotated[Literal[1], WHOLE], "2", "must be 1, not 2. Write 1."),
        (Annotated[Literal[1], WHOLE], "true", "must be a whole number, not true."),
        (Literal["only"], "onyl", "must be only, not 'onyl'. Write only."),
        (Groups, "auto", ""),
        (Groups, "8", ""),
        (Groups, "atuo", "must be auto, not 'atuo'. Write auto."),
        (Groups, "'8'", "must be a whole number, not '8'. Write it without quotes."),
        (Groups, "0", "must be at least 1, not 0."),
    ],
)
def test_words_of_a_choice(kind: Any, text: str, message: str) -> None:
    assert said(kind, text) == message


Widths = tuple[Width, ...]


class Inner(Form):
    size: Width = 1
    depth: Width = 1


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Widths, "8", "must be a list, not 8. Write [8]."),
        (Widths, "true", "must be a list, not true."),
        (Widths, "1, 2", "must be a list, not '1, 2'. Write [1, 2]."),
        (Widths, "1,2 ,  3", "must be a list, not '1,2 ,  3'. Write [1, 2, 3]."),
        (Widths, "'1,,2'", "must be a list, not '1,,2'."),
        (Widths, "''", "must be a list, not ''."),
        (Widths, "{size: 3}", "must be a list, not a mapping. Write `- ` before it, for a list of one: `- size: …`."),
        (Widths, "{size: 3, depth: 1}", "must be a list, not a mapping."),
        (Widths, "{}", "must be a list, not a mapping."),
        (Annotated[Widths, Field(min_length=1)], "[]", "must not be empty."),
        (Annotated[Widths, Field(min_length=2)], "[3]", "must have at least 2 values, not 1."),
        (Annotated[Widths, Field(max_length=2)], "[3, 3, 3]", "must have at most 2 values, not 3."),
        (dict[str, int], "[a]", "must be a mapping of keys to values, not a list."),
        (Inner, "size 3", "must be a mapping of keys to values, not 'size 3'. Write `size: 3`."),
        (Inner, "two or more", "must be a mapping of keys to values, not 'two or more'. Write `two: or more`."),
        (Inner, "size", "must be a mapping of keys to values, not 'size'. Its keys: size, depth."),
        (Inner, "3", "must be a mapping of keys to values, not 3. Its keys: size, depth."),
        (Inner, "null", "must be a mapping of keys to values, not null. Its keys: size, depth."),
        (Taps, "[1, 3, 3, 1]", ""),
        (Taps, "[1, 2, 1]", "must have an even number of taps."),
        (Taps, "[1, -1]", "must have a positive sum."),
        (Taps, "[1]", "must have at least 2 values, not 1."),
    ],
)  # fmt: skip
def test_lists_and_mappings(kind: Any, text: str, message: str) -> None:
    assert said(kind, text) == message


def test_a_value_of_two_kinds_is_told_what_it_is_nearest_to() -> None:
    both = Width | Widths
    assert said(both, "x") == "must be a whole number, not 'x'."
    assert said(both, "'1, 2'").split("; ")[-1] == "must be a list, not '1, 2'. Write [1, 2]."


def test_a_zero_with_a_sign_is_zero() -> None:
    model = create_model("Model", __base__=Form, value=(Number, ...))
    value = model.model_validate({"value": -0.0}).value  # type: ignore[attr-defined]  # made above
    assert str(value) == "0.0"


class Pair(Form):
    """Two numbers that are checked together."""

    low: Number = 0.0
    high: Number = 1.0
    note: Annotated[str, Field(description="what it is.")]

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        if self.low > self.high:
            raise PydanticCustomError("U012", "must not be above high", {"at": "low", "hint": "Exchange them."})
        return self


def test_a_check_of_several_values_blames_the_one_that_it_names() -> None:
    text = "pair:\n  note: n\n  high: 1\n  low: 2\n"
    model = create_model("Model", __base__=Form, pair=(Pair, ...))
    document = parse(text, "f")
    _, problems = validate(model, document.data, document.positions)
    assert [str(problem) for problem in problems] == [
        "f:4:3: error U012 `pair.low` must not be above high. Exchange them."
    ]
    document = parse("pair: {low: 2}\n", "f")
    _, problems = validate(model, document.data, document.positions)
    assert [str(problem) for problem in problems] == [
        "f:1:1: error U011 `pair.note` is missing. That is: what it is.",
    ]
