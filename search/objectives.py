"""The quantities that a study can minimise or bound, and budgets as people write them."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator

Metric = Literal[
    "loss", "loss_edm", "fd", "kd", "latency", "train_latency", "memory", "train_memory", "parameters", "macs"
]

METRICS: tuple[Metric, ...] = get_args(Metric)
#: Known only where samples are drawn, `protocol.evaluate.samples`.
OF_SAMPLES: tuple[Metric, ...] = ("fd", "kd")
#: Known from the graph alone, before anything is trained.
KNOWN_BEFOREHAND: tuple[Metric, ...] = ("parameters", "macs")

_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_MEMORY = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_COUNT = {"k": 1e3, "M": 1e6, "G": 1e9}
#: The units in which a budget of each metric can be written; a number without one is in s, bytes or a plain count.
UNITS: dict[Metric, dict[str, float]] = {
    "loss": {}, "loss_edm": {}, "fd": {}, "kd": {},
    "latency": _TIME, "train_latency": _TIME, "memory": _MEMORY, "train_memory": _MEMORY,
    "parameters": _COUNT, "macs": _COUNT,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*(?P<number>[0-9.eE+-]+)\s*(?P<unit>[A-Za-z]*)\s*$")


def quantity(metric: Metric, value: object) -> float:
    """A budget from a number, or from text with a unit: ``20 ms``, ``64 MiB``, ``1.5M``; ValueError if it is none."""
    match = _QUANTITY.match(str(value))
    units = UNITS[metric]
    try:
        number = float(match["number"]) * {"": 1.0, **units}[match["unit"]] if match else math.nan
    except (KeyError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        known = f", or one with a unit out of {', '.join(units)}" if units else ""
        raise ValueError(f"{metric}: `{value}` is no budget; write a number above 0{known}")
    return number


def budgets(value: object) -> object:
    """Every budget of a mapping as a number; what is no mapping is left to be refused as one."""
    if not isinstance(value, dict):
        return value
    return {name: quantity(name, given) if name in UNITS else given for name, given in value.items()}


_Written = dict[Metric, float | str]
Budgets = Annotated[dict[Metric, float], BeforeValidator(budgets, json_schema_input_type=_Written)]


def shortened(number: float) -> str:
    """A count with up to four digits: 75.38 M, 701.3 k, 512."""
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= factor:
            return f"{number / factor:.4g} {unit}"
    return f"{number:g}"


def violations(metrics: dict[str, float], budgets: dict[Metric, float]) -> dict[str, float]:
    """``used / budget - 1`` for every budgeted metric that is known: positive where the budget is broken."""
    return {name: metrics[name] / budget - 1.0 for name, budget in budgets.items() if name in metrics}
