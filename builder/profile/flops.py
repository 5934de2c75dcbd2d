"""FLOPs of one operation by torch's own formulas, and ours where those are at fault.

torch counts two for a multiply-accumulate of a matrix product, convolution or fused attention, and nothing else. Two of
its counts are wrong in torch 2.13, and corrected here:

- the CPU's fused attention has no formula and counts nothing (pytorch issue 195460): it is counted as the GPU's
  kernels are, whose backward computes the scores once more (five products instead of four);
- the weight gradient of a grouped convolution is counted as if every output channel saw every input channel
  (pytorch issue 183405): it is divided by the number of groups.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import flop_registry, sdpa_backward_flop_count, sdpa_flop_count

aten = torch.ops.aten

Formula = Callable[[tuple[Any, ...], Mapping[str, Any], Any], int]


def _attention(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    del kwargs, result
    query, key, value = args[:3]
    return int(sdpa_flop_count(query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def _attention_backward(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    del kwargs, result
    grad, query, key, value = args[:4]
    return int(sdpa_backward_flop_count(grad.shape, query.shape, key.shape, value.shape))  # type: ignore[no-untyped-call]


def _convolution_backward(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    flops = int(flop_registry[aten.convolution_backward](*args, **kwargs, out_val=result))
    groups, (_, weight_too, _) = args[9], args[10]
    if groups == 1 or not weight_too:
        return flops
    grad, x, weight = args[:3]
    # One product for each number of the smaller map's positions, weight and image, groups times too often.
    positions = x.shape[2:] if args[7] else grad.shape[2:]
    one_group = 2 * prod(positions) * prod(weight.shape) * x.shape[0]
    return int(flops - one_group * (groups - 1))


_OURS: dict[Any, Formula] = {
    aten._scaled_dot_product_flash_attention_for_cpu: _attention,  # noqa: SLF001 - its only name
    aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,  # noqa: SLF001
    aten.convolution_backward: _convolution_backward,
}


def flops_of(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> int:
    """FLOPs of a call of an ATen operation; 0 for what torch does not count."""
    packet = func.overloadpacket
    if packet in _OURS:
        return _OURS[packet](args, kwargs, result)
    formula = flop_registry.get(packet)
    return int(formula(*args, **kwargs, out_val=result)) if formula is not None else 0
