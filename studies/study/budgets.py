"""Budgets as numbers: those that are relative to the base need what is known of it."""

from __future__ import annotations

from collections.abc import Iterable

from archspec import fingerprint, total_price
from search.objectives import KNOWN_BEFOREHAND, Limits, Metric, absolute, is_relative
from studies.records.record import TrialRecord
from studies.study.study import Study


def limits_of(study: Study, records: Iterable[TrialRecord]) -> Limits:
    """The budgets of a study's search, as far as the base's price and its trials among the records tell them."""
    search = study.file.search
    if search is None:
        return {}
    if not any(is_relative(given) for given in search.budgets.values()):
        return absolute(search.budgets, {})
    price = total_price(study.base)
    known = {"parameters": float(price.parameters), "macs": float(price.macs)}
    mark, shared = fingerprint(study.base), study.protocol_hash()
    for record in records:
        if record.fingerprint == mark and record.protocol_hash == shared and record.status == "finished":
            known = {**record.metrics, **known}
            break
    return absolute(search.budgets, known)


def needs_the_base(study: Study) -> list[Metric]:
    """The budgets that only a trial of the base can tell."""
    search = study.file.search
    given = search.budgets if search is not None else {}
    return [name for name, value in given.items() if is_relative(value) and name not in KNOWN_BEFOREHAND]
