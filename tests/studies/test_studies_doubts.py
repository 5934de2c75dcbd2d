"""What a reader is warned of: only trials that came to an end, and evaluations that took place, are compared."""

from __future__ import annotations

import pytest

from studies.frame import _warnings
from tests.studies.test_studies_store import record

MADE = {"environment": {"device": "one"}, "metrics": {"parameters": 10.0}}


def evaluated(digest: str) -> dict[str, object]:
    return {**MADE, "detail": {"evaluation": {"hash": digest}}}


def test_one_that_diverged_was_not_evaluated_on_another_set() -> None:
    records = [record(0, **evaluated("a")), record(1, "wild", status="diverged", **MADE), record(2, **evaluated("a"))]
    assert list(_warnings(records)) == []


def test_two_sets_of_evaluation_are_told() -> None:
    (said,) = _warnings([record(0, **evaluated("a")), record(1, **evaluated("b"))])
    assert said.startswith("Trials were evaluated on different sets of images")


@pytest.mark.parametrize(("status", "protocols"), [("finished", 2), ("diverged", 2), ("interrupted", 1)])
def test_another_protocol_counts_where_a_trial_ended_under_it(status: str, protocols: int) -> None:
    records = [record(0, **evaluated("a")), record(1, status=status, **{**MADE, "protocol_hash": "q"})]
    told = [said for said in _warnings(records) if "different protocols" in said]
    assert len(told) == protocols - 1
