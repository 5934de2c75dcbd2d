"""The page of the command line: every command with its arguments and options, as Typer knows them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer

from generator.markdown import block, code, table
from ushape.cli.app import app


def page(root: typer.Typer = app) -> str:
    """The page as Markdown."""
    command = typer.main.get_command(root)
    parts = ["# Command line", _marked(command.help or "")]
    parts += [text for name, one in each_command(command) for text in _section(name, one)]
    return "\n\n".join(part for part in parts if part) + "\n"


def each_command(command: Any, name: str = "ushape") -> Iterator[tuple[str, Any]]:
    """Every command that can be called, with its words; groups are walked through."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, one in inner.items():
        yield from each_command(one, f"{name} {word}")


def _section(name: str, command: Any) -> list[str]:
    hints = get_type_hints(inspect.unwrap(command.callback))
    parameters = [parameter for parameter in command.params if parameter.name in hints]
    words = [_usage(parameter) for parameter in parameters if parameter.param_type_name == "argument"]
    usage = " ".join([name, *words, "[OPTIONS]"])
    rows = [_parameter(parameter, hints[parameter.name]) for parameter in parameters]
    return [f"## {name}", _marked(command.help or ""), block("text", usage), table(["", "takes", "what it is"], rows)]


def _usage(argument: Any) -> str:
    word = argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _parameter(parameter: Any, hint: Any) -> tuple[str, str, str]:
    named = [*parameter.opts, *parameter.secondary_opts] if parameter.param_type_name == "option" else [parameter.name]
    default = parameter.default
    plain = hint is not bool and default not in (None, "") and not callable(default)
    said = f" Default: {code(getattr(default, 'value', default))}." if plain else ""
    needed = " Required." if parameter.required else ""
    return " ".join(code(word) for word in named), _takes(hint), _marked(parameter.help or "") + said + needed


def _takes(hint: Any) -> str:
    """What a value is, in a word: that of the annotation, without None; nothing for a flag."""
    if get_origin(hint) in (UnionType, Union):
        return " or ".join(_takes(one) for one in get_args(hint) if one is not type(None))
    if get_origin(hint) is list:
        return f"{_takes(get_args(hint)[0])}, several"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return ", ".join(code(one.value) for one in hint)
    return _WORDS[hint]


_WORDS = {bool: "", int: "whole number", float: "number", str: "text", Path: "path"}


def _marked(text: str) -> str:
    """Rich's bold as code: it marks commands everywhere."""
    plain = re.sub(r"\[/?bold\]", "`", text).replace("\\[", "[")
    return "\n".join(re.sub(r"^#", r"\#", line.strip()) for line in plain.split("\n")).strip()
