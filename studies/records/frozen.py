"""Optuna's trials read by plain SQL: what its objects and one parse of a distribution for each value would cost.

Ten thousand trials are some 160,000 rows; through the ORM they are as many objects, all at once.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import Connection, DateTime, Engine, bindparam, text

_WHERE = "t.study_id = :study AND (t.trial_id > :after OR t.trial_id IN :ids)"
_TRIALS = (
    f"SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete FROM trials t WHERE {_WHERE} "
    "ORDER BY t.trial_id"
)
#: What hangs on a trial: table, columns, order.
_PARTS = {
    "params": ("trial_params", "p.param_name, p.param_value, p.distribution_json", "p.param_id"),
    "values": ("trial_values", "p.objective, p.value, p.value_type", "p.objective"),
    "user": ("trial_user_attributes", "p.key, p.value_json", "p.trial_user_attribute_id"),
    "system": ("trial_system_attributes", "p.key, p.value_json", "p.trial_system_attribute_id"),
    "steps": (
        "trial_intermediate_values", "p.step, p.intermediate_value, p.intermediate_value_type", "p.step",
    ),
}  # fmt: skip
_SPECIAL = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}

#: A study has few distributions and many values.
_distribution = lru_cache(maxsize=4096)(json_to_distribution)
_Rows = dict[int, list[Any]]


def read_trials(engine: Engine, study_id: int, ids: Collection[int], after: int) -> list[FrozenTrial]:
    """Trials of a study by their id: those in `ids`, and all above `after`.

    The same as Optuna's own reading, but that equal distributions are one object.
    """
    values = {"study": study_id, "after": after, "ids": list(ids) or [-1]}
    with engine.connect() as connection:
        query = text(_TRIALS).columns(datetime_start=DateTime(), datetime_complete=DateTime())
        trials = connection.execute(query.bindparams(bindparam("ids", expanding=True)), values).all()
        if not trials:
            return []
        parts = {name: _part(connection, name, values) for name in _PARTS}
    return [_frozen(row, {name: found.pop(row[0], []) for name, found in parts.items()}) for row in trials]


def _part(connection: Connection, name: str, values: dict[str, Any]) -> _Rows:
    table, columns, order = _PARTS[name]
    # Names and clauses are constants of this file; values are bound.
    query = text(
        f"SELECT p.trial_id, {columns} FROM {table} p JOIN trials t ON t.trial_id = p.trial_id "
        f"WHERE {_WHERE} ORDER BY {order}"
    )
    found: _Rows = defaultdict(list)
    for trial_id, *rest in connection.execute(query.bindparams(bindparam("ids", expanding=True)), values):
        found[trial_id].append(rest)
    return dict(found)


def _frozen(row: Any, parts: dict[str, list[Any]]) -> FrozenTrial:
    trial_id, number, state, start, complete = row
    distributions: dict[str, BaseDistribution] = {name: _distribution(d) for name, _, d in parts["params"]}
    return FrozenTrial(
        number=number,
        state=TrialState[state],
        value=None,
        values=[_number(value, kind) for _, value, kind in parts["values"]] or None,
        datetime_start=start,
        datetime_complete=complete,
        params={name: distributions[name].to_external_repr(value) for name, value, _ in parts["params"]},
        distributions=distributions,
        user_attrs={key: json.loads(value) for key, value in parts["user"]},
        system_attrs={key: json.loads(value) for key, value in parts["system"]},
        intermediate_values={step: _number(value, kind) for step, value, kind in parts["steps"]},
        trial_id=trial_id,
    )


def _number(value: float | None, kind: str) -> float:
    return _SPECIAL[kind] if kind in _SPECIAL else float(value or 0.0)
