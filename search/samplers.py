"""Samplers by name with their options, and which one is taken where none is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: The choice is made by the number of objectives and dimensions, and by the budget.
AUTO = "auto"
#: Our own, see `search.surrogate`; all others are classes in optuna.samplers.
KNOWN_COST = "KnownCostSampler"
TPE = "TPESampler"

#: Beyond so many trainings a Gaussian process costs more than it gains; beyond so many dimensions it knows too little.
MOST_TRIALS, MOST_DIMENSIONS = 200, 40

#: option of `KNOWN_COST` -> its default; `startup` none means by the number of dimensions
KNOWN_COST_OPTIONS: dict[str, int | None] = {"startup": None, "candidates": 256, "grow": 48}


@dataclass(frozen=True)
class Chosen:
    """A sampler to be used.

    Attributes:
        name: `KNOWN_COST`, or a class in optuna.samplers.
        options: every option that is not at Optuna's default.
        why: one sentence for people.
    """

    name: str
    options: dict[str, Any]
    why: str


def choose(name: str, options: dict[str, Any], objectives: int, dimensions: int, trials: int) -> Chosen:
    """The sampler of a study, with defaults that suit small conditional spaces and few trainings.

    Args:
        name: as in the study file, or `AUTO`.
        options: as in the study file; they go over the defaults.
        objectives: how many there are.
        dimensions: number of plain choices.
        trials: budget of trainings.
    """
    size = f"{objectives} objective{'s' if objectives > 1 else ''}, {dimensions} dimensions, {trials} trainings"
    small = trials <= MOST_TRIALS and dimensions <= MOST_DIMENSIONS
    if name == AUTO:
        name = KNOWN_COST if small else TPE
        how = f"for {size}"
    else:
        how = "as the study says"
    made = {**_DEFAULTS.get(name, _none)(dimensions, trials), **options}
    shown = ", ".join(f"{key}={value}" for key, value in made.items())
    return Chosen(name, made, f"Sampler: {name}{f' ({shown})' if shown else ''}, {how}.")


def _none(_: int, __: int) -> dict[str, Any]:
    return {}


def _tpe(dimensions: int, trials: int) -> dict[str, Any]:
    """Parameters jointly, in groups that occur together; random points first, at most half of the budget."""
    startup = max(4, min(max(10, dimensions), trials // 2))
    return {"multivariate": True, "group": True, "constant_liar": True, "n_startup_trials": startup}


def _known_cost(dimensions: int, trials: int) -> dict[str, Any]:
    startup = max(3, min(dimensions // 2 + 2, 10, trials // 3))
    return {**KNOWN_COST_OPTIONS, "startup": startup}


_DEFAULTS = {TPE: _tpe, KNOWN_COST: _known_cost}


def own_option_fault(options: dict[str, Any]) -> tuple[str, str, list[str]] | None:
    """(option, what is wrong, known options) of `KNOWN_COST`; None if nothing is."""
    for key, value in options.items():
        if key not in KNOWN_COST_OPTIONS:
            return key, f"{KNOWN_COST} has no option `{key}`", list(KNOWN_COST_OPTIONS)
        if type(value) is not int or not 1 <= value <= 100_000:
            return key, f"{KNOWN_COST}'s {key} is a whole number above 0, not {value}", list(KNOWN_COST_OPTIONS)
    return None
