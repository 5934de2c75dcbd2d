"""Which node ids can be module paths: those that hide no attribute of torch's own classes."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator

from torch import fx, nn

from archspec import Problem
from builder.network import Group


def _attributes() -> frozenset[str]:
    """Everything that a model or a group of submodules has already, class and instance attributes."""
    model = fx.GraphModule(nn.Module(), fx.Graph())
    return frozenset({*dir(model), *dir(Group())})


RESERVED = _attributes()


def name_problems(nodes: Iterable[str]) -> Iterator[Problem]:
    """A problem for every id (of a node that becomes a module) that cannot be a module path (rule U109)."""
    ids = list(nodes)
    known = set(ids)
    for node in ids:
        segments = node.split(".")
        for word in segments:
            if word in RESERVED or keyword.iskeyword(word):
                yield _problem(node, f"`{word}` cannot be the name of a module: torch or Python uses it.")
        for end in range(1, len(segments)):
            parent = ".".join(segments[:end])
            if parent in known:
                yield _problem(node, f"this path lies inside `{parent}`, which is a node with weights of its own.")


def _problem(node: str, message: str) -> Problem:
    return Problem(code="U109", message=message, hint="Give the node another id.", node=node)
