"""Functions that stand in a training program instead of several others."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


@cache
def quietly(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, of whose result autograd does not know."""

    def quiet(*args: Any, **kwargs: Any) -> Any:
        before = torch.is_grad_enabled()
        torch._C._set_grad_enabled(False)  # noqa: SLF001, FBT003 - what torch.no_grad does, at a tenth of its time
        try:
            return function(*args, **kwargs)
        finally:
            torch._C._set_grad_enabled(before)  # noqa: SLF001

    quiet.__name__ = quiet.__qualname__ = f"quiet_{function.__name__}"
    quiet.is_quiet = True  # type: ignore[attr-defined]
    return quiet


def is_quiet(function: object) -> bool:
    """Whether it is a function that `quietly` gave."""
    return hasattr(function, "is_quiet")


def silu_into(x: Tensor) -> Tensor:
    """SiLU of `x`, written over it."""
    return functional.silu(x, inplace=True)


def normed_silu(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """SiLU of a group norm; the norm's result is not kept for a backward pass."""
    return functional.silu(torch.group_norm(x, groups, weight, bias, eps), inplace=True)


def added(x: Tensor, other: Tensor) -> Tensor:
    """`x` plus `other`, written over `x` where the sum has its shape, layout and type."""
    return x.add_(other) if _takes(x, other) else x + other


def added_to(x: Tensor, other: Tensor) -> Tensor:
    """`x` plus `other`, written over `other` where the sum has its shape, layout and type."""
    return other.add_(x) if _takes(other, x) else x + other


def _takes(x: Tensor, other: Tensor) -> bool:
    """Whether `other` can be added to `x` in place; `torch.broadcast_shapes` would be a twentieth of a small step."""
    if x.dtype != other.dtype:
        return False
    if x.shape == other.shape:
        return x.stride() == other.stride()
    sides = zip(reversed(x.shape), reversed(other.shape), strict=False)
    return x.ndim >= other.ndim and all(size in {1, whole} for whole, size in sides)


def drawn_from(x: Tensor) -> Tensor:
    """The state of the generator that dropout of `x` will draw from."""
    return torch.get_rng_state() if x.device.type != "cuda" else torch.cuda.get_rng_state(x.device)


def dropped(x: Tensor, share: float, state: Tensor) -> Tensor:
    """Dropout in training, of which `state` is what `drawn_from` gave before."""
    del state
    return functional.dropout(x, share)


def dropped_again(x: Tensor, share: float, state: Tensor) -> Tensor:
    """The same dropout once more; the generator is left as it was."""
    device = [x.device] if x.device.type == "cuda" else []
    with torch.random.fork_rng(device):
        if device:
            torch.cuda.set_rng_state(state, x.device)
        else:
            torch.set_rng_state(state)
        return functional.dropout(x, share)
