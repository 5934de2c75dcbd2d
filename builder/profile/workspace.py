"""What kernels take beside their results: how each operation raises the allocated bytes, by rule.

The rules are those of torch's own CPU kernels, read in their source, and of oneDNN's convolutions on x86, seen in the
allocator's record: they copy maps and weights into layouts of their own. They are what a prediction without any
measurement goes by; `calibrate` measures instead. There are none for CUDA, whose libraries choose at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

import torch

from builder.profile.signature import Like, Signature
from builder.profile.trace import Operation, Trace

#: oneDNN pads channels to a multiple of this.
_BLOCK = 16


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation asks for: bytes at its own peak, results included, and the bytes of each result."""

    peak: int
    outputs: tuple[int, ...]


#: (arguments, bytes of the results) -> bytes beside them
Rule = Callable[[Signature, int], int]


def _native(x: Like, weight: Like) -> bool:
    """Whether torch convolves by itself: 1×1 kernels on one thread with few images, and very small maps."""
    batch = x.size[0]
    one = weight.size[2:] == (1, 1) and batch < _BLOCK and torch.get_num_threads() == 1
    return one or (batch == 1 and prod(x.size) <= 20_480)


def _padded(like: Like) -> int:
    """Bytes of a map or a weight in oneDNN's blocked layout; a few input channels stay as they are."""
    return _in_blocks(like.nbytes, like.size[1])


def _in_blocks(nbytes: int, channels: int) -> int:
    return nbytes // channels * (-(-channels // _BLOCK) * _BLOCK)


def _with_blocks(copies: int, results: int, channels: int) -> int:
    """Bytes beside the results of a convolution whose arguments are copied, and whose results come in blocks first."""
    blocked = _in_blocks(results, channels)
    return max(copies + blocked - results, blocked)


def _convolution(signature: Signature, results: int) -> int:
    x: Like
    weight: Like
    x, weight = signature.args[:2]
    if signature.args[6]:
        return _transposed(signature, results)
    groups, stride = signature.args[8], max(signature.args[3])
    if _native(x, weight):
        unfolded = _columns(weight, results, x.size[0])
        return unfolded if weight.size[2:] != (1, 1) or stride > 1 else 0
    if groups == weight.size[0]:
        return weight.nbytes
    copies = weight.nbytes if weight.size[2:] != (1, 1) else 0
    copies += _padded(x) if x.size[1] >= _BLOCK else 0
    return _with_blocks(copies, results, weight.size[0])


def _transposed(signature: Signature, results: int) -> int:
    """The gradient of a convolution's input, as the backward pass of recomputed layers takes it."""
    x: Like
    weight: Like
    x, weight = signature.args[:2]
    groups, strided = int(signature.args[8]), max(signature.args[3]) > 1
    if _native(x, weight):
        return _columns(weight, x.nbytes, x.size[0]) if weight.size[2:] != (1, 1) else results
    if strided:
        return 2 * results
    copies = _padded(weight) if groups == 1 else weight.nbytes
    copies += _padded(x) if x.size[1] >= _BLOCK else 0
    return _with_blocks(copies, results, weight.size[1] * groups)


def _columns(weight: Like, results: int, images: int) -> int:
    """Bytes of one image's pixels as they meet the kernel of a convolution with so many bytes of results."""
    return prod(weight.size[1:]) * results // weight.size[0] // images


def _convolution_backward(signature: Signature, results: int) -> int:
    del results
    grad: Like
    x: Like
    weight: Like
    grad, x, weight = signature.args[:3]
    copies = sum(like.nbytes for like in (grad, x) if not like.is_contiguous)
    if _native(x, weight):
        return copies or (_columns(weight, grad.nbytes, grad.size[0]) if weight.size[2:] != (1, 1) else 0)
    maps = _padded(grad) + (_padded(x) if x.size[1] >= _BLOCK else 0)
    return copies + max(maps, weight.nbytes + 4 * weight.size[0])


def _split(length: int) -> int:
    """Queries that the flash kernel of the CPU takes at a time (torch's FlashAttentionKernel.cpp)."""
    return min(256 if length >= 768 else 64 if length >= 192 else 32, length)


def _attention(signature: Signature, results: int) -> int:
    del results
    query: Like
    key: Like
    query, key = signature.args[:2]
    queries, keys = _split(query.size[2]), min(512, key.size[2])
    return torch.get_num_threads() * 4 * queries * (keys + 2 + query.size[3])


def _attention_backward(signature: Signature, results: int) -> int:
    del results
    query: Like
    key: Like
    query, key = signature.args[1:3]
    queries, keys = _split(query.size[2]), min(512, key.size[2])
    return torch.get_num_threads() * 4 * queries * (2 * keys + 1)


def _group_norm_backward(signature: Signature, results: int) -> int:
    del results
    return 2 * 4 * int(signature.args[5]) * int(signature.args[6])


def _input_and_result(signature: Signature, results: int) -> int:
    return int(signature.args[0].nbytes) + results


def _squares(signature: Signature, results: int) -> int:
    """Beside the squares that stay: they once more while they are summed, and three numbers."""
    del results
    return int(signature.args[0].nbytes) + 12


_CPU: dict[str, Rule] = {
    "aten.convolution.default": _convolution,
    "aten.convolution_backward.default": _convolution_backward,
    "aten._scaled_dot_product_flash_attention_for_cpu.default": _attention,
    "aten._scaled_dot_product_flash_attention_for_cpu_backward.default": _attention_backward,
    "aten.native_group_norm_backward.default": _group_norm_backward,
    "aten.upsample_nearest2d.default": _input_and_result,
    "aten.mse_loss.default": _squares,
}

RULES: Mapping[str, Mapping[str, Rule]] = {"cpu": _CPU, "cuda": {}}


def by_rule(trace: Trace, device: str) -> list[Need]:
    """What each operation of a trace needs, by the rules for a device."""
    rules = RULES[device]
    return [_need(trace, operation, rules.get(operation.name)) for operation in trace.operations]


def _need(trace: Trace, operation: Operation, rule: Rule | None) -> Need:
    outputs = tuple(trace.stored[number].nbytes for number in trace.outputs(operation))
    if operation.name == "aten.mse_loss.default" and operation.signature is not None and outputs:
        # Its mean stays in the storage that held the squares (torch's Loss.cpp), on every device.
        outputs = (operation.signature.args[0].nbytes,)
    extra = rule(operation.signature, sum(outputs)) if rule is not None and operation.signature is not None else 0
    return Need(sum(outputs) + extra, outputs)
