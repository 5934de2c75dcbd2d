"""Programs that are run forward and then pulled back call by call, each call's own memory going as it is done."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor, fx

from builder.remat.calls import is_quiet
from builder.remat.vjp import Gradients, Pullback, Rule, by_engine, is_absorbed, rule_of

#: (the gradient of the value, in a list which it empties; whether it may be written over) -> those of the leaves
Back: TypeAlias = Callable[[list[Tensor], bool], Gradients]


@dataclass(frozen=True, slots=True)
class _Step:
    """A call: where the values lie that it reads and gives.

    Attributes:
        plain: the call as a function of the values that it reads, in order.
        rules: its rule for numbers of one type, and of several; None where its result has no gradient.
        reads: places of these values.
        gives: places of its results; None for those that nothing reads.
        several: whether there may be several.
        spent: places that nothing reads later.
    """

    plain: Callable[..., Any]
    rules: tuple[Rule, Rule] | None
    reads: tuple[int, ...]
    gives: tuple[int | None, ...]
    several: bool
    spent: tuple[int, ...]


class Tape:
    """A graph of calls as a function with a pullback.

    Args:
        graph: calls of functions and methods on its placeholders, with one result.
    """

    def __init__(self, graph: fx.Graph) -> None:
        nodes = list(graph.nodes)
        places = {node: at for at, node in enumerate(nodes)}
        last = {source: node for node in nodes if not is_absorbed(node) for source in _reads(node)}
        (result,) = graph.output_node().all_input_nodes
        self._size, self._place = len(nodes), places[result]
        calls = [node for node in nodes if node.op.startswith("call") and not _is_part(node) and not is_absorbed(node)]
        self._steps = [_step(node, places, last) for node in calls]

    def __call__(self, leaves: Sequence[Any], wanted: Sequence[bool], *, mixed: bool) -> tuple[Tensor, Back | None]:
        """The value, and its pullback, which can be called once; None if no leaf that wants a gradient leads to it.

        Args:
            leaves: what the placeholders stand for.
            wanted: whether each wants a gradient.
            mixed: whether numbers are of several types, or autocast may make them so.
        """
        more = self._size - len(leaves)
        values, wants = [*leaves, *[None] * more], [*wanted, *[False] * more]
        done: list[tuple[_Step, Pullback]] = []
        for step in self._steps:
            given, asks = [values[at] for at in step.reads], [wants[at] for at in step.reads]
            for at in step.spent:
                values[at] = None
            follows = step.rules is not None and True in asks
            if follows:
                out, pull = step.rules[mixed](given, asks)  # type: ignore[index]
                done.append((step, pull))
            else:
                out = step.plain(*given)
            results = list(out) if step.several else [out]
            del given, out
            for place in step.gives:
                one = results.pop(0)
                if place is not None:
                    values[place], wants[place] = one, follows
            one = None
        return values[self._place], self._back(done, len(leaves)) if wants[self._place] else None

    def _back(self, done: list[tuple[_Step, Pullback]], leaves: int) -> Back:
        def back(total: list[Tensor], mine: bool) -> Gradients:  # noqa: FBT001
            grads: Gradients = [None] * self._size
            #: places of gradients that no one else holds
            own = {self._place} if mine else set[int]()
            grads[self._place] = total.pop()
            while done:
                step, pull = done.pop()
                of_results = [None if at is None else grads[at] for at in step.gives]
                mine = all(at in own for at in step.gives)
                for at in step.gives:
                    if at is not None:
                        grads[at] = None
                if all(grad is None for grad in of_results):
                    continue
                found, mine = pull(of_results, mine)
                del pull
                for at in step.reads:
                    _add(grads, own, at, found.pop(0), mine=mine)
            return grads[:leaves]

        return back


def _add(grads: Gradients, own: set[int], at: int, grad: Tensor | None, *, mine: bool) -> None:
    """Count a gradient in."""
    before = grads[at]
    if grad is None:
        return
    grads[at] = grad if before is None else before + grad
    if mine or before is not None:
        own.add(at)


def _is_part(node: fx.Node) -> bool:
    """Whether a call takes one of several results."""
    return node.target is operator.getitem and isinstance(node.args[0], fx.Node) and _is_several(node.args[0])


def _is_several(node: fx.Node) -> bool:
    return node.target in {"chunk", "split", "unbind"} or hasattr(node.target, "rule")


def _reads(node: fx.Node) -> list[fx.Node]:
    """What a call reads of other calls, in order, each time that it does."""
    found: list[fx.Node] = []
    fx.node.map_arg((node.args, node.kwargs), found.append)
    return [one for source in found for one in (_reads(source) if is_absorbed(source) else [source])]


def _step(node: fx.Node, places: dict[fx.Node, int], last: dict[fx.Node, fx.Node]) -> _Step:
    reads, plain, several = _reads(node), _plain(node), _is_several(node)
    gives: list[int | None] = [places[node]]
    if several:
        parts: dict[Any, int] = {user.args[1]: places[user] for user in node.users}
        gives = [parts.get(at) for at in range(1 + max(parts, default=-1))]
    rules = None
    if node.target is not getattr and not is_quiet(node.target):
        one_type, mixed = (rule_of(node, mixed=mixed) or by_engine(plain) for mixed in (False, True))
        rules = one_type, mixed
    spent = {places[one] for one in reads if last[one] is node}
    return _Step(plain, rules, tuple(places[one] for one in reads), tuple(gives), several, tuple(spent))


def _plain(node: fx.Node) -> Callable[..., Any]:
    """A call as a function of what it reads."""
    function: Any = getattr(Tensor, str(node.target)) if node.op == "call_method" else node.target
    if not node.kwargs and all(isinstance(one, fx.Node) and not is_absorbed(one) for one in node.args):
        return function  # type: ignore[no-any-return]
    inner = {source: _plain(source) for source in node.all_input_nodes if is_absorbed(source)}

    def plain(*given: Any) -> Any:
        following = iter(given)

        def value(source: fx.Node) -> Any:
            if source in inner:
                return inner[source](*(next(following) for _ in _reads(source)))
            return next(following)

        args, kwargs = fx.node.map_arg((node.args, node.kwargs), value)
        return function(*args, **kwargs)

    return plain
