"""What every short form has, whatever its family: a width and a size for each level."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol

#: The widest that a level can be; no real network comes near.
MAX_WIDTH = 65_536


class ShortForm(Protocol):
    """A network by its parameters: a width for each level, and a resolution."""

    @property
    def ch(self) -> int:
        """Base channel count."""

    @property
    def ch_mult(self) -> tuple[float, ...]:
        """Width of each level as a multiple of `ch`."""

    @property
    def resolution(self) -> int:
        """Height and width of the input in pixels."""

    @property
    def model_fields_set(self) -> set[str]:
        """The parameters that were said."""

    def exact_widths(self) -> Iterator[Fraction]:
        """`ch` times each multiplier."""

    def widths(self) -> list[int]:
        """Channels of each level."""

    def resolutions(self) -> list[int]:
        """Size of each level in pixels."""

    def model_dump(self, *, exclude_unset: bool = False) -> dict[str, Any]:
        """The parameters as plain data."""


class Levels:
    """Widths and sizes of the levels, by `ch`, `ch_mult` and `resolution`."""

    def exact_widths(self: ShortForm) -> Iterator[Fraction]:
        """`ch` times each multiplier, the multiplier taken as the decimal that was written."""
        for mult in self.ch_mult:
            yield self.ch * Fraction(repr(mult))

    def widths(self: ShortForm) -> list[int]:
        """Channels of each level; what is no whole number or too large is brought near (and refused by rule U207)."""
        return [min(max(round(width), 1), MAX_WIDTH) for width in self.exact_widths()]

    def resolutions(self: ShortForm) -> list[int]:
        """Size of each level in pixels."""
        return [max(self.resolution // 2**level, 1) for level in range(len(self.ch_mult))]
