"""Self-attention inside windows of pixels (Liu et al. 2021)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archspec.ops.attention import head_misfits, split_heads
from archspec.ops.base import (
    HARMLESS,
    Count,
    Epsilon,
    Flag,
    Groups,
    KeepsShape,
    Misfit,
    Width,
    divisors,
    feature_map,
    listed,
)
from archspec.ops.norms import NormType, norm_as_it_acts, norm_misfits, norm_parameters
from archspec.ops.shapes import Shape


class WindowAttention(KeepsShape):
    """Softmax self-attention inside windows of pixels (Liu et al. 2021).

    As `attention` of type vanilla, with norm and residual, but each position sees those of its own window alone. With
    `shift` the windows are moved right and down by so many pixels, and parts that meet only by wrapping around the
    border do not see each other. With `relative_position` each head adds to its scores a learned number for each of the
    (2·window − 1)² offsets between two positions. Weight names: ``norm qkv proj_out``, and the table
    ``relative_position [(2·window − 1)², heads]``.
    """

    op: Literal["window_attention"] = "window_attention"
    window: Width = Field(8, description="height and width of a window in pixels; must divide the size")
    shift: Annotated[int, Field(strict=True, ge=0, le=65_536)] = Field(
        0, description="by how many pixels the windows are moved; less than window"
    )
    heads: Count | None = Field(None, description="number of heads; default 1, or channels / head_dim")
    head_dim: Width | None = Field(None, description="channels per head; default channels / heads")
    groups: Groups = Field(32, description="groups of the norm; auto: min(32, channels / 4)")
    eps: Epsilon = Field(1e-6, description="added to the variance in the norm")
    norm_type: NormType = Field("group", description="kind of the norm, as the type of the operation norm")
    relative_position: Annotated[Flag, HARMLESS] = Field(
        default=False, description="add a learned bias for the offset between two positions to the scores of each head"
    )

    LATER: ClassVar[frozenset[str]] = frozenset({"norm_type", "relative_position"})

    @model_validator(mode="after")
    def _shifts_within_a_window(self) -> Self:
        if self.shift >= self.window:
            where = {"at": "shift", "window": self.window}
            raise PydanticCustomError("U012", "must be less than the window, {window}", where)
        return self

    def split(self, channels: int) -> tuple[int, int]:
        """(heads, channels per head) for an input of `channels`."""
        return split_heads(self.heads, self.head_dim, channels)

    def misfits(self, inputs: Mapping[str, Shape]) -> Iterator[Misfit]:
        """Windows divide the size, heads and groups the channels."""
        x = feature_map(inputs)
        if x.size % self.window:
            message = f"a map of {x.size}x{x.size} pixels does not split into windows of {self.window}."
            hint = f"Windows that divide {x.size}: {listed(divisors(x.size))}."
            yield Misfit("U210", message, hint, "window", about="size")
        yield from head_misfits(self.heads, self.head_dim, x.channels)
        yield from norm_misfits(self.norm_type, x.channels, self.groups)

    def normed(self, inputs: Mapping[str, Shape]) -> tuple[int, ...]:
        """The width of its input, where a group norm comes before it."""
        return (feature_map(inputs).channels,) if self.norm_type == "group" else ()

    def parameters(self, inputs: Mapping[str, Shape]) -> int:
        """Projections with bias, the norm, and the table of relative positions."""
        channels = feature_map(inputs).channels
        heads, head_dim = self.split(channels)
        inner = heads * head_dim
        table = (2 * self.window - 1) ** 2 * heads if self.relative_position else 0
        norm = norm_parameters(self.norm_type, channels)
        return (channels + 1) * 3 * inner + (inner + 1) * channels + norm + table

    def macs(self, inputs: Mapping[str, Shape]) -> int:
        """Projections, and two products that are quadratic in the positions of a window."""
        x = feature_map(inputs)
        heads, head_dim = self.split(x.channels)
        inner = heads * head_dim
        return x.size**2 * (4 * x.channels * inner + 2 * self.window**2 * inner)

    def canonical(self, inputs: Mapping[str, Shape]) -> dict[str, Any]:
        """Heads and their width spelled out."""
        channels = feature_map(inputs).channels
        heads, head_dim = self.split(channels)
        norm = norm_as_it_acts(self.norm_type, self.groups, self.eps, channels)
        return {**super().canonical(inputs), "heads": heads, "head_dim": head_dim, **norm}
