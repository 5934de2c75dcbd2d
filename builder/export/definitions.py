"""The source of classes and functions of ours with everything that they use, so that it stands alone."""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
from types import FunctionType, ModuleType
from typing import Any

from archspec import user_error

#: Packages whose source goes along; what comes from others is imported.
_OURS = ("archspec", "builder", "search", "studies", "reports", "ushape")


class Definitions:
    """Collects definitions in an order in which Python can read them, and the imports that they need.

    Layers from outside (of installed packages other than torch) are imported from where they are.
    """

    def __init__(self) -> None:
        self.imports: set[str] = set()
        #: name -> its source, dependencies first
        self.texts: dict[str, str] = {}
        self._homes: dict[str, str] = {}
        self._modules: dict[str, _Module] = {}

    def need(self, thing: Any) -> str:
        """Have a class or function defined (or imported, if it is not ours), and give its name."""
        name, home = thing.__name__, thing.__module__
        if home.split(".")[0] not in _OURS:
            self.imports.add(_import_of(name, home))
            return str(name)
        self._define(name, home)
        return str(name)

    def _define(self, name: str, home: str) -> None:
        if name in self._homes:
            if self._homes[name] != home:
                message = f"two parts of this network are called `{name}`, in {self._homes[name]} and in {home}."
                raise user_error(message, "A standalone file cannot hold both.")
            return
        self._homes[name] = home
        module = self._module(home)
        for used in module.names_in(name):
            self._use(used, home)
        self.texts[name] = module.text(name)

    def _use(self, name: str, home: str) -> None:
        module = self._module(home)
        if name in module.statements:
            self._define(name, home)
        elif name in module.imported:
            source, original = module.imported[name]
            if source.split(".")[0] in _OURS and original is not None:
                thing = getattr(sys.modules[source], original)
                if isinstance(thing, type | FunctionType):
                    self.need(thing)
                else:
                    self._define(original, source)
            else:
                self.imports.add(_import_line(name, source, original))

    def _module(self, home: str) -> _Module:
        if home not in self._modules:
            self._modules[home] = _Module(sys.modules[home])
        return self._modules[home]


def _import_of(name: str, home: str) -> str:
    """Torch's own layers by their public place."""
    return "from torch import nn" if home.startswith("torch.nn.modules") else f"from {home} import {name}"


def _import_line(name: str, source: str, original: str | None) -> str:
    if original is None:
        return f"import {source}" if source == name else f"import {source} as {name}"
    return f"from {source} import {original}" + ("" if original == name else f" as {name}")


class _Module:
    """A module's top-level definitions and imports, by the names they bind."""

    def __init__(self, module: ModuleType) -> None:
        self.source = inspect.getsource(module)
        self.statements: dict[str, ast.stmt] = {}
        self.imported: dict[str, tuple[str, str | None]] = {}
        for statement in ast.parse(self.source).body:
            self._bind(statement)

    def _bind(self, statement: ast.stmt) -> None:
        match statement:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                self.statements[name] = statement
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                self.statements[name] = statement
            case ast.Import(names=names):
                self.imported |= {alias.asname or alias.name: (alias.name, None) for alias in names}
            case ast.ImportFrom(module=str(source), names=names) if source != "__future__":
                self.imported |= {alias.asname or alias.name: (source, alias.name) for alias in names}

    def names_in(self, name: str) -> list[str]:
        """Every name that a definition uses, in order; annotations too, though they are never evaluated."""
        found = [node.id for node in ast.walk(self.statements[name]) if isinstance(node, ast.Name)]
        return [used for used in dict.fromkeys(found) if used != name and not hasattr(builtins, used)]

    def text(self, name: str) -> str:
        """The source of a definition, decorators included and linters' marks taken out."""
        statement = self.statements[name]
        first = min([statement.lineno, *(node.lineno for node in getattr(statement, "decorator_list", []))])
        lines = self.source.split("\n")[first - 1 : statement.end_lineno]
        return "\n".join(line.split("  # noqa")[0].split("  # type:")[0].rstrip() for line in lines)
