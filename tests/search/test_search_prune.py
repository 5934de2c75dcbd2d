from __future__ import annotations

import numpy as np
import pytest

from search.prune import Reached, Tie, promotable, ranked


def test_ranks_come_first_and_budgets_before_ranks() -> None:
    rung = {
        0: Reached((1.0, 1.0)), 1: Reached((2.0, 2.0)), 2: Reached((0.0, 3.0)), 3: Reached((0.0, 0.0), violation=0.5),
        4: Reached((9.0, 9.0), violation=0.1),
    }  # fmt: skip
    order = ranked(rung, "hypervolume")
    assert set(order[:2]) == {0, 2}
    assert order[2:] == [1, 4, 3]


def test_inside_a_rank_what_the_front_would_miss_most_comes_first() -> None:
    # Two close together, and two at the ends: of the close ones each adds little.
    rung = {0: Reached((0.5, 0.5)), 1: Reached((0.51, 0.49)), 2: Reached((0.0, 1.0)), 3: Reached((1.0, 0.0))}
    order = ranked(rung, "hypervolume")
    assert set(order[:2]) == {2, 3}
    net = ranked(rung, "epsilon_net")
    assert net[:3] == [2, 3, 0] or net[:3] == [2, 3, 1]


@pytest.mark.parametrize("tie", ["hypervolume", "epsilon_net"])
def test_a_single_objective_is_ranked_by_its_value(tie: Tie) -> None:
    values = np.random.default_rng(0).permutation(12)
    rung = {trial: Reached((float(value),)) for trial, value in enumerate(values)}
    assert [values[trial] for trial in ranked(rung, tie)] == list(range(12))


def test_one_of_eta_goes_on_as_soon_as_there_are_so_many() -> None:
    rung: dict[int, Reached] = {}
    promoted: set[int] = set()
    gone_on = []
    for trial, value in enumerate([5.0, 4.0, 6.0, 3.0, 7.0, 2.0, 1.0]):
        rung[trial] = Reached((value,))
        found = promotable(rung, promoted, 3, "hypervolume")
        if found is not None:
            promoted.add(found)
        gone_on.append(found)
    assert gone_on == [None, None, 1, 3, None, 5, 6]
    assert promotable(rung, promoted, 3, "hypervolume") is None
