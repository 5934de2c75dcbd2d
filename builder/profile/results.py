"""Results of operations that torch's meta kernels are slow to give: group norms, through Python decompositions.

They are as the kernels of CPU and CUDA give them (torch's group_norm.cpp): the layout of the input if it is channels
last, else contiguous, and statistics per image and group.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def _like(x: Tensor) -> Tensor:
    last = x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.empty_like(x, memory_format=torch.channels_last if last else torch.contiguous_format)


def _group_norm(x: Tensor, weight: Tensor | None, bias: Tensor | None, batch: int, *rest: Any) -> tuple[Tensor, ...]:
    # Statistics are kept in the type of the weights where that is the wider one.
    dtype = x.dtype if weight is None else torch.promote_types(x.dtype, weight.dtype)
    groups = rest[2]
    mean = torch.empty((batch, groups), dtype=dtype, device=x.device)
    return _like(x), mean, torch.empty_like(mean)


def _group_norm_backward(grad: Tensor, x: Tensor, *rest: Any) -> tuple[Tensor | None, ...]:
    weight, channels, mask = rest[2], rest[4], rest[7]
    dtype = x.dtype if weight is None else weight.dtype
    sums = [torch.empty(channels, dtype=dtype, device=x.device) if wanted else None for wanted in mask[1:]]
    return _like(x) if mask[0] else None, *sums


_RESULTS: Mapping[Any, Callable[..., Any]] = {
    aten.native_group_norm.default: _group_norm,
    aten.native_group_norm_backward.default: _group_norm_backward,
}


def result_of(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What an operation gives on the meta device."""
    quick = _RESULTS.get(func)
    if quick is None or kwargs or args[0].device.type != "meta":
        return func(*args, **kwargs)
    return quick(*args)
