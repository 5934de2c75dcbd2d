"""What every short form has, whatever its family."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Protocol


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

    def model_dump(self, *, exclude_unset: bool = False) -> dict[str, Any]:
        """The parameters as plain data."""
