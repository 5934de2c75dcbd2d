"""Text to plain data with positions.

Only scalars, lists and mappings are read: no tag constructs anything, and aliases count towards the size limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from archspec.text.errors import Problem, UserError, user_error
from archspec.text.files import MAX_BYTES, read_text
from archspec.text.positions import DataPath, Positions
from archspec.text.validate import validate
from archspec.text.wording import shown

__all__ = ["MAX_BYTES", "DataPath", "Document", "Positions", "parse", "read_text", "validate"]

MAX_NODES = 100_000
MAX_DEPTH = 40
MAX_PROBLEMS = 200

_TAG = "tag:yaml.org,2002:"
_SCALARS = {f"{_TAG}{name}" for name in ("str", "int", "float", "bool", "null")}
_COLLECTIONS = {f"{_TAG}map", f"{_TAG}seq"}
_WHOLE_NUMBERS = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Document:
    """A text as plain data, with positions."""

    data: Any
    positions: Positions
    text: str


def parse(text: str, file: str) -> Document:
    """YAML text as plain data with positions; `UserError` with every fault if it is not plain YAML."""
    document, problems = read(text, file)
    if problems:
        raise UserError(problems)
    return document


def read(text: str, file: str) -> tuple[Document, list[Problem]]:
    """The same, going on where a single value cannot be read: it is null in the data, and a problem says so.

    Raises `UserError` where there is no data at all.
    """
    if len(text) > MAX_BYTES:
        hint = f"At most {MAX_BYTES:,} characters are read."
        raise user_error("the text is too large.", hint, code="U004", file=file)
    yaml = YAML(typ="safe", pure=True)
    root = _compose(yaml, text, file)
    if root is None:
        raise user_error("the file is empty.", "`ushape init` writes one to start from.", code="U011", file=file)
    reader = _Reader(file, yaml)
    data = reader.read(root, (), 0)
    return Document(data, Positions(file, reader.at), text), reader.problems


def _compose(yaml: YAML, text: str, file: str) -> Node | None:
    try:
        root: Node | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        what = str(error.problem or error.context or "it cannot be read").strip().rstrip(".")
        if what.startswith("but "):
            what = f"{error.context}, {what}"
        elif error.context_mark and mark and error.context_mark.line < mark.line:
            what = f"{what} (in what begins in line {error.context_mark.line + 1})"
        raise _not_yaml(what, file, line, column) from None
    except ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        what = f"the character U+{error.character:04X} cannot stand in a text"
        raise _not_yaml(what, file, line, column) from None
    except RecursionError:
        raise _not_yaml("it is nested too deeply", file) from None
    except (YAMLError, ValueError) as error:
        what = (str(error).splitlines() or ["it cannot be read"])[0]
        raise _not_yaml(what, file) from None
    return root


#: Part of a message of the parser -> what to do.
_HELP = {
    "'\\t'": "Indent with spaces, not with tabs.",
    "single document": "Keep one document in the file: no second line of ---.",
    "mapping values are not allowed": "A value with a colon in it needs quotes; otherwise look at the indentation.",
    "could not find expected ':'": "A key needs a colon after it.",
    "'@'": "A value that begins with @ needs quotes.",
    "undefined alias": "A value that begins with * needs quotes; otherwise it names what & marks.",
    "expected alphabetic or numeric character": "A value that begins with * or & needs quotes.",
    "but got '['": "Between { and } a value with [ in it needs quotes.",
}


def _not_yaml(what: str, file: str, line: int | None = None, column: int | None = None) -> UserError:
    hint = next((text for part, text in _HELP.items() if part in what), None)
    return UserError([
        Problem(code="U002", message=f"not YAML: {what}.", hint=hint, file=file, line=line, column=column)
    ])  # fmt: skip


class _Reader:
    """Turns composed YAML nodes into plain data, noting positions and what is not plain."""

    def __init__(self, file: str, yaml: YAML) -> None:
        self.file = file
        self.at: dict[DataPath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._scalars = yaml.constructor
        self._count = 0

    def _found(self, code: str, message: str, hint: str | None, at: tuple[int, int]) -> Problem:
        line, column = at
        return Problem(code=code, message=message, hint=hint, file=self.file, line=line, column=column)

    def _note(self, code: str, message: str, hint: str | None, at: tuple[int, int]) -> None:
        self.problems.append(self._found(code, message, hint, at))
        if len(self.problems) >= MAX_PROBLEMS:
            raise UserError(self.problems)

    def read(self, node: Node, path: DataPath, depth: int) -> Any:
        """A node as plain data."""
        self._count += 1
        if depth > MAX_DEPTH:
            hint = f"At most {MAX_DEPTH} levels are read."
            raise UserError([self._found("U004", "the text is nested too deeply.", hint, _start(node))])
        if self._count > MAX_NODES:
            hint = f"At most {MAX_NODES:,} are read, each use of an alias included."
            raise UserError([self._found("U004", "the text has too many values.", hint, _start(node))])
        self.at.setdefault(path, _start(node))
        if not isinstance(node, ScalarNode) and str(node.tag) not in _COLLECTIONS:
            self._note("U012", *_other_tag(node), self.at[path])
        if isinstance(node, MappingNode):
            return self._mapping(node, path, depth)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, index), depth + 1) for index, item in enumerate(node.value)]
        return self._scalar(node, self.at[path])

    def _mapping(self, node: MappingNode, path: DataPath, depth: int) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._note("U012", "a key must be a plain word or number.", None, _start(key_node))
                continue
            key = self._scalar(key_node, _start(key_node))
            if key in result:
                name = key if isinstance(key, str) else shown(key)
                self._note(
                    "U003", f"the key `{name}` stands twice in one mapping.", "Keep one of them.", _start(key_node)
                )
                continue
            self.at[(*path, key)] = _start(key_node)
            result[key] = self.read(value_node, (*path, key), depth + 1)
        return result

    def _scalar(self, node: Node, at: tuple[int, int]) -> Any:
        if str(node.tag) not in _SCALARS:
            self._note("U012", *_other_tag(node), at)
            return None
        try:
            value = self._scalars.construct_object(node)
        except (ValueError, OverflowError, YAMLError):
            self._note("U012", f"`{_short(node)}` cannot be read as a value.", "Text that looks so needs quotes.", at)
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._note("U012", f"`{_short(node)}` is not a finite number.", None, at)
            return None
        if isinstance(value, int) and value not in _WHOLE_NUMBERS:
            self._note("U012", f"`{_short(node)}` is too large a number.", None, at)
            return None
        return value


def _start(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _short(node: Node) -> str:
    text = str(node.value)
    return text if len(text) <= 40 else text[:37] + "..."


def _other_tag(node: Node) -> tuple[str, str]:
    tag = str(node.tag)
    if tag == f"{_TAG}timestamp":
        return f"`{_short(node)}` is a date to YAML.", f'Put it in quotes: "{_short(node)}".'
    if tag == f"{_TAG}merge":
        return "merge keys (`<<`) are not read.", "Write the keys out."
    name = tag.replace(_TAG, "!!")
    return f"the tag {name} is not read.", "Use plain text, numbers, true and false."
