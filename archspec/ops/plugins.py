"""Operations from outside the package: by a call, or by an entry point of a package that the user has installed.

A file can only name an operation. What is imported for it is what an installed package declares under that name:

    [project.entry-points."ushape.operations"]
    squeeze_excite = "my_blocks.description:SqueezeExcite"
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from archspec.ops.base import Op
from archspec.text.errors import user_error

#: Group of entry points that name descriptions: subclasses of `Op`.
OPERATIONS = "ushape.operations"


def register(table: dict[str, type[Op]], operation: type[Op]) -> type[Op]:
    """Put an operation into a table of operations under its name; `UserError` if it cannot stand there."""
    field = operation.model_fields.get("op")
    name = field.default if field is not None else None
    if not isinstance(name, str):
        hint = 'Declare `op: Literal["its_name"] = "its_name"`.'
        raise user_error(f"the operation {operation.__name__} has no name.", hint)
    if table.get(name, operation) is not operation:
        raise user_error(f"there is an operation `{name}` already.", "Give yours another name.")
    table[name] = operation
    return operation


def installed(group: str, name: str) -> Any | None:
    """What an installed package declares under a name, imported; None if there is none.

    Raises:
        UserError: several packages declare it, or it cannot be imported.
    """
    found = _of_one_target(entry_points(group=group, name=name))
    if len(found) > 1:
        values = " and ".join(entry.value for entry in found)
        raise user_error(f"several packages declare `{name}` for {group}: {values}.", "Keep one of them.")
    for entry in found:
        try:
            return entry.load()
        except (ImportError, AttributeError) as error:
            raise user_error(f"`{name}` of {group} cannot be loaded: {entry.value}: {error}.") from error
    return None


def _of_one_target(entries: Any) -> list[EntryPoint]:
    """Each target once: a package that is found twice on the path declares the same twice."""
    return list({entry.value: entry for entry in entries}.values())


def known_names(table: dict[str, type[Op]]) -> list[str]:
    """Every operation that a file can name: those of the table, then those that installed packages declare."""
    return list(dict.fromkeys([*table, *sorted(entry_points(group=OPERATIONS).names)]))


def operation_named(table: dict[str, type[Op]], name: str) -> type[Op] | None:
    """The operation of a name, of the table or of an installed package, which is then put into the table."""
    if name in table:
        return table[name]
    found = installed(OPERATIONS, name) if name.isidentifier() else None
    if found is None:
        return None
    if not (isinstance(found, type) and issubclass(found, Op)):
        raise user_error(f"`{name}` of {OPERATIONS} is not a subclass of archspec.Op.")
    return register(table, found)
