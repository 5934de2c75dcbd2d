"""Where a skip connection meets the way up: concatenation or addition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from archspec.ops.base import Flag, Misfit, Op, Port, feature_map
from archspec.shapes import FeatureMap, Shape

_MERGE = (Port("x", FeatureMap), Port("skip", FeatureMap, "skip"))


def _size_misfits(inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
    x, skip = feature_map(inputs), feature_map(inputs, "skip")
    if x.size != skip.size:
        message = f"maps of {x.size}x{x.size} and {skip.size}x{skip.size} pixels cannot be joined."
        yield Misfit("U203", message, "Join maps of one level.", about="size", doubts="size")


class Concat(Op):
    """The skip's channels after the running map's."""

    op: Literal["concat"] = "concat"

    PORTS: ClassVar[tuple[Port, ...]] = _MERGE

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """The size of ``x``, the channels of both."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        return FeatureMap(x.channels + skip.channels, x.size)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Sizes must agree."""
        yield from _size_misfits(inputs)


class Add(Op):
    """The sum of the running map and the skip, the skip through a 1×1 convolution where its channels differ.

    Weight name of that convolution: ``proj``.
    """

    op: Literal["add"] = "add"
    project: Flag = Field(
        default=False, description="bring the skip to the channels of x by a 1×1 convolution if they differ"
    )

    PORTS: ClassVar[tuple[Port, ...]] = _MERGE

    def projects(self, inputs: Mapping[str, Shape]) -> bool:
        """Whether there is a projection for these inputs."""
        return self.project and feature_map(inputs).channels != feature_map(inputs, "skip").channels

    def shape(self, inputs: Mapping[str, Shape]) -> Shape:
        """As ``x``."""
        return inputs["x"]

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Sizes must agree, and channels too without a projection."""
        yield from _size_misfits(inputs)
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
        """The projection, if there is one."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        return (skip.channels + 1) * x.channels if self.projects(inputs) else 0

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """The projection, if there is one."""
        x, skip = feature_map(inputs), feature_map(inputs, "skip")
        return x.size**2 * skip.channels * x.channels if self.projects(inputs) else 0

    def commutative(self, inputs: Mapping[str, Shape]) -> bool:
        """Without a projection a sum does not care which is which."""
        return not self.projects(inputs)

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """`project` only where it has an effect."""
        return {"op": self.op, "project": self.projects(inputs)}
