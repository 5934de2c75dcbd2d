"""Metrics as a reader sees them: every label and unit, and how many digits a number carries."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from reports.metrics import (
    METRICS,
    decimals_for,
    interval_text,
    join_words,
    metric_of,
    metrics_of,
    metrics_up_to,
    p_text,
    percent_text,
    signed,
    signed_significant,
    significant,
    ticks,
)
from reports.metrics import Metric as Shown
from search.objectives import METRICS as RECORDED
from search.objectives import UNITS, Metric
from tests.reports.bare_study import plain


@pytest.mark.parametrize(
    ("name", "title", "recorded", "text"),
    [
        ("loss", "held-out loss", 0.5, "0.5000"),
        ("loss_edm", "EDM-weighted loss", 0.75, "0.7500"),
        ("fd", "Fréchet distance", 12.34, "12.3"),
        ("kd", "kernel distance", 0.0123456, "0.0123"),
        ("latency", "latency (ms)", 0.5, "500 ms"),
        ("train_latency", "training step (ms)", 1.5, "1,500 ms"),
        ("memory", "peak memory (MiB)", 3 * 2.0**30, "3,072 MiB"),
        ("train_memory", "training memory (MiB)", 2.0**19, "0.500 MiB"),
        ("parameters", "parameters (M)", 1.5e6, "1.50 M"),
        ("macs", "MACs (G)", 2.5e9, "2.50 G"),
        ("latency_ratio", "latency ratio", 1.25, "1.25"),
        ("train_latency_ratio", "training step ratio", 0.5, "0.500"),
    ],
)
def test_every_recorded_metric_has_a_name_in_words_and_its_unit(
    name: str, title: str, recorded: float, text: str
) -> None:
    metric = metric_of(name, METRICS)
    assert (metric.name, metric.title, plain(metric.text(recorded))) == (name, title, text)


def test_all_that_a_study_records_is_told_in_words() -> None:
    assert [name for name in RECORDED if metric_of(name, METRICS) == Shown(name, name)] == []


@pytest.mark.parametrize("name", [name for name in UNITS if name in METRICS and METRICS[name].unit])
def test_a_value_is_shown_in_a_unit_in_which_its_budget_can_be_written(name: Metric) -> None:
    metric = METRICS[name]
    assert UNITS[name][metric.unit] * metric.factor == pytest.approx(1.0)


def test_only_what_follows_from_the_architecture_is_counted() -> None:
    assert [name for name, metric in METRICS.items() if metric.counted] == ["parameters", "macs"]


def test_a_value_takes_as_many_digits_as_are_asked_for() -> None:
    assert METRICS["latency"].text(0.00123456, 5) == "1.2346\N{NARROW NO-BREAK SPACE}ms"
    assert METRICS["loss"].text(0.00321987, 2) == "0.0032"


def test_a_difference_is_written_in_the_shown_unit_and_without_it() -> None:
    assert METRICS["latency"].difference(0.0012, 0.001, 0.0014) == "+1.20 [+1.00, +1.40]"
    assert METRICS["memory"].difference(-(2.0**20), -(2.0**21), 0.0) == "\N{MINUS SIGN}1.0 [\N{MINUS SIGN}2.0, 0.0]"


@pytest.mark.parametrize(("largest", "unit"), [(999_999_999.0, "M"), (1e9, "G"), (math.nan, "M")])
def test_macs_are_counted_in_millions_below_a_thousand_of_them(largest: float, unit: str) -> None:
    assert metrics_of(pd.DataFrame({"macs": [1.0, largest]}))["macs"].unit == unit


def test_without_a_column_of_macs_the_units_are_the_usual_ones() -> None:
    assert metrics_of(pd.DataFrame({"loss": [0.1]})) == METRICS
    assert {name for name, metric in metrics_up_to(1.0).items() if metric != METRICS[name]} == {"macs"}


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_significant_digits_are_those_of_decimal_arithmetic(digits: int) -> None:
    random = np.random.default_rng(digits)
    for value in np.concatenate([10.0 ** random.uniform(-3.9, 6.9, 200), [0.099999, 9.9996, 99.996, 999.96]]):
        text = significant(float(value), digits)
        rounded = Decimal(f"{float(value):.{digits - 1}e}")
        # All digits of a large number are written: 123,456 and not 123,000.
        wanted = rounded if rounded < 10 ** (digits - 1) else Decimal(round(float(value)))
        assert Decimal(text.replace(",", "")) == wanted
        assert len(text.replace(",", "").replace(".", "").lstrip("0")) >= digits
        assert significant(-float(value), digits) == f"\N{MINUS SIGN}{text}"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "0.000100"),
        # 100 of a million by a factor of 1e-6: a little less than a ten thousandth, and not as it is rounded.
        (100 * 1e-6, "0.000100"),
        (9.99e-5, "9.99e\N{MINUS SIGN}05"),
        (9_999_999.0, "9,999,999"),
        (1e7, "1.00e+07"),
        (-2.5e-9, "\N{MINUS SIGN}2.50e\N{MINUS SIGN}09"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_numbers_are_written_without_an_exponent_between_a_ten_thousandth_and_ten_million(
    value: float, text: str
) -> None:
    assert significant(value, 3) == text


@pytest.mark.parametrize(
    ("resolution", "decimals"),
    [(0.0018, 4), (0.01, 3), (0.0999, 3), (0.1, 2), (1.0, 1), (9.9, 1), (10.0, 0), (5e6, 0), (1e-12, 9), (-1.0, 4),
     (math.nan, 4), (math.inf, 4)],
)  # fmt: skip
def test_an_uncertainty_keeps_two_digits(resolution: float, decimals: int) -> None:
    assert decimals_for(resolution) == decimals


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        # Half the width is 0.15: two decimals.
        ((1.0, 0.85, 1.15), "+1.00 [+0.85, +1.15]"),
        # Clear of zero on the other side, by less than two digits show.
        ((-0.0017, -0.0034, -0.00003), "−0.00170 [−0.00340, −0.00003]"),
        # What touches zero is not made to look clear of it.
        ((0.5, 0.0, 1.0), "+0.50 [0.00, +1.00]"),
        ((0.0, -0.001, 0.001), "0.0000 [−0.0010, +0.0010]"),
        ((1234.0, 1034.0, 1434.0), "+1,234 [+1,034, +1,434]"),
        ((0.02, 0.02, 0.02), "+0.0200 [+0.0200, +0.0200]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        # A sequence of few seeds says nothing yet.
        ((0.0123, -math.inf, math.inf), "+0.0123 [−inf, +inf]"),
        # No more than nine decimals are written for an end that is next to nothing.
        ((0.5, 1e-12, 1.0), "+0.500000000 [0.000000000, +1.000000000]"),
    ],
)
def test_an_interval_is_written_with_what_it_allows(numbers: tuple[float, float, float], text: str) -> None:
    assert interval_text(*numbers) == text


def test_an_interval_that_is_clear_of_zero_never_looks_as_if_it_touched_it() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        width, near = 10.0 ** random.uniform(-4, 2), 10.0 ** random.uniform(-6, 0)
        text = interval_text(near + width / 2, near, near + width)
        low = text[text.index("[") + 1 : text.index(",", text.index("["))]
        assert low[0] == "+"
        assert float(low) > 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.5, "+0.500"), (-0.5, "−0.500"), (1234.5, "+1,234"), (2e-6, "+2.00e−06")],
)
def test_a_difference_carries_its_sign(value: float, text: str) -> None:
    assert signed_significant(value) == text


def test_what_rounds_to_nothing_carries_no_sign() -> None:
    assert [signed(value, 1) for value in (-0.04, 0.04, -0.06, 0.06)] == ["0.0", "0.0", "−0.1", "+0.1"]
    assert signed(-1_234_567.0, 0) == "−1,234,567"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (9.94, "+9.9 %"),
        (9.95, "+10 %"),
        (-9.94, "−9.9 %"),
        (0.04, "0.0 %"),
        (-1234.4, "−1,234 %"),
        (math.inf, "+inf %"),
    ],
)
def test_per_cent_have_a_decimal_below_ten(value: float, text: str) -> None:
    assert plain(percent_text(value)) == text


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "<0.001"),
        (0.00099, "<0.001"),
        (0.001, "0.001"),
        (0.0994, "0.099"),
        (0.1, "0.10"),
        (0.0496, "0.0496"),
        (0.05, "0.050"),
        (0.0504, "0.0504"),
        (0.049_97, "0.04997"),
        (0.0494, "0.049"),
        (0.0506, "0.051"),
    ],
)
def test_a_p_value_is_written_as_in_papers(p: float, text: str) -> None:
    assert p_text(p) == text


def test_ticks_are_multiples_of_one_two_or_five_inside_and_about_as_many_as_wanted() -> None:
    random = np.random.default_rng(1)
    for _ in range(200):
        low, wanted = float(random.uniform(-50, 50)), int(random.integers(2, 9))
        high = low + 10.0 ** float(random.uniform(-2, 4))
        marks = ticks(low, high, wanted)
        steps = np.diff(marks)
        step = float(steps[0]) if len(steps) else (high - low)
        assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
        assert steps == pytest.approx(step, rel=1e-6)
        assert len(marks) <= wanted + 1
        assert len(marks) >= wanted / 2.5 - 1
        if len(steps):
            first = step / 10.0 ** math.floor(math.log10(step) + 1e-9)
            assert min(abs(first - one) for one in (1, 2, 5, 10)) < 1e-6
            assert marks[0] / step == pytest.approx(round(marks[0] / step), abs=1e-6)


def test_a_range_turned_round_has_one_tick() -> None:
    assert ticks(3.0, 1.0) == [3.0]


def test_words_are_joined_as_in_a_sentence() -> None:
    assert join_words(["a", "b"]) == "a and b"
    assert join_words(iter(["a", "b"]), "or") == "a or b"
    assert join_words({"only": 1}) == "only"
