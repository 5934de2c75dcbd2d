"""What may vary: typed dimensions, and the plain choices that a proposer fills in. Knows neither optuna nor torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator

from archspec.edit import Edit
from archspec.select import Selector
from archspec.template import UNet

Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]

KINDS = {"choice": "choice", "integer": "int", "real": "float", "subset": "subset", "edits": "edits"}


@dataclass(frozen=True)
class Categorical:
    """One of some labels or numbers."""

    choices: tuple[Scalar, ...]


@dataclass(frozen=True)
class Integer:
    """A whole number in a range, both ends included."""

    low: int
    high: int
    step: int = 1
    log: bool = False


@dataclass(frozen=True)
class Real:
    """A number in a range, both ends included."""

    low: float
    high: float
    log: bool = False


Primitive = Categorical | Integer | Real


class Dimension(BaseModel):
    """One thing that varies: its values, and what they are put into.

    The values are one of `choice`, `int`, `float`, `subset`, `edits`. They go into the parameter of the short form that
    the dimension is named after, or with `nodes` into a parameter of those nodes' operations.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    choice: tuple[Scalar | list[Scalar], ...] | None = Field(None, min_length=1, description="one of these values")
    integer: tuple[Annotated[int, Strict()], Annotated[int, Strict()]] | None = Field(
        None, alias="int", description="[low, high]: a whole number, both included"
    )
    real: tuple[float, float] | None = Field(None, alias="float", description="[low, high]: a number, both included")
    subset: tuple[Scalar, ...] | None = Field(None, min_length=1, description="any of these values, each in or out")
    edits: dict[str, tuple[Edit, ...]] | None = Field(
        None, min_length=1, description="label -> edits: one of these lists of edits, an empty list for none"
    )
    step: Annotated[int, Strict(), Field(ge=1)] | None = Field(None, description="of int")
    log: Annotated[bool, Strict()] = Field(default=False, description="search int or float on a logarithmic scale")
    per_level: Annotated[bool, Strict()] = Field(
        default=False, description="one value for each level of the base, as a list (ch_mult)"
    )
    nodes: Selector | None = Field(None, description="put the value into these nodes")
    parameter: str | None = Field(None, description="the nodes' parameter; default the dimension's name")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a dimension has exactly one of {', '.join(KINDS.values())}")
        if self.step is not None and self.integer is None:
            raise ValueError("step goes with int")
        if self.log and self.integer is None and self.real is None:
            raise ValueError("log goes with int or float")
        if (self.nodes is not None or self.per_level) and self.edits is not None:
            raise ValueError("edits stand alone: they say themselves what they change")
        if self.per_level and self.subset is not None:
            raise ValueError("per_level goes with choice, int or float")
        self._check_range()
        return self

    def _check_range(self) -> None:
        pair = self.integer or self.real
        if pair is None:
            return
        low, high = pair
        if low >= high:
            raise ValueError(f"the range [{low}, {high}] is empty; write [low, high]")
        if self.log and low <= 0:
            raise ValueError("a logarithmic range starts above 0")
        if self.log and self.step not in (None, 1):
            raise ValueError("log and step do not go together")

    def primitive(self) -> Primitive:
        """How one value of it is chosen."""
        if self.integer is not None:
            return Integer(*self.integer, step=self.step or 1, log=self.log)
        if self.real is not None:
            return Real(*self.real, log=self.log)
        if self.edits is not None:
            return Categorical(tuple(self.edits))
        # A value that is a list is chosen by its text, so that every store can hold the choice.
        return Categorical(tuple(_label(value) for value in self.choice or ()))

    def value_of(self, chosen: Scalar) -> Value:
        """The value that a choice of `primitive` stands for."""
        if self.choice is None:
            return chosen
        return next(_frozen(value) for value in self.choice if _label(value) == chosen)


def _label(value: Scalar | list[Scalar]) -> Scalar:
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _frozen(value: Scalar | list[Scalar]) -> Value:
    return tuple(value) if isinstance(value, list) else value


