"""Attention in blocks of queries: the same numbers, and only where a thread would idle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from builder.layers.fused import attend, query_blocks


@pytest.fixture(autouse=True)
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def qkv(images: int, heads: int, queries: int, keys: int) -> tuple[Tensor, Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    sizes = (queries, keys, keys)
    q, k, v = (torch.randn(images, heads, size, 8, generator=draw, requires_grad=True) for size in sizes)
    return q, k, v


@pytest.mark.parametrize(("images", "heads", "keys"), [(1, 1, 1024), (1, 2, 77), (2, 1, 1024)])
def test_blocks_give_the_same_result_and_gradients(images: int, heads: int, keys: int) -> None:
    given = qkv(images, heads, 1024, keys)
    assert query_blocks(*given) == 4 // (images * heads)
    ours, plain = attend(*given), functional.scaled_dot_product_attention(*given)
    torch.testing.assert_close(ours, plain, rtol=1e-5, atol=1e-6)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1))
    for one, other in zip(
        torch.autograd.grad(ours, given, weight), torch.autograd.grad(plain, given, weight), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("images", "heads", "queries"), [(4, 1, 1024), (1, 3, 1024), (1, 1, 256), (1, 1, 1025), (8, 8, 4096)]
)
def test_no_blocks_where_images_and_heads_are_enough_or_queries_few(images: int, heads: int, queries: int) -> None:
    assert query_blocks(*qkv(images, heads, queries, 8)) == 1


def test_no_blocks_without_gradients() -> None:
    given = qkv(1, 1, 1024, 8)
    with torch.no_grad():
        assert query_blocks(*given) == 1
    assert query_blocks(*(x.detach() for x in given)) == 1


def test_no_blocks_on_one_thread() -> None:
    torch.set_num_threads(1)
    assert query_blocks(*qkv(1, 1, 1024, 8)) == 1
