"""Where a skip connection meets the way up: concatenation or addition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.base import HARMLESS, Flag, KeepsShape, Misfit, Number, Op, Port, feature_map
from archspec.ops.shapes import FeatureMap, Shape

MERGE = (Port("x", FeatureMap), Port("skip", FeatureMap, "skip"))

#: A factor of one input of a join.
Scale = Annotated[Number, Field(ge=-100.0, le=100.0), HARMLESS]


def refuse_constant_zero(scale: float, *, learned: bool, at: str) -> None:
    """A factor that stays 0 cuts the connection, which is to be said as such."""
    if scale == 0.0 and not learned:
        hint = f"Disconnect it instead, or let it be learned from 0 (learn_{at}: true)."
        raise PydanticCustomError("U012", "must not be 0, which cuts the connection", {"at": at, "hint": hint})


def size_misfits(inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
    """The rule of joins: maps of one size."""
    x, skip = feature_map(inputs), feature_map(inputs, "skip")
    if x.size != skip.size:
        message = f"maps of {x.size}x{x.size} and {skip.size}x{skip.size} pixels cannot be joined."
        yield Misfit("U203", message, "Join maps of one level.", about="size", doubts="size")


class Joined(Op):
    """What has the channels of x, then those of the skip."""

    PORTS: ClassVar[tuple[Port, ...]] = MERGE

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The size of ``x``, the channels of both."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        return FeatureMap(x.channels + skip.channels, x.size)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Sizes must agree."""
        yield from size_misfits(inputs)


class Concat(Joined):
    """The skip's channels, times a factor that may be learned, after the running map's.

    Weight name of a learned factor: ``skip_scale.weight``.
    """

    op: Literal["concat"] = "concat"
    skip_scale: Scale = Field(1.0, description="factor of the skip, such as 1/sqrt(2)")
    learn_skip_scale: Annotated[Flag, HARMLESS] = Field(
        default=False, description="whether that factor is a trained number, which starts there"
    )

    LATER: ClassVar[frozenset[str]] = frozenset({"skip_scale", "learn_skip_scale"})

    @model_validator(mode="after")
    def _connects(self) -> Self:
        refuse_constant_zero(self.skip_scale, learned=self.learn_skip_scale, at="skip_scale")
        return self

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """The factor, if it is learned."""
        del inputs
        return int(self.learn_skip_scale)


class Add(KeepsShape):
    """The sum of the running map and the skip, the skip through a 1×1 convolution where its channels differ.

    Each of the two may be multiplied by a factor, a constant one or a learned one. Weight names: ``proj`` of the
    convolution, ``x_scale.weight`` and ``skip_scale.weight`` of learned factors.
    """

    op: Literal["add"] = "add"
    project: Flag = Field(
        default=False, description="bring the skip to the channels of x by a 1×1 convolution if they differ"
    )
    x_scale: Scale = Field(1.0, description="factor of x, such as 1/sqrt(2)")
    skip_scale: Scale = Field(1.0, description="factor of the skip, after its convolution if there is one")
    learn_x_scale: Annotated[Flag, HARMLESS] = Field(
        default=False, description="whether the factor of x is a trained number, which starts at x_scale"
    )
    learn_skip_scale: Annotated[Flag, HARMLESS] = Field(
        default=False, description="whether the factor of the skip is a trained number, which starts at skip_scale"
    )

    PORTS: ClassVar[tuple[Port, ...]] = MERGE
    LATER: ClassVar[frozenset[str]] = frozenset({"x_scale", "skip_scale", "learn_x_scale", "learn_skip_scale"})
    LABELLED: ClassVar[frozenset[str]] = LATER

    @model_validator(mode="after")
    def _connects(self) -> Self:
        refuse_constant_zero(self.x_scale, learned=self.learn_x_scale, at="x_scale")
        refuse_constant_zero(self.skip_scale, learned=self.learn_skip_scale, at="skip_scale")
        return self

    def projects(self, inputs: Mapping[str, Shape]) -> bool:
        """Whether there is a projection for these inputs."""
        return self.project and feature_map(inputs).channels != feature_map(inputs, "skip").channels

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Sizes must agree, and channels too without a projection."""
        yield from size_misfits(inputs)
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        if x.channels != skip.channels and not self.project:
            yield Misfit(
                "U202",
                f"{x.channels} and {skip.channels} channels cannot be added.",
                "Set project: true to bring the skip to the channels of x, or use concat.",
                field="project",
                about="channels",
            )

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """The projection, if there is one, and the factors that are learned."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        projection = (skip.channels + 1) * x.channels if self.projects(inputs) else 0
        return projection + self.learn_x_scale + self.learn_skip_scale

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The projection, if there is one."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        return x.size**2 * skip.channels * x.channels if self.projects(inputs) else 0

    def commutative(self, inputs: Mapping[str, Shape]) -> bool:
        """Without a projection, and with the same factor on both, a sum does not care which is which."""
        x, skip = (self._factor(port) for port in ("x", "skip"))
        return x == skip and not self.projects(inputs)

    def _factor(self, port: str) -> str:
        """The factor at a port in a word, empty where there is none."""
        scale, learned = getattr(self, f"{port}_scale"), getattr(self, f"learn_{port}_scale")
        return "" if scale == 1.0 and not learned else f"{scale!r}{' learned' if learned else ''}"

    def labels(self, inputs: Mapping[str, Shape]) -> dict[str, str]:
        """The factor of each, and which it is where it matters: where one of them is projected."""
        return {port: f"{port if self.projects(inputs) else ''} {self._factor(port)}".strip() for port in inputs}

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """`project` only where it has an effect."""
        return {**self.written(), "project": self.projects(inputs)}
