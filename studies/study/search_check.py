"""What is wrong with a study's search: its space, its sampler, its budgets, the points to begin with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archspec import Checked, Problem
from archspec.text.positions import Positions
from archspec.text.suggest import did_you_mean
from search import optuna_bridge as bridge
from search import samplers
from search.check import Fault, space_faults
from search.screening import LEARNED
from search.space import Space
from search.start import base_point, chosen_of
from studies.study.budgets import needs_the_base
from studies.study.document import Search
from studies.study.elsewhere import of_the_protocol
from studies.study.reuse import missing
from studies.study.salvage import Lost, is_lost
from studies.study.starting import with_base

if TYPE_CHECKING:
    from studies.study.study import Study


def search_problems(
    study: Study, search: Search, positions: Positions, read: tuple[Checked, Lost]
) -> Iterator[Problem]:
    """Every problem of a search (U403).

    Args:
        study: what could be read of it.
        search: its search.
        positions: where things stand in the study file.
        read: what checking the base found, and what of the study could not be read.
    """
    base, lost = read
    whole = base.graph is not None and not any(is_lost(lost, key) for key in ("ablation", "search", "measure"))
    space = [(("space", *where), message, hint) for where, message, hint in _space_faults(study, search, base)]
    faults = [fault for fault in space if not _may_follow(fault, lost)]
    faults += [(("sampler", *where), message, hint) for where, message, hint in _sampler_faults(study, search)]
    if not is_lost(lost, "protocol", "train"):
        faults += _pruning_faults(study, search)
    lack = "Name a study file or the folder of a study that was run, relative to this file."
    faults += [(("reuse", str(at)), f"nothing can be taken over: {why}", lack) for at, why in missing(study, search)]
    if whole and not space:
        faults += [*_start_faults(study, search), *_budget_faults(study, search)]
    for where, message, hint in faults:
        yield positions.problem("U403", message, hint, path=("search", *where))


def _may_follow(fault: Fault, lost: Lost) -> bool:
    """Whether a dimension is missed only because it could not be read."""
    return is_lost(lost, "search", "space") and bool({"when", "per_level"} & set(fault[0][2:]))


def _space_faults(study: Study, search: Search, base: Checked) -> list[Fault]:
    if base.spec is None:
        return []
    return space_faults(study.spec, search.space, study.levels, of_the_protocol(), sound=base.graph is not None)


def _sampler_faults(study: Study, search: Search) -> Iterator[Fault]:
    name, options = search.sampler.name, search.sampler.options
    known = bridge.sampler_names()
    own = (samplers.AUTO, samplers.KNOWN_COST)
    if name in own:
        fault = samplers.own_option_fault(options) if name == samplers.KNOWN_COST else None
        if name == samplers.AUTO and options:
            yield (
                ("options",),
                "options belong to a sampler, and none is named.",
                f"Samplers: {', '.join([*own[1:], *known])}.",
            )
        if fault is not None:
            option, message, options_known = fault
            meant = None if option in options_known else did_you_mean(option, options_known)
            yield ("options", option), f"{message}.", meant or f"Its options: {', '.join(options_known)}."
        return
    if name not in known:
        hint = did_you_mean(name, [*own, *known]) or f"Samplers: {', '.join([*own, *known])}."
        yield (), f"there is no sampler `{name}`.", hint
        return
    yield from _optuna_faults(study, name, options, len(search.objectives))


def _optuna_faults(study: Study, name: str, options: dict[str, Any], objectives: int) -> Iterator[Fault]:
    package = bridge.missing_package(name)
    if package is not None:
        yield (), f"{name} needs the package {package}.", f"Run `pip install {package}`."
        return
    unknown = bridge.option_fault(name, options)
    if unknown is not None:
        option, known = unknown
        hint = did_you_mean(option, known) or f"Its options: {', '.join(known)}."
        yield ("options", option), f"{name} has no option `{option}`.", hint
        return
    try:
        bridge.rehearse(bridge.make_sampler(name, options, 0), study.primitives(), objectives)
    except (TypeError, ValueError, AttributeError, RuntimeError) as error:
        yield ("options",), f"{name} cannot be used so: {str(error).rstrip('.')}.", None


def _pruning_faults(study: Study, search: Search) -> Iterator[Fault]:
    pruning, steps = search.pruning, study.protocol.train.steps
    if pruning is None:
        return
    if pruning.rungs[-1] >= steps:
        hint = "Rungs are steps before the last; take it out, or train longer."
        yield ("pruning", "rungs"), f"the rung {pruning.rungs[-1]} is not before the end, after {steps} steps.", hint
    if pruning.pruner is None:
        return
    if len(search.objectives) > 1:
        hint = "Leave `pruner` out: successive halving takes any number of objectives."
        yield ("pruning", "pruner"), "Optuna's pruners know a single objective only.", hint
    elif pruning.pruner not in bridge.pruner_names():
        hint = did_you_mean(pruning.pruner, bridge.pruner_names()) or f"Pruners: {', '.join(bridge.pruner_names())}."
        yield ("pruning", "pruner"), f"there is no pruner `{pruning.pruner}`.", hint
    else:
        yield from _option_faults(pruning.pruner, pruning.options)


def _option_faults(pruner: str, options: dict[str, Any]) -> Iterator[Fault]:
    try:
        bridge.make_pruner(pruner, options)
    except (TypeError, ValueError) as error:
        yield ("pruning", "options"), f"{pruner} cannot be used so: {str(error).rstrip('.')}.", None


def _start_faults(study: Study, search: Search) -> Iterator[Fault]:
    for index, values in enumerate(search.start):
        unknown = [name for name in values if name not in search.space]
        if unknown:
            hint = did_you_mean(unknown[0], search.space) or f"The dimensions: {', '.join(search.space)}."
            yield ("start", str(index)), f"`{unknown[0]}` is no dimension of the space.", hint
        elif chosen_of(search.space, with_base(study, search, values), study.levels) is None:
            missing = [name for name in search.space if name not in with_base(study, search, values)]
            hint = f"Give a value of {', '.join(missing)}." if missing else "Give values that the dimensions can have."
            yield ("start", str(index)), f"the point {values} is not in the space.", hint


def _budget_faults(study: Study, search: Search) -> Iterator[Fault]:
    if search.screen_latency and not LEARNED & search.budgets.keys():
        hint = "Add a budget such as `latency <= 0.9 * base`, or take screen_latency out."
        yield ("screen_latency",), "there is no budget on a latency to screen by.", hint
    if search.screen_latency and not study.file.measure.latency:
        hint = "Set measure.latency to true, or take screen_latency out."
        yield ("screen_latency",), "latencies are predicted from those that trials measure, and none is measured.", hint
    relative = needs_the_base(study)
    trained = study.file.ablation is not None
    if relative and not trained and base_point(study.spec, search.space, study.levels) is None:
        message = f"the budget of {relative[0]} is relative to the base, which is no point of the space."
        lacking = [f"`{name}`" for name in search.space if _lacks_the_base(study, search.space, name)]
        to = f"the values of {' and '.join(lacking)}" if lacking else "the space"
        yield ("budgets", relative[0]), message, f"Add what the base has to {to}, or write a number."


def _lacks_the_base(study: Study, space: Space, name: str) -> bool:
    """Whether a dimension has no value that the base has."""
    if any(other.per_level == name for other in space.values()):
        return not space[name].choices_like(study.levels)
    # A list is as long as the base's, whatever its length depends on.
    alone = space[name].model_copy(update={"per_level": bool(space[name].per_level)})
    return base_point(study.spec, {name: alone}, study.levels) is None
