"""Trials of a search held against the present budgets, which may not be those that they were trained under."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from search.objectives import Limits, absolute, violations
from studies.records.record import WITH_RESULT, AnyRecord, Glance, TrialRecord


def limits(document: Mapping[str, Any], records: Iterable[TrialRecord] | Iterable[Glance], base: str) -> Limits:
    """The budgets of a study as numbers; one relative to the base is left out where that of the base is not known.

    Parameters and MACs of the base are in the document; the rest is as its first trial had it that was trained at the
    study's own learning rate.

    Args:
        document: the resolved study, see `Study.document`.
        records: its trials.
        base: the base's fingerprint.
    """
    search = document.get("search") or {}
    rate = ((document.get("protocol") or {}).get("train") or {}).get("lr")
    known: dict[str, float] = dict(search.get("of_base") or {})
    for record in records:
        if record.fingerprint == base and record.status in WITH_RESULT and record.tuned.get("lr", rate) == rate:
            known = {**record.metrics, **known}
    return absolute(_budgets(document), known)


def judged(records: list[AnyRecord], document: Mapping[str, Any], base: str) -> list[AnyRecord]:
    """The same trials, those of the search by the present budgets; as they were where one of them is not known."""
    known = limits(document, records, base)
    if not known or len(known) < len(_budgets(document)):
        return records
    return [_again(record, known) if record.part == "search" and record.metrics else record for record in records]


def is_open_again(record: TrialRecord) -> bool:
    """Whether a point of a search that was refused by its budgets keeps the present ones, by which it is judged."""
    for_good = {"failed_as", "prefiltered"} & record.detail.keys() or record.detail.get("rules_broken")
    return record.status == "refused" and bool(record.violations) and record.feasible and not for_good


def _again(record: AnyRecord, known: Limits) -> AnyRecord:
    excess = violations(record.metrics, known)
    if isinstance(record, TrialRecord):
        return record.model_copy(update={"violations": excess})
    return replace(record, feasible=all(over <= 0 for over in excess.values()))


def _budgets(document: Mapping[str, Any]) -> dict[Any, float | str]:
    found: dict[Any, float | str] = (document.get("search") or {}).get("budgets") or {}
    return found
