"""Objectives and budgets as people write them: their units, what is relative to the base, and what is refused."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from search.objectives import (
    METRICS,
    UNITS,
    Budgets,
    Direction,
    Metric,
    Objectives,
    absolute,
    budgets,
    is_relative,
    limit,
    predicted_name,
    quantity,
    shortened,
    signs,
    violations,
)

UNDER_TIME = "write a number above 0, or one with a unit out of us, ms, s"
UNDER_MEMORY = "write a number above 0, or one with a unit out of B, kB, MB, GB, KiB, MiB, GiB"
UNDER_COUNT = "write a number above 0, or one with a unit out of k, M, G"
A_SHARE = "a share of the base's is written `0.5 * base`"


@pytest.mark.parametrize(
    ("metric", "text", "value"),
    [
        ("latency", "20ms", 0.02),
        ("latency", " 20  ms ", 0.02),
        ("latency_ratio", "1.5", 1.5),
        ("train_latency", "2 s", 2.0),
        ("latency", 0.005, 0.005),
        ("latency", "250 us", 0.00025),
        ("memory", "3 B", 3.0),
        ("memory", "3 kB", 3e3),
        ("memory", "3 MB", 3e6),
        ("train_memory", "3 GB", 3e9),
        ("memory", "3 KiB", 3 * 1024),
        ("memory", "3 MiB", 3 * 1024**2),
        ("train_memory", "0.5 GiB", 1024**3 / 2),
        ("parameters", "700k", 7e5),
        ("parameters", 1, 1.0),
        ("macs", "2.5e3 M", 2.5e9),
        ("macs", "1G", 1e9),
        ("loss", "1e-3", 1e-3),
    ],
)
def test_a_quantity_in_every_unit_of_its_metric(metric: Metric, text: object, value: float) -> None:
    assert quantity(metric, text) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "value", "said"),
    [
        ("latency", "20 MiB", f"latency: `20 MiB` is no budget; {UNDER_TIME}"),
        ("latency", "20 MS", f"latency: `20 MS` is no budget; {UNDER_TIME}"),
        ("latency", "ms", f"latency: `ms` is no budget; {UNDER_TIME}"),
        ("latency", "1e ms", f"latency: `1e ms` is no budget; {UNDER_TIME}"),
        ("latency", "inf", f"latency: `inf` is no budget; {UNDER_TIME}"),
        ("latency", 1e999, f"latency: `inf` is no budget; {UNDER_TIME}"),
        ("latency", -0.0, f"latency: `-0.0` is no budget; {UNDER_TIME}"),
        ("latency", None, f"latency: `None` is no budget; {UNDER_TIME}"),
        ("memory", "64 M", f"memory: `64 M` is no budget; {UNDER_MEMORY}"),
        ("memory", 0.5, f"memory: `0.5` is no budget; {A_SHARE}"),
        ("parameters", "90 %", f"parameters: `90 %` is no budget; {A_SHARE}"),
        ("latency", "90%", f"latency: `90%` is no budget; {A_SHARE}"),
        ("macs", "-2 G", f"macs: `-2 G` is no budget; {UNDER_COUNT}"),
        ("parameters", "1,000", f"parameters: `1,000` is no budget; {UNDER_COUNT}"),
        ("latency_ratio", "2 ms", "latency_ratio: `2 ms` is no budget; write a number above 0"),
        ("fd", "", "fd: `` is no budget; write a number above 0"),
    ],
)
def test_what_is_no_quantity_is_refused_in_these_words(metric: Metric, value: object, said: str) -> None:
    with pytest.raises(ValueError, match="is no budget") as caught:
        quantity(metric, value)
    assert str(caught.value) == said


def test_less_than_one_is_a_budget_of_what_comes_in_parts() -> None:
    assert [quantity(metric, 0.5) for metric in ("loss", "latency", "latency_ratio", "fd")] == [0.5] * 4


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("0.9 * base", "0.9 * base"),
        ("<= 0.9*base", "0.9 * base"),
        ("base", "1 * base"),
        (" base ", "1 * base"),
        ("1e-2 * base", "0.01 * base"),
        ("2 * base", "2 * base"),
        ("<=20 ms", 0.02),
        (0.02, 0.02),
    ],
)
def test_a_budget_is_a_number_or_a_factor_of_the_base(value: object, kept: float | str) -> None:
    assert limit("latency", value) == kept
    assert is_relative(kept) is isinstance(kept, str)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0 * base", "latency: `0 * base` is no budget; write a factor above 0, such as `0.9 * base`"),
        ("-1 * base", "latency: `-1 * base` is no budget; write a factor above 0, such as `0.9 * base`"),
        ("1e999 * base", "latency: `1e999 * base` is no budget; write a factor above 0, such as `0.9 * base`"),
        ("1.2.3 * base", "latency: `1.2.3 * base` is no budget; write a factor above 0, such as `0.9 * base`"),
        ("base * 2", "latency: `base * 2` is no budget; one relative to the base is written `0.9 * base`"),
        ("2 * bass", "latency: `2 * bass` is no budget; one relative to the base is written `0.9 * base`"),
        ("2 base", f"latency: `2 base` is no budget; {UNDER_TIME}"),
    ],
)
def test_what_is_no_factor_of_the_base_is_refused(value: str, said: str) -> None:
    with pytest.raises(ValueError, match="is no budget") as caught:
        limit("latency", value)
    assert str(caught.value) == said


def test_a_relative_budget_says_what_it_said_when_it_is_read_again() -> None:
    for factor in ("0.9", "1", "0.333", "12"):
        kept = limit("memory", f"{factor} * base")
        assert limit("memory", kept) == kept


def test_budgets_are_numbers_once_the_base_is_known() -> None:
    given: dict[Metric, float | str] = {"latency": "0.5 * base", "memory": "1 * base", "parameters": 1e6}
    assert absolute(given, {}) == {"parameters": 1e6}
    assert absolute(given, {"latency": 0.04, "loss": 1.0}) == {"latency": 0.02, "parameters": 1e6}
    assert absolute(given, {"latency": 0.04, "memory": 2.0**20}) == {
        "latency": 0.02, "memory": 2.0**20, "parameters": 1e6,
    }  # fmt: skip


def test_sentences_and_mappings_are_the_same_budgets() -> None:
    told = ["latency <= 20 ms", "memory<=0.5*base", "  parameters  <=  1.5M  "]
    assert budgets(told) == budgets({"latency": "20 ms", "memory": "0.5*base", "parameters": "1.5M"})
    assert budgets(tuple(told)) == budgets(told)
    assert budgets([]) == budgets({}) == {}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (["latency"], "`latency` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`"),
        (["latency <="], "`latency <=` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`"),
        (["latency >= 1 ms"], "`latency >= 1 ms` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`"),
        ([None], "`None` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`"),
        (["loss <= 1", "loss <= 2"], "loss has two budgets"),
        (
            ["loss = 1", "latency <= 5 MiB", "latncy <= 1"],
            "`loss = 1` is no budget; write `latency <= 20 ms`, or `latency <= 0.9 * base`; "
            f"latency: `5 MiB` is no budget; {UNDER_TIME}; there is no metric `latncy` (Did you mean `latency`?)",
        ),
        ({"xyzzy": 1, "loss": 0}, "loss: `0` is no budget; write a number above 0; there is no metric `xyzzy`"),
    ],
)
def test_everything_that_is_wrong_with_budgets_is_said_at_once(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=r"budget") as caught:
        budgets(value)
    assert str(caught.value) == said


@pytest.mark.parametrize("value", ["latency <= 20 ms", 3, None])
def test_what_is_neither_list_nor_mapping_is_left_to_be_refused(value: object) -> None:
    assert budgets(value) is value
    with pytest.raises(ValidationError):
        TypeAdapter(Budgets).validate_python(value)


def test_a_metric_that_is_none_is_refused_with_the_names_of_those_that_are() -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Budgets).validate_python({"speed": 1})
    assert all(f"'{metric}'" in str(caught.value) for metric in METRICS)


# objectives

ADAPTER: TypeAdapter[dict[Metric, Direction]] = TypeAdapter(Objectives)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["loss", "macs"], {"loss": "minimize", "macs": "minimize"}),
        ({"loss": "minimize"}, {"loss": "minimize"}),
        ({"macs": "maximize", "loss": "minimize"}, {"macs": "maximize", "loss": "minimize"}),
    ],
)
def test_objectives_keep_their_order_and_are_written_as_people_do(written: Any, read: dict[str, str]) -> None:
    found = ADAPTER.validate_python(written)
    assert list(found.items()) == list(read.items())
    again = ADAPTER.dump_python(found)
    assert again == (list(read) if set(read.values()) == {"minimize"} else read)
    assert ADAPTER.validate_python(again) == found


def test_an_objective_that_stands_twice_or_is_unknown_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(["loss", "macs", "loss"])
    assert caught.value.errors()[0]["msg"] == "Value error, an objective stands twice"
    for wrong in (["lss"], {"loss": "least"}, "loss", [1]):
        with pytest.raises(ValidationError):
            ADAPTER.validate_python(wrong)


def test_less_is_better_after_the_sign() -> None:
    assert signs({"loss": "minimize", "parameters": "maximize", "macs": "minimize"}) == [1.0, -1.0, 1.0]


# numbers


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (512, "512"),
        (999, "999"),
        (1000, "1 k"),
        (1e9, "1 G"),
        (1e12, "1 T"),
        (701_312, "701.3 k"),
        (1e6, "1 M"),
        (999_949, "999.9 k"),
        (999_999, "1 M"),
        (999.96, "999.96"),
        (75_382_123, "75.38 M"),
        (2.5e9, "2.5 G"),
        (3.25e12, "3.25 T"),
        (4e15, "4000 T"),
    ],
)
def test_counts_have_up_to_four_digits(number: float, text: str) -> None:
    assert shortened(number) == text


def test_every_metric_has_its_units_and_a_name_for_its_prediction() -> None:
    assert UNITS.keys() == set(get_args(Metric))
    assert predicted_name("train_memory") == "predicted_train_memory"


def test_a_budget_that_is_kept_exactly_is_not_broken() -> None:
    found = violations({"latency": 0.02, "memory": 50.0, "loss": 3.0}, {"latency": 0.02, "memory": 100.0, "macs": 1.0})
    assert found == {"latency": 0.0, "memory": -0.5}
