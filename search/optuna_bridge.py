"""The one file that joins search spaces to Optuna: plain choices in, proposals out, results back."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState

from search.space import Categorical, Choose, Integer, Primitive, Real, Scalar

#: Fills in a point, asking for one plain choice after another; see `search.space.fill`.
Fill = Callable[[Choose], dict[str, Scalar]]
_NEEDS_MORE = {"GridSampler", "PartialFixedSampler", "BruteForceSampler", "BaseSampler", "BaseGASampler"}

#: Samplers of ours that have Optuna's interface: name in a study file -> class. CONTRIBUTING.md adds one.
OWN: dict[str, type[BaseSampler]] = {}

#: Packages that a sampler needs beside Optuna's own requirements.
_PACKAGES = {"CmaEsSampler": "cmaes"}


def missing_package(name: str) -> str | None:
    """The package to install before a sampler can be used; None if it can be."""
    package = _PACKAGES.get(name)
    return package if package is not None and find_spec(package) is None else None


def sampler_names() -> list[str]:
    """The samplers that a study file can name: Optuna's, and those of `OWN`."""
    theirs = [name for name in dir(optuna.samplers) if name.endswith("Sampler") and name not in _NEEDS_MORE]
    return [*theirs, *OWN]


def _sampler_class(name: str) -> type[BaseSampler]:
    found: type[BaseSampler] = OWN.get(name) or getattr(optuna.samplers, name)
    return found


def pruner_names() -> list[str]:
    """Optuna's pruners that a study file can name."""
    without = {"BasePruner", "NopPruner", "PatientPruner", "WilcoxonPruner"}
    return [name for name in dir(optuna.pruners) if name.endswith("Pruner") and name not in without]


def make_pruner(name: str, options: dict[str, Any]) -> optuna.pruners.BasePruner:
    """A pruner of Optuna's by its name; raises TypeError or ValueError for options that do not fit."""
    with quiet():
        pruner: optuna.pruners.BasePruner = getattr(optuna.pruners, name)(**options)
    return pruner


def is_worth_going_on(trial: Trial, value: float, step: int) -> bool:
    """What the study's pruner says to a value after so many steps; for a single objective."""
    with quiet():
        trial.report(value, step)
        return not trial.should_prune()


def option_fault(name: str, options: dict[str, Any]) -> tuple[str, list[str]] | None:
    """(unknown option, known options) if `options` has one that the sampler does not take."""
    signature = inspect.signature(_sampler_class(name))
    known = [key for key in signature.parameters if key not in ("seed", "constraints_func")]
    return next(((key, known) for key in options if key not in known), None)


def make_sampler(name: str, options: dict[str, Any], seed: int) -> BaseSampler:
    """A sampler by its name; raises TypeError or ValueError for options that do not fit."""
    cls = _sampler_class(name)
    seeded = {"seed": seed} if "seed" in inspect.signature(cls).parameters else {}
    with quiet():
        sampler: BaseSampler = cls(**options, **seeded)
    return sampler


def rehearse(sampler: BaseSampler, primitives: dict[str, Primitive], objectives: int) -> None:
    """Let a sampler propose twice in a study in memory: raises what Optuna finds wrong with options or objectives."""
    with quiet():
        study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
    for _ in range(2):
        trial, _ = ask(study, flat(primitives))
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


def ask(study: optuna.Study, fill: Fill) -> tuple[Trial, dict[str, Scalar]]:
    """A new trial, and its value for each plain choice that is reached."""
    with quiet():
        trial = study.ask()

        def choose(name: str, primitive: Primitive) -> Scalar:
            value: Scalar = _suggested(trial, name, distribution(primitive))
            return value

        return trial, fill(choose)


def begin(study: optuna.Study, chosen: Mapping[str, Scalar], fill: Fill) -> tuple[Trial, dict[str, Scalar]]:
    """A new trial of a point that is chosen already, written in one step; returns as `ask` does.

    The caller makes sure that it is a point of the space.
    """
    among: dict[str, BaseDistribution] = {}

    def choose(name: str, primitive: Primitive) -> Scalar:
        among[name] = distribution(primitive)
        return chosen[name]

    reached = fill(choose)
    made = optuna.trial.create_trial(state=TrialState.RUNNING, params=dict(reached), distributions=among)
    with quiet():
        # Past `add_trial`, which does the same and does not say which trial it is.
        number = study._storage.create_new_trial(study._study_id, template_trial=made)  # noqa: SLF001
        return Trial(study, number), reached


def _suggested(trial: Trial, name: str, among: BaseDistribution) -> Any:
    match among:
        case CategoricalDistribution():
            return trial.suggest_categorical(name, among.choices)
        case IntDistribution():
            return trial.suggest_int(name, among.low, among.high, step=among.step, log=among.log)
        case FloatDistribution():
            return trial.suggest_float(name, among.low, among.high, log=among.log)
        case _:
            raise TypeError(f"no suggestion out of {among}")


def flat(primitives: dict[str, Primitive]) -> Fill:
    """Asks for every plain choice, where none depends on another."""
    return lambda choose: {name: choose(name, primitive) for name, primitive in primitives.items()}


def enqueue(study: optuna.Study, chosen: dict[str, Scalar]) -> None:
    """Let a point be proposed next, unless it waits already.

    Optuna takes what is enqueued unseen, so the caller makes sure that it is a point of the space.
    """
    if chosen not in waiting(study):
        with quiet():
            study.enqueue_trial(dict(chosen))


def waiting(study: optuna.Study) -> list[dict[str, Scalar]]:
    """The points that were enqueued and not proposed yet."""
    found = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return [dict(trial.system_attrs.get("fixed_params", {})) for trial in found]


def tell_pruned(trial: Trial, constraints: dict[str, float]) -> None:
    """Close a trial that was not worth going on with."""
    with quiet():
        known = trial.constraints
        for name, excess in constraints.items():
            if name not in known:
                trial.set_constraint(name, excess)
        trial.study.tell(trial, state=TrialState.PRUNED)


def tell_failed(trial: Trial) -> None:
    """Close a trial that teaches nothing."""
    with quiet():
        trial.study.tell(trial, state=TrialState.FAIL)


def tell(trial: Trial, values: Sequence[float | None], constraints: dict[str, float]) -> None:
    """Close a trial. Every constraint is set before it is told, so that what is missing never counts as feasible.

    A value that is not known (the point was refused, or its training failed) is told as infinitely bad; a positive
    constraint keeps it from counting as a result while it still teaches the sampler.
    """
    with quiet():
        known = trial.constraints  # a run that was stopped between the two steps below has set them already
        for name, excess in constraints.items():
            if name not in known:
                trial.set_constraint(name, excess)
        worst = [math.inf if way is StudyDirection.MINIMIZE else -math.inf for way in trial.study.directions]
        told = [
            bad if value is None or not math.isfinite(value) else value
            for value, bad in zip(values, worst, strict=True)
        ]
        trial.study.tell(trial, told)
