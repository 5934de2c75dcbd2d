"""Fused attention on the meta device, as the target would choose it.

On meta, torch takes attention apart into the products of the math kernel, which keep the whole matrix of scores. So
each call is handed to the operation that the target's own selection ends in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from builder.layers.fused import in_blocks, query_blocks

aten = torch.ops.aten
Attend = Callable[..., Tensor]

#: Largest head of the flash kernel on CUDA.
_FLASH_HEAD = 256


def _on_cpu(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """The CPU's flash kernel, over the blocks that the layers divide their queries into."""

    def kernel(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return aten._scaled_dot_product_flash_attention_for_cpu(  # type: ignore[no-any-return]  # noqa: SLF001
            q, k, v, attn_mask=mask, scale=scale
        )[0]

    return in_blocks(kernel, query, key, value, 1 if mask is not None else query_blocks(query, key, value))


def _on_cuda(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """Flash for half precision without a mask, else the memory-efficient kernel."""
    head = query.shape[-1]
    scale = scale or 1.0 / math.sqrt(head)
    if query.dtype in (torch.float16, torch.bfloat16) and mask is None and head <= _FLASH_HEAD:
        # torch pads heads to a multiple of 8 before it calls the kernel
        q, k, v = (functional.pad(x, (0, -head % 8)) if head % 8 else x for x in (query, key, value))
        padded: Tensor = aten._scaled_dot_product_flash_attention(q, k, v, scale=scale)[0]  # noqa: SLF001
        return padded[..., :head] if head % 8 else padded
    if mask is not None:
        mask = mask.expand(query.shape[0], query.shape[1], query.shape[2], key.shape[2])
    saves = torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value))
    return aten._scaled_dot_product_efficient_attention(  # type: ignore[no-any-return]  # noqa: SLF001
        query, key, value, mask, saves, scale=scale
    )[0]


def _as_numbers(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """A boolean mask as the numbers that torch turns it into before it calls a kernel: 0, or minus infinity."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=dtype).masked_fill_(mask.logical_not(), -math.inf)


_KERNELS = {"cpu": _on_cpu, "cuda": _on_cuda}


class FusedAttention(TorchFunctionMode):
    """Hands `scaled_dot_product_attention` to the fused operation of `device`; what it does not take stays as it is."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self._kernel = _KERNELS[device]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Route one call."""
        kwargs = dict(kwargs or {})
        if func is functional.scaled_dot_product_attention:
            result = self._attend(*args, **kwargs)
            if result is not None:
                return result
        return func(*args, **kwargs)

    def _attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
        scale: float | None = None,
        **rest: Any,
    ) -> Tensor | None:
        fused = query.dim() == 4 and query.shape[-1] == value.shape[-1]
        if not fused or dropout_p or is_causal or rest:
            return None
        return self._kernel(query, key, value, _as_numbers(attn_mask, query.dtype), scale)
