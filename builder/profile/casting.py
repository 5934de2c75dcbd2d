"""Autocast on the meta device, where torch's own does nothing: casts by the rules of the target.

The lists are those of torch's documentation ("Autocast Op Reference"), as far as networks of this package use them.
Weights are cast once in a forward and kept until its end, as autocast's cache does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_LOWER = frozenset(
    {
        functional.conv2d, functional.conv_transpose2d, functional.linear, functional.scaled_dot_product_attention,
        torch.matmul, torch.mm, torch.bmm, torch.addmm, torch.baddbmm, Tensor.matmul, Tensor.__matmul__,
    }
)  # fmt: skip
_UPPER = {
    "cpu": frozenset({functional.mse_loss}),
    "cuda": frozenset(
        {
            functional.group_norm, functional.layer_norm, functional.softmax, torch.softmax, Tensor.softmax,
            functional.mse_loss, torch.exp, Tensor.exp, torch.pow, Tensor.pow, torch.rsqrt, Tensor.rsqrt,
        }
    ),
}  # fmt: skip


class Casting(TorchFunctionMode):
    """Autocast to `dtype` as on `device`; drop it at the end of the forward, and its cache with it."""

    def __init__(self, device: str, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self._upper = _UPPER[device]
        self._cache: dict[int, Tensor] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Cast the arguments of one call, if its function is on a list."""
        kwargs = dict(kwargs or {})
        if func in _LOWER:
            return func(*(self._lowered(one) for one in args), **{k: self._lowered(v) for k, v in kwargs.items()})
        if func in self._upper:
            return func(*map(_raised, args), **{name: _raised(value) for name, value in kwargs.items()})
        return func(*args, **kwargs)

    def _lowered(self, value: Any) -> Any:
        if not _eligible(value) or value.dtype == self._dtype:
            return value
        if not (value.is_leaf and value.requires_grad and value.dtype == torch.float32):
            return value.to(self._dtype)
        if id(value) not in self._cache:
            self._cache[id(value)] = value.to(self._dtype)
        return self._cache[id(value)]


def _eligible(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.dtype != torch.float64


def _raised(value: Any) -> Any:
    return value.to(torch.float32) if _eligible(value) else value
