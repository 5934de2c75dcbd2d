"""Layers whose input is not kept for the backward pass, but computed again there by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.autograd.graph import get_gradient_edge
from torch.nn import functional

aten = torch.ops.aten

_Gradients: TypeAlias = tuple[Tensor | None, Tensor | None, Tensor | None]


@dataclass(frozen=True)
class Conv:
    """A convolution; the arguments are those of `torch.conv2d`."""

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    groups: int

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The map after the convolution."""
        return torch.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: list[bool]) -> _Gradients:
        """Gradients of input, weight and bias, those that are wanted."""
        sizes = [weight.shape[0]] if wanted[2] else None
        rest = (list(self.stride), list(self.padding), list(self.dilation), False, [0, 0], self.groups)
        found: _Gradients = aten.convolution_backward(grad, x, weight, sizes, *rest, wanted)
        return found


@dataclass(frozen=True)
class Linear:
    """A linear layer."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The vectors after the layer."""
        return functional.linear(x, weight, bias)

    def backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: list[bool]) -> _Gradients:
        """Gradients of input, weight and bias, those that are wanted."""
        rows = grad.flatten(0, -2)
        return (
            grad @ weight if wanted[0] else None,
            rows.t() @ x.flatten(0, -2) if wanted[1] else None,
            rows.sum(0) if wanted[2] else None,
        )


@dataclass(frozen=True)
class Recipe:
    """How a value is computed again, and the layers that read it.

    Attributes:
        program: gives the value for its leaves.
        leaves: number of values that the program takes.
        layers: what reads the value; each with a weight and a bias.
        shown: whether the value itself is a result too, for other readers.
        within: what the program runs inside of in the backward pass.
    """

    program: Callable[..., Tensor]
    leaves: int
    layers: tuple[Conv | Linear, ...]
    shown: bool
    within: Callable[[], AbstractContextManager[Any]] = nullcontext


def tied(recipe: Recipe) -> Callable[..., tuple[Tensor, ...]]:
    """The results of a recipe's layers for a value that autograd does not know, and that value if it is shown.

    Of all these the backward pass keeps the leaves and the weights only. The arguments are the value, the leaves, then
    weight and bias of each layer.
    """

    def layers(value: Tensor, *given: Any) -> tuple[Tensor, ...]:
        found: tuple[Tensor, ...] = _Tied.apply(recipe, value, *given)  # type: ignore[no-untyped-call]  # torch's own
        return found

    return layers


class _Tied(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, recipe: Recipe, value: Tensor, *given: Any) -> tuple[Tensor, ...]:
        leaves, weights, biases = given[: recipe.leaves], given[recipe.leaves :: 2], given[recipe.leaves + 1 :: 2]
        ctx.recipe, ctx.autocast = recipe, _autocast(value.device.type)
        ctx.others = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]
        ctx.save_for_backward(*(leaf if isinstance(leaf, Tensor) else None for leaf in leaves), *weights)
        ctx.set_materialize_grads(False)
        found = [layer(value, *own) for layer, *own in zip(recipe.layers, weights, biases, strict=True)]
        return (*found, value) if recipe.shown else tuple(found)

    @staticmethod
    @once_differentiable  # torch's own
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        recipe, saved, wanted = ctx.recipe, ctx.saved_tensors, ctx.needs_input_grad[2:]
        leaves = [
            other if leaf is None else leaf.detach().requires_grad_(wanted[index])
            for index, (leaf, other) in enumerate(zip(saved, ctx.others, strict=False))
        ]
        with recipe.within(), torch.enable_grad(), _cast(ctx.autocast):
            value = recipe.program(*leaves)
        # The edge keeps what leads to the value, and not the value itself, which goes once the layers are done.
        edge = get_gradient_edge(value) if value.requires_grad else None
        asked = [wanted[at : at + 2] for at in range(recipe.leaves, len(wanted), 2)]
        total, found = _of_layers(recipe, grads, value.detach(), saved[recipe.leaves :], asked, edge is not None)
        del value
        down: list[Tensor | None] = [None] * recipe.leaves
        if edge is not None and total is not None:
            at = [index for index in range(recipe.leaves) if wanted[index]]
            got = torch.autograd.grad([edge], [leaves[index] for index in at], [total], allow_unused=True)
            for index, one in zip(at, got, strict=True):
                down[index] = one
        return (None, None, *down, *found)


def _of_layers(
    recipe: Recipe,
    grads: Sequence[Tensor | None],
    value: Tensor,
    weights: Sequence[Tensor],
    asked: Sequence[Sequence[bool]],
    through: bool,  # noqa: FBT001 - one of many
) -> tuple[Tensor | None, list[Tensor | None]]:
    """The gradient of the value, if it goes `through`; and those of each layer's weight and bias.

    The last layer comes first, as in the autograd engine, so that sums are the same to the last bit.
    """
    total = grads[-1] if recipe.shown else None
    found: list[Tensor | None] = []
    for layer, grad, weight, own in reversed(list(zip(recipe.layers, grads, weights, asked, strict=False))):
        if grad is None:
            found = [None, None, *found]
            continue
        cast = grad.dtype
        dx, dw, db = layer.backward(grad, value.to(cast), weight.to(cast), [through, *own])
        if dx is not None:
            total = dx.to(value.dtype) if total is None else total + dx
        found = [*(one if one is None else one.to(weight.dtype) for one in (dw, db)), *found]
    return total, found


_Autocast: TypeAlias = tuple[str, torch.dtype] | None


def _autocast(kind: str) -> _Autocast:
    available = torch.amp.is_autocast_available(kind)  # torch's stubs lack it
    return (kind, torch.get_autocast_dtype(kind)) if available and torch.is_autocast_enabled(kind) else None


def _cast(autocast: _Autocast) -> AbstractContextManager[Any]:
    return nullcontext() if autocast is None else torch.autocast(autocast[0], dtype=autocast[1])
