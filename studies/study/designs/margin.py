"""How small a difference is as good as none: stated beforehand, absolute or as a share of the base's mean."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from studies.sections.protocol import Section

_SHARE = re.compile(r"^\s*(?P<number>[0-9]+(\.[0-9]+)?)\s*%\s*$")


class Margin(Section):
    """A difference in the metric's unit, or a share of the base's mean."""

    value: Annotated[float, Field(gt=0)] = Field(description="in the metric's unit, or the share (0.02 for 2 %)")
    relative: bool = Field(default=False, description="whether it is a share of the base's mean")

    def absolute(self, base_mean: float) -> float:
        """The margin in the metric's unit."""
        return self.value * abs(base_mean) if self.relative else self.value


def _margin(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    if isinstance(value, str):
        share = _SHARE.match(value)
        if share is None:
            raise ValueError(f"`{value}` is no margin; write a number in the metric's unit, or a share such as 2%")
        return {"value": float(share["number"]) / 100, "relative": True}
    return {"value": float(value)}


AnyMargin = Annotated[Margin, BeforeValidator(_margin, json_schema_input_type=float | str)]


class Until(Section):
    """Seeds one after another until every variant is decided."""

    effect: AnyMargin = Field(
        description="stop a variant when its loss is told from the base's, or known to be within this of it"
    )
    max_seeds: Annotated[int, Field(strict=True, ge=5, le=1000)] = Field(
        20, description="stop at so many seeds in any case"
    )
