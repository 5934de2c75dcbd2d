"""The one file that joins search spaces to Optuna: plain choices in, proposals out, results back."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.trial import Trial, TrialState

from search.space import Categorical, Integer, Primitive, Real, Scalar, contains

#: The sampler where none is named; see `default_options`.
DEFAULT_SAMPLER = "TPESampler"
_NEEDS_MORE = {"GridSampler", "PartialFixedSampler", "BruteForceSampler", "BaseSampler", "BaseGASampler"}


#: Packages that a sampler needs beside Optuna's own requirements.
_PACKAGES = {"CmaEsSampler": "cmaes"}


def missing_package(name: str) -> str | None:
    """The package to install before a sampler can be used; None if it can be."""
    package = _PACKAGES.get(name)
    return package if package is not None and find_spec(package) is None else None


def sampler_names() -> list[str]:
    """Optuna's samplers that a study file can name."""
    return [name for name in dir(optuna.samplers) if name.endswith("Sampler") and name not in _NEEDS_MORE]


def default_options(name: str, num_primitives: int, trials: int) -> dict[str, Any]:
    """Options that suit small conditional spaces with few trials; what the study file says goes over them.

    TPE treats parameters jointly, in groups that occur together, and starts with random points, at most half of the
    budget.
    """
    if name != DEFAULT_SAMPLER:
        return {}
    startup = max(4, min(max(10, num_primitives), trials // 2))
    return {"multivariate": True, "group": True, "constant_liar": True, "n_startup_trials": startup}


def option_fault(name: str, options: dict[str, Any]) -> tuple[str, list[str]] | None:
    """(unknown option, known options) if `options` has one that the sampler does not take."""
    signature = inspect.signature(getattr(optuna.samplers, name))
    known = [key for key in signature.parameters if key not in ("seed", "constraints_func")]
    return next(((key, known) for key in options if key not in known), None)


def make_sampler(name: str, options: dict[str, Any], seed: int) -> BaseSampler:
    """A sampler of Optuna's by its name; raises TypeError or ValueError for options that do not fit."""
    cls = getattr(optuna.samplers, name)
    seeded = {"seed": seed} if "seed" in inspect.signature(cls).parameters else {}
    with quiet():
        sampler: BaseSampler = cls(**options, **seeded)
    return sampler


def rehearse(sampler: BaseSampler, primitives: dict[str, Primitive], objectives: int) -> None:
    """Let a sampler propose twice in a study in memory: raises what Optuna finds wrong with options or objectives."""
    with quiet():
        study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
    for _ in range(2):
        trial, _ = ask(study, primitives)
        tell(trial, [0.0] * objectives, {"rules": 0.0})


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's log lines and without the warnings that call multivariate TPE experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            # Said once, beforehand, by `ignores_constraints`.
            warnings.filterwarnings("ignore", message="Constraints have been set, but", category=UserWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def distribution(primitive: Primitive) -> BaseDistribution:
    """The Optuna distribution of a plain choice."""
    match primitive:
        case Categorical(choices):
            return CategoricalDistribution(choices)
        case Integer(low, high, step, log):
            # Optuna wants the range to end on a step.
            return IntDistribution(low, low + (high - low) // step * step, log=log, step=step)
        case Real(low, high, log):
            return FloatDistribution(low, high, log=log)


def ask(study: optuna.Study, primitives: dict[str, Primitive]) -> tuple[Trial, dict[str, Scalar]]:
    """A new trial with a value for each plain choice."""
    with quiet():
        trial = study.ask({name: distribution(primitive) for name, primitive in primitives.items()})
    return trial, {name: trial.params[name] for name in primitives}


def enqueue(study: optuna.Study, chosen: dict[str, Scalar], primitives: dict[str, Primitive]) -> bool:
    """Let a point be proposed next; says False, and does nothing, if it is not a point of the space.

    Optuna takes what is enqueued unseen, so it is held against the space here.
    """
    for name, primitive in primitives.items():
        if name not in chosen or not contains(primitive, chosen[name]):
            return False
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    if not any(trial.system_attrs.get("fixed_params") == chosen for trial in waiting):
        with quiet():
            study.enqueue_trial(dict(chosen))
    return True


def tell_failed(trial: Trial) -> None:
    """Close a trial that teaches nothing."""
    with quiet():
        trial.study.tell(trial, state=TrialState.FAIL)


def tell(trial: Trial, values: Sequence[float | None], constraints: dict[str, float]) -> None:
    """Close a trial. Every constraint is set before it is told, so that what is missing never counts as feasible.

    A value that is not known (the point was refused, or its training failed) is told as infinite; a positive
    constraint keeps it from counting as a result while it still teaches the sampler.
    """
    with quiet():
        known = trial.constraints  # a run that was stopped between the two steps below has set them already
        for name, excess in constraints.items():
            if name not in known:
                trial.set_constraint(name, excess)
        told = [math.inf if value is None or not math.isfinite(value) else value for value in values]
        trial.study.tell(trial, told)
