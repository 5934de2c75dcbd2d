"""Layers whose input is not kept for the backward pass, but computed again there by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, fx
from torch.autograd.function import once_differentiable

from builder.remat.layer import Conv, Linear
from builder.remat.tape import Back
from builder.remat.vjp import Gradients, Pullback, Rule


class Program(Protocol):
    """What computes a value again; see `builder.remat.tape.Tape`."""

    def __call__(self, leaves: Sequence[Any], wanted: Sequence[bool], *, mixed: bool) -> tuple[Tensor, Back | None]:
        """The value, and its pullback if a leaf that wants a gradient leads to it."""


@dataclass(frozen=True)
class Recipe:
    """How a value is computed again, and the layers that read it.

    Attributes:
        program: gives the value for its leaves, and a pullback.
        leaves: number of values that the program takes.
        layers: what reads the value; each with a weight and a bias.
        shown: whether the value itself is a result too, for other readers.
        within: what the program runs inside of in the backward pass.
    """

    program: Program
    leaves: int
    layers: tuple[Conv | Linear, ...]
    shown: bool
    within: Callable[[], AbstractContextManager[Any]] = nullcontext

    def results(self, value: Tensor, leaves: Sequence[Any], weights: Sequence[Any]) -> tuple[tuple[Tensor, ...], _Mode]:
        """Those of the layers, of which `weights` are weight and bias in turn, and the value if it is shown."""
        pairs = zip(self.layers, weights[::2], weights[1::2], strict=True)
        found = [layer(value, weight, bias) for layer, weight, bias in pairs]
        mode = _mode((value, *leaves, *weights, *found), value.device.type)
        return (*found, value) if self.shown else tuple(found), mode


def tied(recipe: Recipe) -> Callable[..., tuple[Tensor, ...]]:
    """The results of a recipe's layers for a value that autograd does not know, and that value if it is shown.

    Of all these the backward pass keeps the leaves and the weights only. The arguments are the value, the leaves, then
    weight and bias of each layer. Its attribute `rule` makes the rule for a call of it in a `builder.remat.tape.Tape`.
    """

    def layers(value: Tensor, *given: Any) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = _Tied.apply(recipe, value, *given)  # type: ignore[no-untyped-call]  # torch's own
        return found

    def rule(node: fx.Node) -> Rule:
        is_given = [isinstance(one, fx.Node) for one in node.args]

        def run(given: Sequence[Any], wanted: Sequence[bool]) -> tuple[tuple[Tensor, ...], Pullback]:
            values, asks = iter(given), iter(wanted)
            value: Any
            value, *rest = (next(values) if own else None for own in is_given)
            _, *asked = (next(asks) if own else False for own in is_given)
            weights: list[Any] = rest[recipe.leaves :]
            leaves = rest[: recipe.leaves]
            results, mode = recipe.results(value, leaves, weights)
            again, count = _Again(recipe, leaves, weights[::2], asked, mode), len(results)

            def pull(grads: Gradients, mine: bool) -> tuple[Gradients, bool]:  # noqa: FBT001
                grads += [None] * (count - len(grads))
                found = [None, *again.pulled(grads)]
                return [one for one, own in zip(found, is_given, strict=True) if own], False

            return results, pull

        return run

    layers.rule = rule  # type: ignore[attr-defined]
    return layers


class _Tied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, recipe: Recipe, value: Tensor, *given: Any) -> tuple[Tensor, ...]:
        leaves, weights = given[: recipe.leaves], given[recipe.leaves :]
        results, ctx.mode = recipe.results(value, leaves, weights)
        ctx.recipe, ctx.others = recipe, [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        ctx.save_for_backward(*(leaf if isinstance(leaf, Tensor) else None for leaf in leaves), *weights[::2])
        ctx.set_materialize_grads(False)
        return results

    @staticmethod
    @once_differentiable  # torch's own
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        recipe, saved = ctx.recipe, ctx.saved_tensors
        leaves = [other if leaf is None else leaf for leaf, other in zip(saved, ctx.others, strict=False)]
        again = _Again(recipe, leaves, saved[recipe.leaves :], ctx.needs_input_grad[2:], ctx.mode)
        return (None, None, *again.pulled(list(grads)))


@dataclass
class _Again:
    """A recipe's backward pass.

    Attributes:
        recipe: what is computed again.
        leaves: what its program takes; emptied once it has run.
        weights: of each layer.
        wanted: whether a leaf, and then each weight and bias in turn, wants a gradient.
        mode: how numbers were cast in the forward pass.
    """

    recipe: Recipe
    leaves: list[Any]
    weights: Sequence[Tensor]
    wanted: Sequence[bool]
    mode: _Mode

    def pulled(self, grads: Gradients) -> Gradients:
        """The gradients of the leaves, and of each weight and bias in turn, for those of the results."""
        with self.mode.without_autocast():
            return self._pulled(grads)

    def _pulled(self, grads: Gradients) -> Gradients:
        recipe, count = self.recipe, self.recipe.leaves
        with recipe.within(), self.mode.autocast():
            value, back = recipe.program(self.leaves, self.wanted[:count], mixed=self.mode.mixed)
        self.leaves.clear()
        size, dtype, through = value.shape, value.dtype, back is not None
        # To start a layer's kernels one by one, with the value gone in between, pays where it is most of their memory.
        at_once = through and all(value.numel() <= weight.numel() for weight in self.weights)
        # The last layer comes first, as in torch's engine, so that sums are the same to the last bit.
        layers = list(reversed(list(enumerate(zip(recipe.layers, self.weights, strict=True)))))
        found: Gradients = [None] * (2 * len(layers))
        total = _Total(grads[-1] if recipe.shown else None, dtype)
        for at, (layer, weight) in layers:
            grad, own = grads[at], self.wanted[count + 2 * at : count + 2 * at + 2]
            if grad is not None and (at_once or any(own)):
                asked = [at_once, *own]
                dx, *of_weights = layer.backward(grad, value.to(grad.dtype), weight.to(grad.dtype), asked)
                found[2 * at : 2 * at + 2] = [one if one is None else one.to(weight.dtype) for one in of_weights]
                total.add(dx)
        del value
        for at, (layer, weight) in layers if through and not at_once else ():
            grad, grads[at] = grads[at], None
            if grad is not None:
                total.add(layer.of_input(grad, size, weight.to(grad.dtype)))
        grad = dx = None
        grads.clear()
        if back is None or total.value is None:
            return [None] * count + found
        return [*back(*total.taken()), *found]


class _Total:
    """A sum of gradients."""

    def __init__(self, first: Tensor | None, dtype: torch.dtype) -> None:
        self.value, self._mine, self._dtype = first, False, dtype

    def add(self, grad: Tensor | None) -> None:
        """Count one in, if there is one."""
        if grad is not None:
            self.value = grad.to(self._dtype) if self.value is None else self.value + grad
            self._mine = True

    def taken(self) -> tuple[list[Tensor], bool]:
        """The sum, which is held here no longer; and whether it may be written over."""
        assert self.value is not None
        found, self.value = [self.value], None
        return found, self._mine


@dataclass(frozen=True)
class _Mode:
    """How numbers were cast in the forward pass.

    Attributes:
        kind: the type of the device.
        dtype: autocast's, if it was on.
        mixed: whether numbers were of several types.
    """

    kind: str
    dtype: torch.dtype | None
    mixed: bool

    def autocast(self) -> AbstractContextManager[Any]:
        """As in the forward pass, inside of `without_autocast`."""
        return nullcontext() if self.dtype is None else torch.autocast(self.kind, dtype=self.dtype)

    def without_autocast(self) -> AbstractContextManager[Any]:
        """Without the autocast that the backward pass may run in."""
        return torch.autocast(self.kind, enabled=False) if _is_autocast(self.kind) else nullcontext()


def _is_autocast(kind: str) -> bool:
    available = torch.amp.is_autocast_available(kind)  # torch's stubs lack it
    return bool(available and torch.is_autocast_enabled(kind))


def _mode(values: Iterable[Any], kind: str) -> _Mode:
    dtype = torch.get_autocast_dtype(kind) if _is_autocast(kind) else None
    types = {value.dtype for value in values if isinstance(value, Tensor) and value.is_floating_point()}
    return _Mode(kind, dtype, mixed=dtype is not None or len(types) > 1)
