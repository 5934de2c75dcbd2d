"""Softmax attention by torch's fused kernels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]

#: Fewer queries are not worth blocks of their own.
_QUERIES = 1024
#: More blocks gain nothing and keep more gradients of k and v at a time.
_BLOCKS = 4


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q·kᵀ / sqrt(d))·v: ``[b, heads, n, d], [b, heads, m, d] twice -> [b, heads, n, d]``.

    In training on a CPU the queries of a single image and head go in blocks, see `query_blocks`.
    """
    blocks = 1 if q.device.type != "cpu" or torch.compiler.is_compiling() else query_blocks(q, k, v)
    return in_blocks(functional.scaled_dot_product_attention, q, k, v, blocks)


def query_blocks(q: Tensor, k: Tensor, v: Tensor) -> int:
    """Blocks of queries that keep torch's threads busy in the backward pass on a CPU.

    The backward of torch's CPU kernel gives each image and head to one thread (its forward divides the queries too).
    """
    images, heads, queries, _ = q.shape
    if not images or queries < _QUERIES or not torch.is_grad_enabled() or not any(x.requires_grad for x in (q, k, v)):
        return 1
    blocks = min(_BLOCKS, torch.get_num_threads() // (images * heads))
    return blocks if blocks > 1 and queries % blocks == 0 else 1


def in_blocks(kernel: Attend, q: Tensor, k: Tensor, v: Tensor, blocks: int) -> Tensor:
    """`kernel` over blocks of queries as if they were images; each query meets all keys, so the result is the same."""
    if blocks == 1:
        return kernel(q, k, v)
    images, heads, queries, _ = q.shape
    pairs = images * heads
    split = q.reshape(pairs, blocks, queries // blocks, -1)
    keys, values = (x.reshape(pairs, 1, *x.shape[2:]).expand(-1, blocks, -1, -1) for x in (k, v))
    return kernel(split, keys, values).reshape(images, heads, queries, -1)
