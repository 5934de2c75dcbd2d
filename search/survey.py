"""How much of a space is worth asking for: the share of points that are sound and within budget, by sampling."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from archspec import Edit
from archspec.build import Spec
from search.decode import decode
from search.feasible import assess
from search.objectives import Limits
from search.screening import Predictor
from search.space import Space, at_random, fill, point

SAMPLES = 100
#: Enough to say that hardly a point is within: of a share of 6 % so many miss all in one case of 20.
FEW = 50


@dataclass(frozen=True)
class Survey:
    """What some points of a space are like.

    Attributes:
        points: how many were drawn, each alike.
        sound: share that breaks no rule.
        within: share that is sound and keeps every budget that is known beforehand.
        different: distinct architectures among the sound.
        rules: rule -> how many of the points break it.
        over: budget -> how many of the sound points are over it.
    """

    points: int
    sound: float
    within: float
    different: int
    rules: dict[str, int]
    over: dict[str, int]


def survey(
    spec: Spec,
    space: Space,
    levels: int,
    budgets: Limits,
    *,
    predict: Predictor | None = None,
    points: int = SAMPLES,
    seed: int = 0,
) -> Survey:
    """Draw points and judge them, without torch unless `predict` brings it.

    The same space and seed give the same points. Standard error of a share p is ``sqrt(p (1 − p) / points)``.
    """
    judged = [assess(spec, edits, budgets, predict) for edits in _drawn(spec, space, levels, points, seed)]
    sound = [one for one in judged if one.graph is not None]
    rules = Counter(code for one in judged for code in {problem.code for problem in one.problems})
    over = Counter(name for one in sound for name, excess in one.violations.items() if excess > 0)
    return Survey(
        points=points,
        sound=len(sound) / points,
        within=sum(one.refusal is None for one in sound) / points,
        different=len({one.fingerprint for one in sound}),
        rules=dict(rules.most_common()),
        over=dict(over.most_common()),
    )


def nearest(spec: Spec, space: Space, levels: int, budgets: Limits, *, points: int = FEW, seed: int = 0) -> float:
    """How far the best of some points is over its worst budget, as a share; 0 as soon as one is within all of them.

    Infinite if no point is sound.
    """
    best = math.inf
    for edits in _drawn(spec, space, levels, points, seed):
        one = assess(spec, edits, budgets)
        if one.graph is not None:
            best = min(best, max((0.0, *one.violations.values())))
        if best == 0:
            break
    return best


def _drawn(spec: Spec, space: Space, levels: int, points: int, seed: int) -> Iterator[tuple[Edit, ...]]:
    """The edits of random points, each alike; the same for the same space and seed."""
    draw = at_random(random.Random(seed))
    for _ in range(points):
        yield decode(spec, space, point(space, fill(space, levels, draw), levels))
