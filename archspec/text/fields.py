"""The kinds of values that parameters have, and the base of everything that is written in a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    Strict,
    Tag,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError


@dataclass(frozen=True)
class Harmless:
    """Marks a parameter that no rule looks at.

    Where its value is wrong, checking goes on with the default (or with `instead`, if it has none), so that the other
    problems of the file are found in the same pass.
    """

    instead: Any = None


HARMLESS = Harmless()


#: Begins the comment that stands for a definition in a JSON Schema that is not complete yet.
MARK = "ushape: "


@dataclass(frozen=True)
class Defined:
    """Marks plain data that a JSON Schema describes by a definition of this name; `archspec.schema` adds it."""

    name: str

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        del core_schema, handler
        return {"$comment": f"{MARK}{self.name}"}


def _positive_zero(value: float) -> float:
    return value + 0.0  # -0.0 is 0.0, in the fingerprint too


def _whole(value: object) -> object:
    if type(value) is not int:  # True == 1 and 3.0 == 3, so a Literal alone would let them in
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


def _printable(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise PydanticCustomError("U012", "must be one line of printable text")
    return value


def _usable_taps(value: tuple[float, ...]) -> tuple[float, ...]:
    if len(value) % 2:
        raise PydanticCustomError("U012", "must have an even number of taps")
    if sum(value) < 1e-6:
        raise PydanticCustomError("U012", "must have a positive sum")
    return value


#: Bounds that no real network reaches and that keep absurd numbers out of every later computation.
Width = Annotated[int, Strict(), Field(ge=1, le=65_536)]
Count = Annotated[int, Strict(), Field(ge=1, le=4_096)]
Flag = Annotated[bool, Strict()]
Number = Annotated[float, Strict(), AfterValidator(_positive_zero)]
Rate = Annotated[Number, Field(ge=0.0, lt=1.0), HARMLESS]
Epsilon = Annotated[Number, Field(gt=0.0, le=1.0), HARMLESS]
#: Coefficients of a separable FIR filter that halves or doubles the size of a map.
Taps = Annotated[
    tuple[Annotated[Number, Field(ge=-1000.0, le=1000.0)], ...],
    Field(min_length=2, max_length=16),
    AfterValidator(_usable_taps),
]
#: Groups of a group norm: a number, or the rule min(32, channels / 4) of Song et al. 2021.
Groups = Annotated[
    Annotated[Count, Tag("<count>")] | Annotated[Literal["auto"], Tag("<rule>")],
    Discriminator(lambda value: "<rule>" if isinstance(value, str) and value.isalpha() else "<count>"),
]
Title = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_printable), Harmless("unnamed")]
#: Put before a Literal of whole numbers.
WHOLE = BeforeValidator(_whole)


class Form(BaseModel):
    """Something that is written in a file: frozen, and closed against unknown keys."""

    #: Validators are built when they are first used: a command needs few of all that can be written.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    #: what other code bases call a key -> what to say to someone who writes that
    OTHER_NAMES: ClassVar[dict[str, str]] = {}
