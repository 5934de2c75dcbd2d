"""Plain data that describes an operation, and the operation that it describes."""

from __future__ import annotations

from typing import Annotated, Any

from archspec.ops import OPS
from archspec.ops.base import Op
from archspec.ops.plugins import known_names, operation_named
from archspec.text.errors import Problem, UserError
from archspec.text.fields import Defined
from archspec.text.positions import Place
from archspec.text.suggest import did_you_mean
from archspec.text.validate import validate
from archspec.text.wording import shown

#: ``{op: …, parameters}`` as plain data. It is read by `read_op` and not by pydantic, so that one operation that is
#: wrong does not hide what is wrong with the others.
OpData = Annotated[Any, Defined("Operation")]


def read_op(data: Any, place: Place) -> tuple[Op | None, list[Problem]]:
    """The operation that plain data describes; None, and every problem, where a rule could not be checked on it."""
    if not isinstance(data, dict):
        hint = "Write {op: …} and its parameters."
        return None, [place.problem("U012", f"an operation is a mapping of keys to values, not {shown(data)}.", hint)]
    if "op" not in data:
        hint = f"Operations: {', '.join(known_names(OPS))}."
        return None, [place.problem("U011", "the operation has no `op`.", hint)]
    name = data["op"]
    try:
        cls = operation_named(OPS, name) if isinstance(name, str) else None
    except UserError as error:
        return None, [place.at("op").problem(p.code, p.message, p.hint) for p in error.problems]
    if cls is None:
        known = known_names(OPS)
        own = "One of your own comes with its package: see examples/custom_operation."
        close = did_you_mean(name, known) if isinstance(name, str) else None
        hint = close or f"Operations: {', '.join(known)}. {own}"
        quoted = f"`{name[:80]}`" if isinstance(name, str) else shown(name)
        return None, [place.at("op").problem("U013", f"there is no operation {quoted}.", hint)]
    return validate(cls, data, place.positions, path=place.path)
