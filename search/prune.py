"""Which of several trainings to go on with: asynchronous successive halving for any number of objectives.

Successive halving gives the better part of what reached a rung of training steps the steps up to the next one; the
asynchronous form decides whenever a place is free, by what has reached the rung so far (ASHA, Li et al. 2020). With
several objectives "better" is the non-dominated rank, and inside a rank either the contribution to the hypervolume
(as in SMS-EMOA, Beume et al. 2007) or an epsilon-net, which spreads along the front (Salinas et al. 2021, for
multi-objective ASHA; see also Schmucker et al. 2021). What keeps its budgets comes before what does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Literal

import numpy as np

from search.hypervolume import Array, front_of, hypervolume

Tie = Literal["hypervolume", "epsilon_net"]


@dataclass(frozen=True)
class Reached:
    """What a training is like at a rung.

    Attributes:
        values: objectives, less is better; known costs among them.
        violation: sum of what its budgets are exceeded by, relative; 0 if none is.
    """

    values: tuple[float, ...]
    violation: float = 0.0


def promotable(rung: Mapping[int, Reached], promoted: Set[int], eta: int, tie: Tie) -> int | None:
    """The training at a rung to go on with; None as long as too few have reached it.

    Args:
        rung: trial -> what it is like there.
        promoted: those that went on already.
        eta: one of so many goes on.
        tie: how trainings of one rank are told apart.
    """
    best = ranked(rung, tie)[: len(rung) // eta]
    return next((trial for trial in best if trial not in promoted), None)


def ranked(rung: Mapping[int, Reached], tie: Tie) -> list[int]:
    """The trainings at a rung, best first; equal ones in the order of their numbers."""
    trials = sorted(rung)
    feasible = [trial for trial in trials if rung[trial].violation <= 0]
    broken = sorted((trial for trial in trials if rung[trial].violation > 0), key=lambda t: (rung[t].violation, t))
    if not feasible:
        return broken
    values = _normalised(np.array([rung[trial].values for trial in feasible], dtype=float))
    left = list(range(len(feasible)))
    order: list[int] = []
    while left:
        marked = front_of(values[left])
        front = [index for index, best in zip(left, marked, strict=True) if best]
        order.extend(front[index] for index in _TIES[tie](values[front]))
        left = [index for index in left if index not in set(front)]
    return [feasible[index] for index in order] + broken


def _normalised(values: Array) -> Array:
    spread = np.ptp(values, axis=0)
    return np.asarray((values - values.min(axis=0)) / np.where(spread > 0, spread, 1.0))


def _by_contribution(front: Array) -> list[int]:
    """Those first that the front would lose most hypervolume without."""
    reference = np.full(front.shape[1], 1.1)
    whole = hypervolume(front, reference)
    lost = [whole - hypervolume(np.delete(front, index, axis=0), reference) for index in range(len(front))]
    return sorted(range(len(front)), key=lambda index: (-lost[index], index))


def _by_net(front: Array) -> list[int]:
    """The best in the first objective, then always the one farthest from those before."""
    order = [int(np.argmin(front[:, 0]))]
    while len(order) < len(front):
        apart = np.sqrt(((front[:, None] - front[order][None]) ** 2).sum(axis=2)).min(axis=1)
        apart[order] = -1.0
        order.append(int(np.argmax(apart)))
    return order


_TIES: dict[Tie, Callable[[Array], list[int]]] = {"hypervolume": _by_contribution, "epsilon_net": _by_net}
