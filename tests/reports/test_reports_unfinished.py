"""Verdicts about trainings that ended early are told with a caution, others without."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from reports.analysis.answer import answer
from reports.analysis.unfinished import FALL, last_fall
from studies.frame import StudyResults
from tests.reports.synthetic_study import full_study, make_study

HEAD = "The trainings were not at their end."


def decaying(steps: int, time: float) -> list[tuple[int, float]]:
    return [(step, 0.1 + math.exp(-step / time)) for step in range(1, steps + 1)]


def trained(study: StudyResults, curve: list[tuple[int, float]]) -> StudyResults:
    return replace(study, curves=dict.fromkeys(study.curves, curve))


def cautions(study: StudyResults) -> list[str]:
    said = answer(study)
    return [s.text for s in (*said.ablation, *said.search) if s.head == HEAD]


@pytest.mark.parametrize(("steps", "time", "falling"), [(20, 10, True), (100, 50, True), (400, 200, True),
                                                         (100, 10, False), (400, 40, False)])  # fmt: skip
def test_a_loss_that_still_falls_is_told_from_one_that_has_settled(steps: int, time: float, falling: bool) -> None:
    fall = last_fall(decaying(steps, time))
    assert fall is not None
    assert (fall < FALL) is falling


def test_the_last_part_is_a_quarter_of_a_long_training_and_a_third_of_a_short_one() -> None:
    assert last_fall([(step, 2.0 if step <= 300 else 1.0) for step in range(1, 401)]) == 0.5
    assert last_fall([(step, 2.0 if step <= 60 else 1.0) for step in range(1, 91)]) == 0.5
    # 30 points, one in ten steps, are a long training as well.
    assert last_fall([(step, 2.0 if step <= 300 else 1.0) for step in range(10, 401, 10)]) == 0.5


def test_nothing_is_said_of_curves_that_are_too_short_or_broken() -> None:
    assert last_fall(decaying(5, 2)) is None
    assert last_fall([*decaying(20, 5), (21, math.nan)]) is None
    assert last_fall([(step, 0.0) for step in range(20)]) is None
    assert last_fall([]) is None


def test_the_caution_stands_once_in_the_answer() -> None:
    short = trained(full_study(), decaying(20, 10))
    (text,) = cautions(short)
    fall = last_fall(decaying(20, 10))
    assert fall is not None
    assert f"still {(1 - fall) * 100:.0f}\u202f% lower in its last part (a quarter; a third below 120 steps)" in text
    assert answer(short).ablation[-1].head == HEAD
    assert answer(trained(make_study(seeds=0, trials=4), decaying(20, 10))).search[-1].head == HEAD


def test_no_caution_where_the_median_training_has_settled() -> None:
    assert cautions(full_study()) == []
    assert cautions(trained(full_study(), decaying(100, 10))) == []
    mixed = trained(full_study(), decaying(100, 10))
    few = dict.fromkeys(list(mixed.curves)[: len(mixed.curves) // 3], decaying(100, 50))
    assert cautions(replace(mixed, curves={**mixed.curves, **few})) == []
    assert cautions(replace(full_study(), curves={})) == []
