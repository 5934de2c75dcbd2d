import math

import pandas as pd
import pytest

from reports.metrics import (
    METRICS,
    decimals_for,
    interval_text,
    join_words,
    metric_of,
    metrics_of,
    p_phrase,
    p_text,
    percent_text,
    signed,
    significant,
    ticks,
)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("loss", 0.123456, "0.1235"),
        ("loss", 0.9999999, "1.000"),
        ("latency", 0.0032149, "3.21 ms"),
        ("memory", 14_680_064.0, "14.0 MiB"),
        ("parameters", 75_376_643.0, "75.4 M"),
        ("parameters", 41_200.0, "0.0412 M"),
        ("macs", 247.77e9, "248 G"),
        ("latency", math.nan, "—"),
        ("latency", None, "—"),
    ],
)
def test_values_carry_units_and_honest_digits(metric: str, value: float | None, text: str) -> None:
    assert METRICS[metric].text(value).replace("\u202f", " ") == text


def test_small_networks_count_macs_in_millions() -> None:
    small = metrics_of(pd.DataFrame({"macs": [2.3e7, math.nan]}))
    assert small["macs"].text(2.3e7).replace("\u202f", " ") == "23.0 M"
    assert metrics_of(pd.DataFrame({"macs": [2.3e9]}))["macs"].unit == "G"


def test_a_metric_of_another_kind_is_shown_as_recorded() -> None:
    assert metric_of("energy", METRICS).text(1.2345) == "1.23"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.0, 3, "0"), (0.00001234, 3, "1.23e−05"), (-0.5, 2, "−0.50"), (999.6, 3, "1,000"), (123456.0, 3, "123,456")],
)
def test_significant_digits(value: float, digits: int, text: str) -> None:
    assert significant(value, digits) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((0.00803, 0.00762, 0.00843), "+0.00803 [+0.00762, +0.00843]"),
        ((-0.05, -0.76, 0.65), "−0.05 [−0.76, +0.65]"),
        ((12.3, -4.0, 30.0), "+12 [−4, +30]"),
        ((0.0017, 0.00003, 0.0034), "+0.00170 [+0.00003, +0.00340]"),
        ((0.02, math.nan, math.nan), "+0.0200 [no interval]"),
        ((-592896.0, -592896.0, -592896.0), "−592,896 [−592,896, −592,896]"),
        ((math.nan, math.nan, math.nan), "—"),
    ],
)
def test_intervals_set_the_number_of_digits(numbers: tuple[float, float, float], text: str) -> None:
    assert interval_text(*numbers) == text


def test_signs() -> None:
    assert signed(-0.0001, 2) == "0.00"
    assert signed(1234.5, 1) == "+1,234.5"
    assert percent_text(-4.77).replace("\u202f", " ") == "−4.8 %"
    assert percent_text(24.7).replace("\u202f", " ") == "+25 %"
    assert percent_text(math.nan) == "—"


def test_p_values() -> None:
    assert [p_text(p) for p in (0.0004, 0.0123, 0.051, 0.42, 1.0, math.nan)] == [
        "<0.001", "0.012", "0.051", "0.42", "1.00", "—",
    ]  # fmt: skip
    assert p_phrase(0.0004) == "p\xa0<\xa00.001"
    assert p_phrase(0.03) == "p\xa0=\xa00.030"


def test_ticks_are_round_and_inside() -> None:
    assert ticks(-0.0091, 0.0312) == [0.0, 0.01, 0.02, 0.03]
    assert ticks(-1.0, 1.0, 4) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert ticks(3.0, 3.0) == [3.0]


def test_words() -> None:
    assert join_words([]) == ""
    assert join_words(["a"]) == "a"
    assert join_words(["a", "b", "c"], "or") == "a, b or c"
    assert decimals_for(0.0018) == 4
    assert decimals_for(0.0) == 4
