"""The budgets of a study that say how much of the base is allowed."""

from __future__ import annotations

from search.objectives import KNOWN_BEFOREHAND, Metric, is_relative
from studies.study.study import Study


def needs_the_base(study: Study) -> list[Metric]:
    """The budgets that only a trial of the base can tell."""
    search = study.file.search
    given = search.budgets if search is not None else {}
    return [name for name, value in given.items() if is_relative(value) and name not in KNOWN_BEFOREHAND]
