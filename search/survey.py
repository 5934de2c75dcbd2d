"""How much of a space is worth asking for: the share of points that are sound and within budget, by sampling."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

from archspec.build import Spec
from search.decode import decode
from search.feasible import assess
from search.objectives import Limits
from search.screening import Predictor
from search.space import Space, at_random, fill, point

SAMPLES = 100


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
    rng = random.Random(seed)
    draw = at_random(rng)
    judged = [
        assess(spec, decode(spec, space, point(space, fill(space, levels, draw), levels)), budgets, predict)
        for _ in range(points)
    ]
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
