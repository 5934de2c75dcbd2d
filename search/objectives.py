"""The quantities that a study can minimise or bound, and budgets as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field

Metric = Literal["loss", "latency", "train_latency", "memory", "train_memory", "parameters", "macs"]

METRICS: tuple[Metric, ...] = get_args(Metric)
#: Known from the graph alone, before anything is trained.
KNOWN_BEFOREHAND: tuple[Metric, ...] = ("parameters", "macs")

_UNITS: dict[str, float] = {
    "": 1, "k": 1e3, "M": 1e6, "G": 1e9,
    "ms": 1e-3, "us": 1e-6, "s": 1,
    "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 1e3, "MB": 1e6, "GB": 1e9,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*(?P<number>[0-9.eE+-]+)\s*(?P<unit>[A-Za-z]*)\s*$")


def quantity(value: object) -> object:
    """A number from text with a unit: ``20 ms``, ``64 MiB``, ``1.5M``; other values as they come.

    Seconds for times, bytes for memory, plain counts for parameters and MACs.
    """
    if not isinstance(value, str):
        return value
    match = _QUANTITY.match(value)
    if match is None or match["unit"] not in _UNITS:
        units = ", ".join(unit for unit in _UNITS if unit)
        raise ValueError(f"`{value}` is not a quantity; write a number, or one with a unit out of {units}")
    return float(match["number"]) * _UNITS[match["unit"]]


Budget = Annotated[
    float, BeforeValidator(quantity, json_schema_input_type=float | str), Field(gt=0, allow_inf_nan=False)
]


def violations(metrics: dict[str, float], budgets: dict[Metric, float]) -> dict[str, float]:
    """``used / budget - 1`` for every budgeted metric that is known: positive where the budget is broken."""
    return {name: metrics[name] / budget - 1.0 for name, budget in budgets.items() if name in metrics}
