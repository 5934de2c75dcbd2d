"""What every part of a study file shares: a frozen, closed model and the kinds of numbers in it. Imports no torch."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from archspec.text.fields import Form

Count = Annotated[int, Field(strict=True, ge=1)]
Natural = Annotated[int, Field(strict=True, ge=0)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Positive = Annotated[float, Field(strict=True, gt=0)]


class Section(Form):
    """A part of a study file: frozen, closed to unknown keys, finite numbers only."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=False)
