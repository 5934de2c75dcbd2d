"""A record as an attribute of its trial: text that Optuna reads with every trial and never looks into."""

from __future__ import annotations

import json
from typing import Any

from optuna.trial import FrozenTrial

from archspec import user_error
from studies.records.reader import BEGUN, RECORD
from studies.records.record import RECORD_VERSION, TrialRecord


def packed(record: TrialRecord) -> str:
    """A record as the text that its trial carries."""
    data = {"record_version": record.record_version, **record.model_dump(mode="json", exclude_defaults=True)}
    return json.dumps(data, separators=(",", ":"))


def unpacked(data: Any) -> TrialRecord:
    """A record from its attribute: text, or in databases of earlier versions a mapping."""
    record = TrialRecord.model_validate_json(data) if isinstance(data, str) else TrialRecord.model_validate(data)
    if record.record_version > RECORD_VERSION:
        raise user_error(
            f"the records are of version {record.record_version}, and this ushape reads up to {RECORD_VERSION}.",
            "Update ushape.",
        )
    return record


def record_of(trial: FrozenTrial) -> TrialRecord | None:
    """The record that a trial carries; None if it had not begun."""
    data = trial.user_attrs.get(RECORD) or trial.user_attrs.get(BEGUN)
    return unpacked(data) if data is not None else None
