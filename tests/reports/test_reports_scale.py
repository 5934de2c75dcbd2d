from dataclasses import replace

import pytest

from reports.analysis.ablation import compare
from reports.analysis.scale import scale_limit, view
from reports.figures.forest import forest_axis, forest_row
from reports.metrics import METRICS
from tests.reports.synthetic_study import full_study


@pytest.mark.parametrize(
    ("extents", "limit"),
    [
        ([0.011, 0.19, 0.003, 0.007, 0.001], 0.011),
        ([1.0, 1.1, 8.7], None),
        ([1.0, 1.1, 8.9], 1.1),
        ([1.0, 9.0], None),
        ([0.1, 9.0, 9.5, 10.0], None),
        ([1.0, 1.0, 1.0, 9.0, 90.0], 1.0),
        ([0.0, 0.0, 5.0], None),
        ([], None),
    ],
)
def test_one_huge_extent_does_not_set_the_scale(extents: list[float], limit: float | None) -> None:
    assert scale_limit(extents) == limit


def test_a_view_shows_what_matters_and_counts_what_is_far_away() -> None:
    shown = view([5.0, 6.0, 7.0, 150.0], [True, True, True, False])
    assert not shown.log
    assert (shown.low, shown.high) == pytest.approx((4.88, 7.12))
    assert shown.outside == {3}


def test_near_values_and_marks_are_shown_too() -> None:
    shown = view([5.0, 7.0, 8.5], [True, True, False], marks=[8.9, 40.0])
    assert (shown.low, shown.high) == pytest.approx((5 - 0.234, 8.9 + 0.234))
    assert shown.outside == frozenset()


def test_values_over_orders_of_magnitude_stand_on_a_logarithmic_axis() -> None:
    shown = view([1e5, 1e6, 1e7], [True, True, True])
    assert shown.log
    assert shown.low == pytest.approx(10 ** (5 - 0.12))
    assert not view([0.0, 1e6, 1e7], [True, True, True]).log


def test_without_anything_important_everything_is_shown() -> None:
    shown = view([1.0, 100.0], [False, False])
    assert shown.outside == frozenset()
    assert view([], []).outside == frozenset()
    assert view([2.0], [True]).low < 2.0 < view([2.0], [True]).high


def test_a_difference_off_the_scale_is_written_out_and_the_others_can_be_read() -> None:
    effects = compare(full_study().trials, "loss")
    axis = forest_axis(effects, METRICS["loss"])
    assert axis is not None
    assert axis.beyond == {"no-skips"}
    assert axis.high < 0.02
    assert "off the scale:" in forest_row(effects[0], axis, METRICS["loss"])
    assert "+0.157 to +0.162" in forest_row(effects[0], axis, METRICS["loss"])
    assert 'class="seed"' not in forest_row(effects[0], axis, METRICS["loss"])
    assert forest_row(effects[1], axis, METRICS["loss"]).count('class="seed"') == 8


@pytest.mark.parametrize(
    ("far", "half", "beyond"),
    [
        # Up to eight times the next, it is drawn.
        (0.013, 0.0, False),
        (0.023, 0.0, False),
        (0.028, 0.0, True),
        # Not eight times what the others' intervals reach, though it is of their dots.
        (0.028, 0.0045, False),
    ],
)
def test_a_difference_is_drawn_while_the_others_can_be_read_beside_it(far: float, half: float, beyond: bool) -> None:
    plain = compare(full_study().trials, "loss")[0]
    rows = [
        replace(plain, variant=name, differences=(at, at * 0.9), low_adjusted=at - half, high_adjusted=at + half)
        for name, at in (("large", far), ("small", 0.003), ("smaller", -0.002))
    ]
    axis = forest_axis(rows, METRICS["loss"])
    assert axis is not None
    assert axis.beyond == ({"large"} if beyond else set())
    assert axis.inside(far) is not beyond
