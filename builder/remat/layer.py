"""Layers whose gradients can be computed one after the other, so that their input can go in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, fx
from torch.nn import functional

aten = torch.ops.aten

#: of input, weight and bias
OfAll: TypeAlias = tuple[Tensor | None, Tensor | None, Tensor | None]


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

    def backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]) -> OfAll:
        """Gradients of input, weight and bias, those that are wanted."""
        sizes = [weight.shape[0]] if wanted[2] else None
        rest = (list(self.stride), list(self.padding), list(self.dilation), False, [0, 0], self.groups)
        found: OfAll = aten.convolution_backward(grad, x, weight, sizes, *rest, wanted)
        return found

    def of_input(self, grad: Tensor, size: torch.Size, weight: Tensor) -> Tensor:
        """The gradient of an input of this size, whose numbers it does not need."""
        # A transposed convolution is what the backward of a convolution runs, by the same kernels.
        sides = zip(size[2:], grad.shape[2:], weight.shape[2:], self.stride, self.padding, self.dilation, strict=True)
        over = [n - ((m - 1) * s - 2 * p + d * (k - 1) + 1) for n, m, k, s, p, d in sides]
        rest = (weight, None, self.stride, self.padding, over, self.groups, self.dilation)
        if set(self.stride) == {1} or grad.device.type == "cuda" or len(grad) < 2:
            return torch.conv_transpose2d(grad, *rest)
        # oneDNN holds the result of a stride three times over, so half of the images go at a time.
        return torch.cat([torch.conv_transpose2d(half, *rest) for half in grad.chunk(2)])


@dataclass(frozen=True)
class Linear:
    """A linear layer."""

    def __call__(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The vectors after the layer."""
        return functional.linear(x, weight, bias)

    def backward(self, grad: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]) -> OfAll:
        """Gradients of input, weight and bias, those that are wanted."""
        rows = grad.flatten(0, -2)
        of_weight = rows.t() @ x.flatten(0, -2) if wanted[1] else None
        return grad @ weight if wanted[0] else None, of_weight, rows.sum(0) if wanted[2] else None

    def of_input(self, grad: Tensor, size: torch.Size, weight: Tensor) -> Tensor:
        """The gradient of an input, whose numbers it does not need."""
        del size
        return grad @ weight


def layer_of(node: fx.Node) -> Conv | Linear | None:
    """The layer that a call is, which takes input, weight and bias; None if it is no such call."""
    if node.kwargs or len(node.args) != (7 if node.target is torch.conv2d else 3):
        return None
    if node.target is torch.conv2d:
        stride, padding, dilation, groups = node.args[3:]
        return Conv(stride, padding, dilation, groups)  # type: ignore[arg-type]
    return Linear() if node.target is functional.linear else None
