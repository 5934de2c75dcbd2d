"""Trials of a search held against the present budgets, which may not be those that they were trained under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from search.objectives import Limits, absolute, violations
from studies.records.record import WITH_RESULT, AnyRecord, TrialRecord


def limits(document: Mapping[str, Any], records: Iterable[AnyRecord], base: str) -> Limits:
    """The budgets of a study as numbers; those relative to a base without a result are left out.

    Args:
        document: the resolved study.
        records: its trials.
        base: the base's fingerprint.
    """
    of_base = (record.metrics for record in records if record.fingerprint == base and record.status in WITH_RESULT)
    return absolute(_budgets(document), next(of_base, {}))


def judged(records: list[AnyRecord], document: Mapping[str, Any], base: str) -> list[AnyRecord]:
    """The same trials, those of the search by the present budgets; as they were where one of them is not known."""
    known = limits(document, records, base)
    if not known or len(known) < len(_budgets(document)):
        return records
    return [_again(record, known) if record.part == "search" and record.metrics else record for record in records]


def _again(record: AnyRecord, known: Limits) -> AnyRecord:
    excess = violations(record.metrics, known)
    if isinstance(record, TrialRecord):
        return record.model_copy(update={"violations": excess})
    return replace(record, feasible=all(over <= 0 for over in excess.values()))


def _budgets(document: Mapping[str, Any]) -> dict[Any, float | str]:
    found: dict[Any, float | str] = (document.get("search") or {}).get("budgets") or {}
    return found
