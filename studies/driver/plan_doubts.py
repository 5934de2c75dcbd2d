"""What a reviewer would ask of an ablation before it runs: seeds, margin, tuning, size, aliases, interactions."""

from __future__ import annotations

from collections.abc import Iterator

from archspec import total_price
from archspec.text.wording import first_few
from studies.driver.plan import variants
from studies.study.designs.fraction import aliases
from studies.study.study import Study

FEW, USUAL = 5, 8
#: Share of the base's parameters from which size is a second difference.
SIZE = 0.05


def plan_doubts(study: Study) -> Iterator[str]:
    """One sentence a doubt, with what would answer it."""
    ablation = study.file.ablation
    if ablation is None:
        return
    seeds = len(study.seeds)
    if seeds < FEW:
        yield f"{seeds} seeds give no verdict: set protocol.seeds to {FEW} at least, {USUAL} as a rule."
    elif seeds < USUAL and ablation.until is None:
        yield f"{seeds} seeds find large differences only; {USUAL} are usual."
    if ablation.stated_margin is None:
        yield "No margin is stated, so nothing can be called equivalent: say margin: 1% before the first result."
    if study.file.protocol.tune is None:
        yield "All share the base's learning rate, which may suit some less: protocol.tune: [lr] lets each tune."
    yield from _sizes(study)
    if ablation.leave_one_out:
        yield "Leaving one out can't see interactions: parts that stand in for each other can each look dispensable."
    yield from _aliased(study)


def _sizes(study: Study) -> Iterator[str]:
    assert study.file.ablation is not None
    base = total_price(study.base).parameters
    planned = variants(study)
    matched = {one.name.rpartition(", same ")[0] for one in planned if one.design == "matched"}
    apart = [
        one.name
        for one in planned
        if one.design not in ("matched", "path") and one.name not in matched
        and abs(total_price(one.graph).parameters / base - 1) > SIZE
    ]  # fmt: skip
    if apart:
        yield (
            f"Size differs from the base's by more than {SIZE:.0%} in {first_few(apart, 4)}: `matched: parameters` "
            "adds partners of the same size."
        )


def alias_groups(study: Study) -> list[str]:
    """Effects of the study's fraction that cannot be told apart, such as ``a = b x c``; empty where all can."""
    ablation = study.file.ablation
    if ablation is None or ablation.factorial is None or ablation.factorial.resolution is None:
        return []
    import numpy as np

    factors = list(ablation.factorial.factors)
    cells = [one.factors for one in variants(study) if one.factors.keys() == set(factors)]
    runs = np.array([[-1.0 if cell[name] == "base" else 1.0 for name in factors] for cell in cells])
    groups = [[" x ".join(effect) for effect in group] for group in aliases(runs, factors)]
    return [" = ".join(group) for group in groups if len(group) > 1]


def _aliased(study: Study) -> Iterator[str]:
    groups = alias_groups(study)
    if groups:
        yield f"The fraction cannot tell apart: {'; '.join(groups)}."
