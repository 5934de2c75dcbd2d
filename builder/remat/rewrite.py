"""A graph of calls with the layers tied to recipes of their inputs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import fx
from torch.nn import functional

from builder.remat.calls import added, added_to, drawn_from, dropped, dropped_again, normed_silu, quietly, silu_into
from builder.remat.layer import layer_of
from builder.remat.select import HEAVY
from builder.remat.tape import Tape
from builder.remat.tied import Recipe, tied
from builder.remat.vjp import is_plain_norm

#: Functions whose results share no memory with anything else and are not read for their own gradient.
_FRESH = frozenset({torch.group_norm, torch.layer_norm})


Within: TypeAlias = Callable[[], AbstractContextManager[Any]]


def rewritten(graph: fx.Graph, again: Collection[fx.Node], within: Within = nullcontext) -> fx.Graph:
    """The graph that computes the same, and keeps nothing of `again` for its backward pass.

    Args:
        graph: calls without side effects on each other.
        again: calls to compute again; none of them is a module's.
        within: what is computed again runs inside of this.
    """
    return _Rewriting(graph, again, within).graph


class _Rewriting:
    def __init__(self, old: fx.Graph, again: Collection[fx.Node], within: Within) -> None:
        self.graph, self._within = fx.Graph(), within
        self._again, self._order = set(again), {node: at for at, node in enumerate(old.nodes)}
        #: old value -> the new one that autograd knows, and of those in `again` the one that it does not
        self._known: dict[fx.Node, fx.Node] = {}
        self._quiet: dict[fx.Node, fx.Node] = {}
        for node in old.nodes:
            if node in self._again:
                self._compute(node)
            elif node not in self._known:  # else it is a layer that is tied already
                self._known[node] = self._copied(node)
        self.graph.lint()

    def _copied(self, node: fx.Node) -> fx.Node:
        if node.target is operator.add and len(node.args) == 2:
            return self._sum(node)
        return self.graph.node_copy(node, self._value if _is_aside(node) else self._known.__getitem__)

    def _compute(self, node: fx.Node) -> None:
        """A value that is computed again: quietly, and then what else than such values reads it."""
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), self._value)
        if node.op == "call_method":
            function: Any = getattr(torch.Tensor, str(node.target))
        else:
            into = self._may_overwrite(node)
            function, kwargs = (silu_into, {}) if into else (node.target, kwargs)
        self._quiet[node] = self.graph.call_function(quietly(function), args, kwargs)
        others = [user for user in node.users if user not in self._again and not _is_aside(user)]
        if others:
            self._tie(node, others)

    def _value(self, node: fx.Node) -> fx.Node:
        return self._quiet.get(node) or self._known[node]

    def _may_overwrite(self, node: fx.Node) -> bool:
        source = node.args[0]
        return (
            node.target is functional.silu
            and not node.kwargs.get("inplace")
            and isinstance(source, fx.Node)
            and source in self._again
            and source.target in _FRESH
            and len(source.users) == 1
        )

    def _tie(self, node: fx.Node, others: list[fx.Node]) -> None:
        layers = [user for user in others if _is_layer(user, node) and self._has(user.args[1:])]
        shown = len(layers) < len(others)
        leaves, program = self._program(node)
        kinds = tuple(layer for layer in map(layer_of, layers) if layer is not None)
        recipe = Recipe(program, len(leaves), kinds, shown, self._within)
        weights = [self._given(value) for layer in layers for value in _weights(layer)]
        arguments = (self._quiet[node], *(self._known[leaf] for leaf in leaves), *weights)
        results = self.graph.call_function(tied(recipe), arguments)
        for number, value in enumerate([*layers, node] if shown else layers):
            self._known[value] = self.graph.call_function(operator.getitem, (results, number))

    def _has(self, arguments: Any) -> bool:
        return all(value in self._known for value in arguments if isinstance(value, fx.Node))

    def _given(self, value: Any) -> Any:
        return self._known[value] if isinstance(value, fx.Node) else value

    def _program(self, node: fx.Node) -> tuple[list[fx.Node], Any]:
        """The values that a value is computed from again, and how."""
        needed, stack = set[fx.Node](), [node]
        while stack:
            one = stack.pop()
            if one not in needed:
                needed.add(one)
                stack += [source for source in one.all_input_nodes if source in self._again]
        steps = sorted(needed, key=self._order.__getitem__)
        leaves = list(dict.fromkeys(source for one in steps for source in one.all_input_nodes if source not in needed))
        graph = fx.Graph()
        values = {leaf: graph.placeholder(f"leaf_{number}") for number, leaf in enumerate(leaves)}
        for one in steps:
            values[one] = graph.node_copy(one, values.__getitem__)
            if one.target is dropped:
                values[one].target = dropped_again
        graph.output(values[node])
        if any(one.target in HEAVY for one in steps):
            _join_norms(graph)
            heavy = [one for one in graph.nodes if one.target in HEAVY]
            graph = rewritten(graph, _before(heavy) - set(heavy) - _after(heavy))
        return leaves, Tape(graph)

    def _sum(self, node: fx.Node) -> fx.Node:
        """A sum, written over a layer's result that nothing else reads where there is one."""
        over = [self._is_overwritable(side) for side in node.args]
        if not any(over) or not all(isinstance(side, fx.Node) for side in node.args):
            return self.graph.node_copy(node, self._known.__getitem__)
        sides = tuple(self._known[side] for side in node.args)  # type: ignore[index]
        return self.graph.call_function(added if over[0] else added_to, sides)

    def _is_overwritable(self, node: Any) -> bool:
        known = isinstance(node, fx.Node) and node not in self._again
        return known and node.target in HEAVY and len(node.users) == 1


def _join_norms(graph: fx.Graph) -> None:
    """Take norm and SiLU for one, which keeps less: where layers run twice a norm more costs little."""
    for node in graph.find_nodes(op="call_function", target=functional.silu):
        norm = node.args[0]
        alone = norm.target is torch.group_norm and len(norm.users) == 1
        if alone and is_plain_norm(norm) and not node.kwargs.get("inplace"):
            with graph.inserting_before(node):
                node.replace_all_uses_with(graph.call_function(normed_silu, norm.args))
            graph.erase_node(node)
            graph.erase_node(norm)


def _before(nodes: list[fx.Node]) -> set[fx.Node]:
    """Calls that these are computed from."""
    found, stack = set[fx.Node](), list(nodes)
    while stack:
        for source in stack.pop().all_input_nodes:
            if source not in found and source.op != "placeholder":
                found.add(source)
                stack.append(source)
    return found


def _after(nodes: list[fx.Node]) -> set[fx.Node]:
    """Calls that are computed from these."""
    found, stack = set[fx.Node](), list(nodes)
    while stack:
        for user in stack.pop().users:
            if user not in found:
                found.add(user)
                stack.append(user)
    return found


def _is_aside(node: fx.Node) -> bool:
    """Whether a call reads no numbers of a value, so that autograd need not know it there."""
    return node.target in {drawn_from, getattr}


def _is_layer(user: fx.Node, value: fx.Node) -> bool:
    """Whether a call is a layer that reads the value as its input and nowhere else."""
    return layer_of(user) is not None and user.args[0] is value and value not in user.args[1:]


def _weights(node: fx.Node) -> tuple[Any, Any]:
    return node.args[1], node.args[2]
