"""How each module of a network was made, as Python text."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from archspec import ArchGraph, user_error
from archspec.ops.base import num_groups
from builder.assemble import traced
from builder.export.definitions import Definitions

_Call = tuple[nn.Module, tuple[Any, ...], dict[str, Any]]


def constructors(architecture: ArchGraph, definitions: Definitions) -> dict[str, str]:
    """Node -> the call that makes its module, such as ``Mlp(32, 128, 128)``; what it needs goes to `definitions`."""
    with torch.device("meta"):
        modules, _ = traced(architecture)
        classes = {type(part) for module in modules.values() for part in module.modules()}
        with _recording(classes) as calls:
            modules, _ = traced(architecture)
    writer = _Writer(calls, definitions)
    return {node: writer.text(module) for node, module in modules.items()}


@contextmanager
def _recording(classes: set[type[nn.Module]]) -> Iterator[dict[int, _Call]]:
    """Note with which arguments modules of these classes are made, as long as the block lasts."""
    calls: dict[int, _Call] = {}
    before: list[tuple[type[nn.Module], Any]] = []

    def noting(original: Callable[..., None]) -> Callable[..., None]:
        def init(self: nn.Module, *args: Any, **kwargs: Any) -> None:
            calls.setdefault(id(self), (self, args, kwargs))
            original(self, *args, **kwargs)

        init.__wrapped__ = original  # type: ignore[attr-defined]  # so that the signature can be read
        return init

    wrapped = {cls: noting(cls.__init__) for cls in classes}
    try:
        for cls, init in wrapped.items():
            before.append((cls, cls.__dict__.get("__init__")))
            cls.__init__ = init  # type: ignore[method-assign]
        yield calls
    finally:
        for cls, original in before:
            if original is None:
                del cls.__init__
            else:
                cls.__init__ = original  # type: ignore[method-assign]


class _Writer:
    """Arguments as Python text."""

    def __init__(self, calls: Mapping[int, _Call], definitions: Definitions) -> None:
        self.calls, self.definitions = calls, definitions

    def text(self, value: Any) -> str:
        """An expression that gives the value."""
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, partial):
            return self._partial(value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value)
        if isinstance(value, list | tuple):
            items = [self.text(item) for item in value]
            return (
                f"[{', '.join(items)}]" if isinstance(value, list) else f"({', '.join(items)}{',' * (len(items) == 1)})"
            )
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if callable(value) and hasattr(value, "__name__"):
            return self._name(value)
        raise user_error(f"a standalone file cannot say this argument of a layer: {value!r}.")

    def _name(self, thing: Any) -> str:
        name = self.definitions.need(thing)
        return f"nn.{name}" if thing.__module__.startswith("torch.nn.modules") else name

    def _module(self, module: nn.Module) -> str:
        _, args, kwargs = self.calls[id(module)]
        parameters = inspect.signature(type(module).__init__).parameters
        given = [self.text(value) for value in args]
        for name, value in kwargs.items():
            default = parameters[name].default if name in parameters else inspect.Parameter.empty
            if not _same(value, default):
                given.append(f"{name}={self.text(value)}")
        return f"{self._name(type(module))}({', '.join(given)})"

    def _partial(self, value: partial[Any]) -> str:
        if value.func is num_groups and isinstance(value.args[0], int):
            return repr(value.args[0])  # the groups do not depend on the channels
        self.definitions.imports.add("from functools import partial")
        arguments = [self.text(item) for item in value.args]
        arguments += [f"{name}={self.text(item)}" for name, item in value.keywords.items()]
        return f"partial({', '.join([self._name(value.func), *arguments])})"

    def _dataclass(self, value: Any) -> str:
        given = []
        for field in dataclasses.fields(value):
            held = getattr(value, field.name)
            if not _same(held, field.default):
                given.append(f"{field.name}={self.text(held)}")
        return f"{self._name(type(value))}({', '.join(given)})"


def _same(value: Any, default: Any) -> bool:
    """Whether a value is the default; arguments that compare element by element are not."""
    if isinstance(value, partial) and value.func is num_groups:
        value = value.args[0]
    if dataclasses.is_dataclass(value) and type(value) is type(default):
        return all(_same(getattr(value, one.name), getattr(default, one.name)) for one in dataclasses.fields(value))
    try:
        return type(value) is type(default) and bool(value == default)
    except (TypeError, ValueError, RuntimeError):
        return False
