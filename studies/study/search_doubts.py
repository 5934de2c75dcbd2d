"""What is doubtful about a search: more trainings than its space has points, and budgets that nothing keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator

from archspec import Problem
from archspec.text.positions import Positions
from search.objectives import KNOWN_BEFOREHAND, absolute
from search.space import size
from search.survey import FEW, nearest
from studies.study.document import Search
from studies.study.study import Study


def search_doubts(study: Study, search: Search, positions: Positions) -> Iterator[Problem]:
    """U409, for a sound search: it can train fewer architectures than it asks for, or none.

    Points are drawn only where a budget is known beforehand, and until one is within.
    """
    points = size(search.space, study.levels)
    if search.trials > points and "trials" in search.model_fields_set:
        message = f"{search.trials} trainings are asked of a space of {points:.0f} points, and none is trained twice."
        hint = f"Say {points:.0f} or fewer, or let more vary."
        yield positions.problem("U409", message, hint, path=("search", "trials"), severity="warning")
    known = absolute(search.budgets, study.known_of_base())
    beforehand = {name: limit for name, limit in known.items() if name in KNOWN_BEFOREHAND}
    if not beforehand:
        return
    over = nearest(study.spec, search.space, study.levels, beforehand)
    if over:
        what = "none is sound" if math.isinf(over) else f"none is within {' and '.join(beforehand)}"
        best = "" if math.isinf(over) else f"; the nearest is {over:.0%} over"
        message = f"of {FEW} random points {what}{best}."
        hint = "`ushape show STUDY` counts why. Raise the budget, or let the space reach smaller networks."
        yield positions.problem("U409", message, hint, path=("search", "budgets"), severity="warning")
