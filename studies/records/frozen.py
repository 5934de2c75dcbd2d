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
from sqlalchemy import BindParameter, Connection, DateTime, Engine, TextClause, bindparam, text

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


class _Queries:
    """The statements that read some trials, made once.

    Names and clauses are constants of this file; values are bound.
    """

    def __init__(self, where: str, *bound: BindParameter[Any]) -> None:
        trials = "SELECT t.trial_id, t.number, t.state, t.datetime_start, t.datetime_complete FROM trials t"
        self.trials = (
            text(f"{trials} WHERE {where} ORDER BY t.trial_id")
            .bindparams(*bound)
            .columns(datetime_start=DateTime(), datetime_complete=DateTime())
        )
        self.parts = {
            name: text(
                f"SELECT p.trial_id, {columns} FROM {table} p JOIN trials t ON t.trial_id = p.trial_id "
                f"WHERE {where} ORDER BY {order}"
            ).bindparams(*bound)
            for name, (table, columns, order) in _PARTS.items()
        }


_MANY = _Queries(
    "t.study_id = :study AND (t.trial_id > :after OR t.trial_id IN :ids)", bindparam("ids", expanding=True)
)
_ONE = _Queries("t.trial_id = :trial")
_SPECIAL = {"INF_POS": math.inf, "INF_NEG": -math.inf, "NAN": math.nan}

#: A study has few distributions and many values.
_distribution = lru_cache(maxsize=4096)(json_to_distribution)
_Rows = dict[int, list[Any]]


def read_trials(engine: Engine, study_id: int, ids: Collection[int], after: int) -> list[FrozenTrial]:
    """Trials of a study by their id: those in `ids`, and all above `after`.

    The same as Optuna's own reading, but that equal distributions are one object.
    """
    return _read(engine, _MANY, {"study": study_id, "after": after, "ids": list(ids) or [-1]})


def read_trial(engine: Engine, trial_id: int) -> FrozenTrial | None:
    """One trial by its id; None if there is none."""
    return next(iter(_read(engine, _ONE, {"trial": trial_id})), None)


def _read(engine: Engine, queries: _Queries, values: dict[str, Any]) -> list[FrozenTrial]:
    with engine.connect() as connection:
        trials = connection.execute(queries.trials, values).all()
        if not trials:
            return []
        parts = {name: _part(connection, query, values) for name, query in queries.parts.items()}
    return [_frozen(row, {name: found.pop(row[0], []) for name, found in parts.items()}) for row in trials]


def _part(connection: Connection, query: TextClause, values: dict[str, Any]) -> _Rows:
    found: _Rows = defaultdict(list)
    for trial_id, *rest in connection.execute(query, values):
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
