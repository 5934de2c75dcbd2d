"""What every part of a study file shares: a frozen, closed model and the kinds of numbers in it. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field
from pydantic_core import PydanticCustomError

from archspec.text.fields import Form
from archspec.text.wording import shown


def _path(value: Any) -> Any:
    if isinstance(value, str | Path):
        return value
    raise PydanticCustomError("path_type", "must be a path, not {given}", {"given": shown(value)})


Count = Annotated[int, Field(strict=True, ge=1)]
Natural = Annotated[int, Field(strict=True, ge=0)]
Share = Annotated[float, Field(strict=True, gt=0, lt=1)]
Positive = Annotated[float, Field(strict=True, gt=0)]
Place = Annotated[Path, BeforeValidator(_path, json_schema_input_type=Path)]
#: Tells a number from a word, or from a list, so that a wrong value is told what it could have been alone.
OR_A_WORD = Discriminator(lambda value: "<word>" if isinstance(value, str) and value.isalpha() else "<number>")
OR_A_LIST = Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<number>")


def only_key(value: Any, keys: Iterable[str]) -> str | None:
    """The one of these keys that a mapping (or a model) has, and so what it is; None if there is not exactly one."""
    held = set(value) if isinstance(value, dict) else set(getattr(type(value), "model_fields", ()))
    found = [key for key in keys if key in held]
    return found[0] if len(found) == 1 else None


class Section(Form):
    """A part of a study file: frozen, closed to unknown keys, finite numbers only."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=False)