def _spelled_out(value: Any) -> Any:
    """A plain list is a choice."""
    return {"choice": value} if isinstance(value, list) else value


Space = dict[
    str,
    Annotated[Dimension, BeforeValidator(_spelled_out, json_schema_input_type=list[Scalar | list[Scalar]] | Dimension)],
]


def primitives(space: Space, levels: int) -> dict[str, Primitive]:
    """Name -> plain choice, one for each value to be filled in; `levels` is the number of levels of the base."""
    return dict(_primitives(space, levels))


def _primitives(space: Space, levels: int) -> Iterator[tuple[str, Primitive]]:
    for name, dimension in space.items():
        if dimension.subset is not None:
            for member in dimension.subset:
                yield f"{name}[{member}]", Categorical((False, True))
        elif dimension.per_level:
            for level in range(levels):
                yield f"{name}[{level}]", dimension.primitive()
        else:
            yield name, dimension.primitive()


def point(space: Space, chosen: dict[str, Scalar], levels: int) -> dict[str, Value]:
    """Dimension -> value, from what was filled in for `primitives`."""
    values: dict[str, Value] = {}
    for name, dimension in space.items():
        if dimension.subset is not None:
            values[name] = tuple(member for member in dimension.subset if chosen[f"{name}[{member}]"])
        elif dimension.per_level:
            values[name] = tuple(_scalar(dimension.value_of(chosen[f"{name}[{i}]"])) for i in range(levels))
        else:
            values[name] = dimension.value_of(chosen[name])
    return values


def fill_in(name: str, dimension: Dimension, value: Any, levels: int) -> dict[str, Scalar] | None:
    """What to fill in for `primitives` so that the dimension has this value; None if it cannot have it."""
    if dimension.subset is not None:
        members = list(value) if isinstance(value, list | tuple) else []
        fits = set(members) <= set(dimension.subset)
        return {f"{name}[{member}]": member in members for member in dimension.subset} if fits else None
    if dimension.per_level:
        values = list(value) if isinstance(value, list | tuple) else []
        return {f"{name}[{level}]": item for level, item in enumerate(values)} if len(values) == levels else None
    label = _label(list(value) if isinstance(value, tuple) else value)
    return {name: label} if value is not None else None


def _scalar(value: Value) -> Scalar:
    assert not isinstance(value, tuple)
    return value


def contains(primitive: Primitive, value: Scalar) -> bool:
    """Whether a plain choice can take this value."""
    if isinstance(primitive, Categorical):
        return value in primitive.choices
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(primitive, Integer):
        return (
            value == int(value)
            and primitive.low <= value <= primitive.high
            and not ((int(value) - primitive.low) % primitive.step)
        )
    return primitive.low <= value <= primitive.high


def size(space: Space, levels: int) -> float:
    """Number of points, infinite if a real number varies."""
    total = 1.0
    for primitive in primitives(space, levels).values():
        match primitive:
            case Categorical(choices):
                total *= len(choices)
            case Integer(low, high, step):
                total *= (high - low) // step + 1
            case Real():
                return float("inf")
    return total


def faults(space: Space, unet: UNet | None) -> Iterator[tuple[tuple[str, ...], str, str | None]]:
    """What is wrong with a space for a base: (path below the space, message, hint)."""
    from archspec.suggest import did_you_mean

    for name, dimension in space.items():
        targets_unet = dimension.nodes is None and dimension.edits is None
        if targets_unet and unet is None:
            yield (name,), f"`{name}` is a parameter of `unet:`, but the base is a graph.", "Vary nodes: or edits:."
        elif targets_unet and name not in UNet.model_fields:
            hint = did_you_mean(name, UNet.model_fields)
            hint = hint or "With nodes: a dimension varies a parameter of nodes, with edits: anything."
            yield (name,), f"`{name}` is no parameter of `unet:`.", hint
        if dimension.per_level and unet is None:
            yield (name, "per_level"), "per_level needs a base with `unet:`.", None
