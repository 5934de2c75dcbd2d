"""The quantities that a study can optimise or bound, and objectives and budgets as people write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, PlainSerializer

from archspec.text.suggest import did_you_mean

Direction = Literal["minimize", "maximize"]
#: A latency's ratio is to the fixed reference network, timed beside it: a drifting machine does not disturb it.
Metric = Literal[
    "loss", "loss_edm", "fd", "kd", "latency", "train_latency", "latency_ratio", "train_latency_ratio",
    "memory", "train_memory", "parameters", "macs",
]  # fmt: skip

METRICS: tuple[Metric, ...] = get_args(Metric)
#: Known only where samples are drawn, `protocol.evaluate.samples`.
OF_SAMPLES: tuple[Metric, ...] = ("fd", "kd")
#: Known from the graph alone, before anything is trained.
KNOWN_BEFOREHAND: tuple[Metric, ...] = ("parameters", "macs")
#: Compared by the ratio to the reference network, where it was timed beside it; their budgets are in seconds.
TIMED: tuple[Metric, ...] = ("latency", "train_latency")

_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_MEMORY = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_COUNT = {"k": 1e3, "M": 1e6, "G": 1e9}
#: The units in which a budget of each metric can be written; a number without one is in s, bytes or a plain count.
UNITS: dict[Metric, dict[str, float]] = {
    "loss": {}, "loss_edm": {}, "fd": {}, "kd": {},
    "latency": _TIME, "train_latency": _TIME, "latency_ratio": {}, "train_latency_ratio": {},
    "memory": _MEMORY, "train_memory": _MEMORY,
    "parameters": _COUNT, "macs": _COUNT,
}  # fmt: skip
_QUANTITY = re.compile(r"^\s*(?P<number>[0-9.eE+-]+)\s*(?P<unit>[A-Za-z]*)\s*$")


#: Bytes and counts, of which there is no part.
_WHOLE: frozenset[Metric] = frozenset({"memory", "train_memory", "parameters", "macs"})


def quantity(metric: Metric, value: object) -> float:
    """A budget from a number, or from text with a unit: ``20 ms``, ``64 MiB``, ``1.5M``; ValueError if it is none."""
    match = _QUANTITY.match(str(value))
    units = UNITS[metric]
    try:
        number = float(match["number"]) * {"": 1.0, **units}[match["unit"]] if match else math.nan
    except (KeyError, ValueError):
        number = math.nan
    if str(value).strip().endswith("%") or (metric in _WHOLE and 0 < number < 1):
        raise ValueError(f"{metric}: `{value}` is no budget; a share of the base's is written `0.5 * base`")
    if not (math.isfinite(number) and number > 0):
        known = f", or one with a unit out of {', '.join(units)}" if units else ""
        raise ValueError(f"{metric}: `{value}` is no budget; write a number above 0{known}")
    return number


_AGAINST_BASE = re.compile(r"^\s*(?:(?P<factor>[0-9.eE+-]+)\s*\*\s*)?base\s*$")
_SENTENCE = re.compile(r"^\s*(?P<metric>\w+)\s*<=\s*(?P<limit>.+?)\s*$")


def limit(metric: Metric, value: object) -> float | str:
    """A budget as it is kept: a number, or for one relative to the base the text ``0.9 * base``.

    Raises:
        ValueError: it is neither.
    """
    text = str(value).strip().removeprefix("<=")
    match = _AGAINST_BASE.match(text)
    if match is None and "*" in text:
        raise ValueError(f"{metric}: `{value}` is no budget; one relative to the base is written `0.9 * base`")
    if match is None:
        return quantity(metric, value if isinstance(value, int | float) else text)
    factor = _number(match["factor"] or "1")
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"{metric}: `{value}` is no budget; write a factor above 0, such as `0.9 * base`")
    return f"{factor:g} * base"


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def budgets(value: object) -> object:
    """Every budget of a mapping, or of a list of sentences; what is neither is left to be refused.

    Raises:
        ValueError: with everything that is wrong, not only the first of it.
    """
    faults: list[str] = []
    if isinstance(value, list | tuple):
        value = _from_sentences(list(value), faults)
    if not isinstance(value, dict):
        return value
    found: dict[object, object] = {}
    for name, given in value.items():
        try:
            found[name] = limit(name, given) if name in UNITS else given
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ValueError("; ".join([*faults, *_unknown(found)]))
    return found


def _unknown(names: Iterable[object]) -> list[str]:
    """What is wrong with names that pydantic would refuse, were there nothing else."""
    return [f"there is no metric `{name}`{_near(name)}" for name in names if name not in UNITS]


def _near(name: object) -> str:
    hint = did_you_mean(str(name), UNITS)
    return f" ({hint.rstrip('.')})" if hint else ""


def _from_sentences(sentences: list[object], faults: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for sentence in sentences:
        match = _SENTENCE.match(str(sentence))
        if match is None:
            faults.append(f"`{sentence}` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`")
        elif match["metric"] in found:
            faults.append(f"{match['metric']} has two budgets")
        else:
            found[match["metric"]] = match["limit"]
    return found


def is_relative(given: float | str) -> bool:
    """Whether a budget is relative to the base."""
    return isinstance(given, str)


def absolute(given: Mapping[Metric, float | str], base: Mapping[str, float]) -> Limits:
    """The budgets as numbers; a relative one is left out as long as the base's value is not known.

    Args:
        given: metric -> number, or ``0.9 * base``.
        base: the metrics of the base that are known.
    """
    found: Limits = {}
    for name, value in given.items():
        if not isinstance(value, str):
            found[name] = value
        elif name in base:
            found[name] = float(value.removesuffix(" * base")) * base[name]
    return found


Limits = dict[Metric, float]
Goals = Mapping[Metric, Direction]
_Written = dict[Metric, float | str] | list[str]
Budgets = Annotated[dict[Metric, float | str], BeforeValidator(budgets, json_schema_input_type=_Written)]


def _directed(value: object) -> object:
    """A plain list is minimised."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        return value
    if len(set(value)) < len(value):
        raise ValueError("an objective stands twice")
    return dict.fromkeys(value, "minimize")


def _undirected(value: dict[str, Direction]) -> list[str] | dict[str, Direction]:
    """As people write it: a list where all are minimised."""
    return list(value) if all(direction == "minimize" for direction in value.values()) else dict(value)


Objectives = Annotated[
    dict[Metric, Direction],
    BeforeValidator(_directed, json_schema_input_type=list[Metric] | dict[Metric, Direction]),
    PlainSerializer(_undirected),
]


def signs(objectives: Mapping[Metric, Direction]) -> list[float]:
    """1 for what is minimised, -1 for what is maximised: times its sign, less is better."""
    return [1.0 if direction == "minimize" else -1.0 for direction in objectives.values()]


def shortened(number: float) -> str:
    """A count with up to four digits: 75.38 M, 701.3 k, 512."""
    rounded = float(f"{number:.4g}") if number >= 1000 else 0.0
    for factor, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= factor:
            return f"{rounded / factor:.4g} {unit}"
    return f"{number:g}"


def predicted_name(metric: Metric) -> str:
    """What the prediction of a metric is called in a record: ``predicted_memory``."""
    return f"predicted_{metric}"


def violations(metrics: Mapping[str, float], budgets: Limits) -> dict[str, float]:
    """``used / budget - 1`` for every budgeted metric that is known: positive where the budget is broken.

    A metric that was not measured counts by its prediction, if there is one.
    """
    used = {name: metrics.get(name, metrics.get(predicted_name(name))) for name in budgets}
    return {name: value / budgets[name] - 1.0 for name, value in used.items() if value is not None}
