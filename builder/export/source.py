"""A compiled model's forward as text that reads like the spec."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Mapping
from types import FunctionType
from typing import Any

import torch

from archspec import ArchGraph, fingerprint, total_price
from builder.assemble import assemble
from builder.network import Network


def source(model: ArchGraph | Network) -> str:
    """The generated forward of an architecture or a compiled model, as Python source.

    Variables are named by the nodes' ids with dots as underscores. A header names the architecture, its fingerprint
    and its price. The text is what runs, but for torch's notation: submodules that are named by numbers are indexed,
    functions stand under their own names (imported above it), and the lines that free a value at its last use are left
    out. Bound to the model it came from, it computes the same.
    """
    network = model if isinstance(model, Network) else _on_meta(model)
    generated = network.graph.python_code(root_module="self")
    reader = Readable(generated.globals, (node.name for node in network.graph.nodes))
    tree = ast.fix_missing_locations(reader.visit(ast.parse(generated.src)))
    return "\n".join([*_header(network.architecture), *sorted(reader.imports), "", "", ast.unparse(tree).strip(), ""])


def _on_meta(architecture: ArchGraph) -> Network:
    with torch.device("meta"):
        return assemble(architecture)


def _header(architecture: ArchGraph) -> list[str]:
    price = total_price(architecture)
    name = " ".join(str(architecture.graph["name"]).split())
    return [
        f"# Architecture: {name}",
        f"# Fingerprint: {fingerprint(architecture)}",
        f"# {price.parameters:,} parameters, {price.macs:,} multiply-accumulates per image",
    ]


class Readable(ast.NodeTransformer):
    """Rewrites torch's generated code to what a person would have written."""

    def __init__(self, names: Mapping[str, Any], variables: Iterable[str]) -> None:
        self.names, self.variables = names, frozenset(variables)
        self.imports = {"import torch"}

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """Drops ``h = skip = None``, which frees what is not needed any more."""
        if isinstance(node.value, ast.Constant) and node.value.value is None:
            return None
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``getattr(self.down, "0")`` becomes ``self.down[0]``."""
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name("getattr"), args=[owner, ast.Constant(str(name))]) if name.isdecimal():
                return ast.Subscript(owner, ast.Constant(int(name)), ast.Load())
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A function under torch's mangled name becomes the function under its own."""
        function = self.names.get(node.id)
        if not isinstance(function, FunctionType):
            return node
        return ast.Name(self.named(function, node.id), node.ctx)

    def named(self, function: FunctionType, alias: str) -> str:
        """The name of a function in the text, which imports it; `alias` where a variable has the name already."""
        module = inspect.getmodule(function)
        assert module is not None
        taken = function.__name__ in self.variables
        self.imports.add(f"from {module.__name__} import {function.__name__}" + (f" as {alias}" if taken else ""))
        return alias if taken else function.__name__
