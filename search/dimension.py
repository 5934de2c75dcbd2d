"""One thing that varies, as a study file says it: its values, what they are put into, and when it matters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from archspec.edits.edit import ConnectEdit, Edit, Removal
from archspec.edits.select import Selector
from archspec.ops.table import OpData

Scalar = str | int | float | bool | None
Value = Scalar | tuple[Scalar, ...]

#: field -> how it is written; a dimension has exactly one of them
KINDS = {
    "choice": "choice", "integer": "int", "real": "float", "subset": "subset", "edits": "edits",
    "operations": "operations", "present": "present", "edge": "edge",
}  # fmt: skip
#: Where a value can go instead of a parameter of the short form; a dimension has at most one of them.
TARGETS = ("nodes", "repeat", "rewire")
#: Kinds that say themselves what they change.
_ALONE = ("edits", "present", "edge")


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


class Rewire(BaseModel):
    """A port whose source varies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Selector = Field(description="nodes that get another source")
    port: str | None = Field(None, description="input port; default the first")


class Dimension(BaseModel):
    """One thing that varies: its values, and what they are put into.

    The values are one of `choice`, `int`, `float`, `subset`, `edits`, `operations`, `present`, `edge`. They go into the
    parameter of the short form that the dimension is named after; or with `nodes` into a parameter of those nodes'
    operations, with `repeat` into how often nodes stand in a row, with `rewire` into the source of a port.
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
    operations: dict[str, OpData | None] | None = Field(
        None, min_length=1, description="label -> operation put in the place of `nodes`; null leaves them as they are"
    )
    present: Removal | None = Field(None, description="these nodes are there (true) or removed (false)")
    edge: ConnectEdit | None = Field(None, description="this edge is there (true) or not (false)")
    step: Annotated[int, Strict(), Field(ge=1)] | None = Field(None, description="of int")
    log: Annotated[bool, Strict()] = Field(default=False, description="search int or float on a logarithmic scale")
    per_level: Annotated[bool, Strict()] | str = Field(
        default=False,
        description="one value for each level, as a list (ch_mult): true, for the levels of the base; or the name of "
        "the dimension that says how many there are",
    )
    nodes: Selector | None = Field(None, description="put the value into these nodes")
    parameter: str | None = Field(
        None, description="the parameter, where it is not named like the dimension; dots lead into options (attn.heads)"
    )
    repeat: Selector | None = Field(None, description="the value is how often each of these nodes stands in a row")
    rewire: Rewire | None = Field(None, description="the value is the node that this port takes its input from")
    when: dict[str, Scalar | list[Scalar]] | None = Field(
        None, min_length=1, description="dimension -> value or values of it at which this one matters"
    )

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in KINDS if kind in self.model_fields_set and getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"a dimension has exactly one of {', '.join(KINDS.values())}")
        if self.step is not None and self.integer is None:
            raise ValueError("step goes with int")
        if self.log and self.integer is None and self.real is None:
            raise ValueError("log goes with int or float")
        self._check_target()
        self._check_range()
        self._check_values()
        return self

    def _check_target(self) -> None:
        targets = [target for target in TARGETS if getattr(self, target) is not None]
        if self.kind in _ALONE and (targets or self.parameter is not None or self.per_level):
            raise ValueError(f"{self.kind} stand{'' if self.kind == 'edits' else 's'} alone: " + _ALONE_WHY[self.kind])
        if len(targets) > 1:
            raise ValueError(f"a value goes into one of {' and '.join(targets)}")
        if self.kind == "operations" and (targets != ["nodes"] or self.parameter is not None):
            raise ValueError("operations go with nodes, and with no parameter")
        if self.per_level and (self.subset is not None or targets):
            raise ValueError("per_level goes with choice, int or float, into a parameter of the short form")
        if self.repeat is not None and self.integer is None:
            raise ValueError("repeat goes with int")
        if self.repeat is not None and self.integer is not None and self.integer[0] < 1:
            raise ValueError("nodes stand at least once in a row; `present` takes them out")
        if self.rewire is not None and self.choice is None:
            raise ValueError("rewire goes with choice, of node ids")

    def _check_range(self) -> None:
        pair = self.integer or self.real
        if pair is None:
            return
        low, high = pair
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"the range [{low}, {high}] has no end; write [low, high]")
        if low >= high:
            raise ValueError(f"the range [{low}, {high}] is empty; write [low, high]")
        if self.log and low <= 0:
            raise ValueError("a logarithmic range starts above 0")
        if self.log and self.step not in (None, 1):
            raise ValueError("log and step do not go together")

    def _check_values(self) -> None:
        values = [label_of(value) for value in self.choice or self.subset or ()]
        if self.per_level and any(isinstance(value, list) for value in self.choice or ()):
            raise ValueError("per_level makes a list of single values; a choice of lists stands without it")
        if any(isinstance(value, float) and math.isnan(value) for value in values):
            raise ValueError("nan is no value")
        twice = [one for at, one in enumerate(values) if any(same(one, other) for other in values[:at])]
        if twice:
            raise ValueError(f"{twice[0]} stands twice")

    @property
    def kind(self) -> str:
        """The field that its values stand in."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def target(self) -> str:
        """What its values go into: the name of a kind or of a target, or ``form``, a parameter of the short form."""
        if self.kind in (*_ALONE, "operations"):
            return self.kind
        return next((target for target in TARGETS if getattr(self, target) is not None), "form")

    def primitive(self) -> Primitive:
        """How one value of it is chosen."""
        if self.integer is not None:
            return Integer(*self.integer, step=self.step or 1, log=self.log)
        if self.real is not None:
            return Real(*self.real, log=self.log)
        if self.present is not None or self.edge is not None:
            return Categorical((False, True))
        labels = self.edits or self.operations
        if labels is not None:
            return Categorical(tuple(labels))
        # A value that is a list is chosen by its text, so that every store can hold the choice.
        return Categorical(tuple(label_of(value) for value in self.choice or ()))

    def value_of(self, chosen: Scalar) -> Value:
        """The value that a choice of `primitive` stands for."""
        if self.choice is None:
            return chosen
        return next(_frozen(value) for value in self.choice if same(label_of(value), chosen))

    def choices_like(self, value: object) -> list[Scalar]:
        """The choice of `primitive` that stands for this value, as the file writes it; empty if it cannot be."""
        if self.choice is not None:
            wanted = tuple(value) if isinstance(value, list) else value
            return [label_of(known) for known in self.choice if same(_frozen(known), wanted)][:1]
        if value is not None and not isinstance(value, str | int | float):
            return []
        primitive = self.primitive()
        if not contains(primitive, value):
            return []
        return [int(value)] if isinstance(primitive, Integer) and value is not None else [value]


_ALONE_WHY = {
    "edits": "they say themselves what they change",
    "present": "it says itself what it changes",
    "edge": "it says itself what it changes",
}


def label_of(value: Scalar | list[Scalar]) -> Scalar:
    """How a store writes a value: a list by its text."""
    return ",".join(map(str, value)) if isinstance(value, list) else value


def _frozen(value: Scalar | list[Scalar]) -> Value:
    return tuple(value) if isinstance(value, list) else value


def same(one: object, other: object) -> bool:
    """Equality in which true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def contains(primitive: Primitive, value: Scalar) -> bool:
    """Whether a plain choice can take this value."""
    if isinstance(primitive, Categorical):
        return any(same(value, choice) for choice in primitive.choices)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(primitive, Integer):
        return (
            float(value).is_integer()
            and primitive.low <= value <= primitive.high
            and not ((int(value) - primitive.low) % primitive.step)
        )
    return primitive.low <= value <= primitive.high


def count(primitive: Primitive) -> float:
    """How many values a plain choice has; infinite for a real number."""
    match primitive:
        case Categorical(choices):
            return float(len(choices))
        case Integer(low, high, step):
            return float((high - low) // step + 1)
        case Real():
            return float("inf")
