"""Parts of a prediction by hand: rules of kernels, arguments as data, results without computing, what is remembered."""

from __future__ import annotations

import json
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from builder.allocations import allocations
from builder.profile import workspace as rules
from builder.profile.cache import Cache, Rows, place
from builder.profile.results import result_of
from builder.profile.signature import Like, Signature, signature_of
from builder.profile.workspace import Need

aten = torch.ops.aten


def like(*size: int, dtype: torch.dtype = torch.float32, last: bool = False) -> Like:
    x = torch.empty(size, dtype=dtype, device="meta")
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    return Like(dtype, size, x.stride())


# Rules


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)


def conv(x: Like, weight: Like, stride: int = 1, groups: int = 1) -> Signature:
    args = (x, weight, None, (stride, stride), (1, 1), (1, 1), False, (0, 0), groups)
    return Signature(aten.convolution.default, args, ())


@pytest.mark.usefixtures("two_threads")
def test_a_convolution_of_onednn_copies_its_weight_and_map_into_blocks_of_16_channels() -> None:
    # 20 channels are kept as 32, 24 results as 32; the weight once more.
    x, weight, results = like(4, 20, 8, 8), like(24, 20, 3, 3), 4 * 4 * 24 * 64
    padded = 4 * 4 * 32 * 64
    assert rules._convolution(conv(x, weight), results) == weight.nbytes + padded + padded - results
    # Three channels stay as they are, and 1×1 kernels too.
    few = like(4, 3, 8, 8)
    assert rules._convolution(conv(few, like(16, 3, 3, 3)), 4 * 4 * 16 * 64) == max(4 * 16 * 3 * 9, 4 * 4 * 16 * 64)
    assert rules._convolution(conv(x, like(24, 20, 1, 1)), results) == padded + padded - results


@pytest.mark.usefixtures("two_threads")
def test_one_small_image_is_unfolded_by_torch_itself() -> None:
    x = like(1, 4, 8, 8)
    assert rules._convolution(conv(x, like(6, 4, 3, 3)), 4 * 6 * 64) == 4 * 4 * 9 * 64
    assert rules._convolution(conv(x, like(6, 4, 1, 1)), 4 * 6 * 64) == 0
    assert rules._convolution(conv(x, like(6, 4, 1, 1), stride=2), 4 * 6 * 16) == 4 * 4 * 16
    # Depthwise: the weight alone.
    many = like(8, 16, 8, 8)
    assert rules._convolution(conv(many, like(16, 1, 3, 3), groups=16), 4 * 8 * 16 * 64) == 4 * 16 * 9


def test_1x1_kernels_on_one_thread_are_torchs_for_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    weight = like(8, 64, 1, 1)
    assert rules._native(like(15, 64, 32, 32), weight)
    assert not rules._native(like(16, 64, 32, 32), weight)
    assert not rules._native(like(15, 64, 32, 32), like(8, 64, 3, 3))
    assert rules._native(like(1, 20, 32, 32), like(8, 20, 3, 3))  # 20,480 numbers
    assert not rules._native(like(1, 21, 32, 32), like(8, 21, 3, 3))


@pytest.mark.usefixtures("two_threads")
def test_the_backward_of_a_convolution_copies_what_lies_otherwise() -> None:
    def backward(grad: Like, x: Like, weight: Like) -> int:
        return rules._convolution_backward(Signature(aten.convolution_backward.default, (grad, x, weight), ()), 0)

    grad, x, weight = like(4, 16, 8, 8), like(4, 32, 8, 8), like(16, 32, 3, 3)
    assert backward(grad, x, weight) == max(grad.nbytes + x.nbytes, weight.nbytes + 64)
    assert backward(grad, like(4, 3, 8, 8), like(16, 3, 3, 3)) == grad.nbytes
    turned = Like(torch.float32, (4, 16, 8, 8), (1024, 1, 16, 128))
    assert not turned.is_contiguous
    assert backward(turned, x, weight) == turned.nbytes + max(grad.nbytes + x.nbytes, weight.nbytes + 64)
    small = like(1, 4, 4, 4)
    assert backward(small, small, like(4, 4, 3, 3)) == 4 * (4 * 9) * 16  # unfolded, as it meets the kernel
    assert backward(small, small, like(4, 4, 1, 1)) == 0


GRADIENTS = {
    "wide": (4, 64, 64, 3, 16, 1),
    "few results": (4, 32, 3, 3, 32, 1),
    "few inputs": (4, 3, 32, 3, 32, 1),
    "no multiple of 16": (8, 20, 40, 3, 16, 1),
    "1×1": (16, 96, 32, 1, 8, 1),
    "one small image": (1, 64, 64, 3, 16, 1),
    "one small image, 1×1": (1, 64, 32, 1, 8, 1),
    "each channel alone": (4, 64, 64, 3, 32, 64),
    "in groups": (4, 64, 64, 3, 32, 8),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_of_a_convolution_take_what_the_allocator_says(name: str) -> None:
    """That of the input alone, as a transposed convolution; and those of weight and bias."""
    images, channels, width, kernel, side, groups = GRADIENTS[name]
    x, grad = torch.zeros(images, channels, side, side), torch.zeros(images, width, side, side)
    weight, around = torch.zeros(width, channels // groups, kernel, kernel), [kernel // 2] * 2
    transposed = (grad, weight, None, [1, 1], around, [1, 1], True, [0, 0], groups)
    calls: list[tuple[Any, tuple[Any, ...]]] = [(aten.convolution.default, transposed)]
    if groups == 1:  # else torch's own sums are beside it, which no rule knows
        rest = ([width], [1, 1], around, [1, 1], False, [0, 0], groups, [False, True, True])
        calls.append((aten.convolution_backward.default, (grad, x, weight, *rest)))
    for operation, args in calls:
        signature = signature_of(operation, args, {})
        assert signature is not None
        needed, results = peak(operation, args)
        rule = rules._CPU[signature.name]
        assert abs(results + rule(signature, results) - needed) < 0.03 * needed + 40_000


def peak(operation: Any, args: tuple[Any, ...]) -> tuple[int, int]:
    """Bytes at the peak of a call, and of its results."""
    operation(*args)
    most = max(accumulate(allocations(lambda: operation(*args)), initial=0))
    found = operation(*args)
    results = found if isinstance(found, tuple) else (found,)
    return most, sum(one.nbytes for one in results if one is not None)


@pytest.mark.parametrize(
    ("length", "block"), [(5, 5), (32, 32), (191, 32), (192, 64), (767, 64), (768, 256), (4096, 256)]
)
def test_how_many_queries_the_flash_kernel_takes_at_a_time(length: int, block: int) -> None:
    assert rules._split(length) == block


@pytest.mark.usefixtures("two_threads")
def test_the_flash_kernel_has_a_block_of_scores_for_each_thread() -> None:
    q, k = like(2, 3, 1000, 16), like(2, 3, 77, 16)
    name = aten._scaled_dot_product_flash_attention_for_cpu.default
    assert rules._attention(Signature(name, (q, k, k), ()), 0) == 2 * 4 * 256 * (77 + 2 + 16)
    assert rules._attention_backward(Signature(name, (q, q, k, k), ()), 0) == 2 * 4 * 256 * (2 * 77 + 1)
    long = like(2, 3, 1000, 16)
    assert rules._attention(Signature(name, (q, long, long), ()), 0) == 2 * 4 * 256 * (512 + 2 + 16)


# Arguments as data


def test_bytes_of_an_argument_count_each_number_once() -> None:
    assert like(2, 3).nbytes == 24
    assert like(2, 3, dtype=torch.bfloat16).nbytes == 12
    assert Like(torch.float32, (4, 5), (0, 1)).nbytes == 20  # a row that is repeated
    assert Like(torch.float32, (), ()).nbytes == 4


def test_layouts_that_lie_in_order() -> None:
    assert like(2, 3, 4, 5).is_contiguous
    assert like(2, 3, 4, 5, last=True).is_contiguous
    assert not Like(torch.float32, (4, 5), (1, 4)).is_contiguous


def test_arguments_come_back_as_zeros_of_the_same_layout() -> None:
    x = torch.randn(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    found = signature_of(aten.convolution.default, (x, x, None, [1, 1]), {"groups": 2, "device": torch.device("meta")})
    assert found is not None
    args, kwargs = found.arguments("cpu")
    assert args[0].stride() == x.stride()
    assert not args[0].any()
    assert args[2:] == [None, [1, 1]]
    assert kwargs == {"device": torch.device("cpu"), "groups": 2}


def test_a_signature_is_one_line_that_differs_where_memory_may() -> None:
    def text(*size: int, dtype: torch.dtype = torch.float32, last: bool = False) -> str:
        return Signature(aten.silu.default, (like(*size, dtype=dtype, last=last),), ()).text()

    lines = [text(2, 3, 4, 4), text(2, 3, 4, 4, last=True), text(2, 3, 4, 4, dtype=torch.float16), text(2, 48)]
    assert lines[0] == "aten.silu.default(float32[2,3,4,4][48,16,4,1])()"
    assert len(set(lines)) == 4


def test_rows_that_are_no_needs_are_measured_again(tmp_path: Path) -> None:
    one = Signature(aten.silu.default, (like(3),), ())
    Rows("cpu", tmp_path).add({one: [1.5, 2.0]})
    assert Rows("cpu", tmp_path).known([one]) == {one: [1.5, 2.0]}
    assert Cache("cpu", tmp_path).known([one]) == {}  # bytes are whole numbers
    Cache("cpu", tmp_path).add({one: Need(24, (12, 12))})
    assert Cache("cpu", tmp_path).known([one]) == {one: Need(24, (12, 12))}


def test_what_others_remembered_meanwhile_stays(tmp_path: Path) -> None:
    first, second = (Signature(aten.silu.default, (like(size),), ()) for size in (3, 4))
    one, other = Rows("cpu", tmp_path), Rows("cpu", tmp_path)
    one.add({first: [1.0]})
    other.add({second: [2.0]})
    assert one.known([first, second]) == {first: [1.0], second: [2.0]}
    kept = json.loads(one.path.read_text(encoding="utf-8"))
    assert kept["place"] == place("cpu")
    assert {"version", "torch", "device", "name", "capability", "threads"} == set(kept["place"])


# Results on the meta device


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(("kind", "weights"), [(torch.float32, torch.float32), (torch.bfloat16, torch.float32)])
def test_results_of_group_norm_are_like_the_kernels(last: bool, kind: torch.dtype, weights: torch.dtype) -> None:
    x = torch.randn(2, 8, 4, 4).to(kind)
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    weight, bias = torch.ones(8, dtype=weights), torch.zeros(8, dtype=weights)
    args = (x, weight, bias, 2, 8, 16, 4, 1e-6)
    real = aten.native_group_norm.default(*args)
    meta = result_of(aten.native_group_norm.default, (x.to("meta"), weight.to("meta"), bias.to("meta"), *args[3:]), {})
    for one, other in zip(real, meta, strict=True):
        assert (one.shape, one.dtype, one.stride()) == (other.shape, other.dtype, other.stride())
    grads = aten.native_group_norm_backward.default(x, x, real[1], real[2], weight, 2, 8, 16, 4, [True, True, False])
    on_meta = tuple(value.to("meta") for value in (x, x, real[1], real[2], weight))
    found = result_of(aten.native_group_norm_backward.default, (*on_meta, 2, 8, 16, 4, [True, True, False]), {})
    assert found[2] is None
    for one, other in zip(grads[:2], found[:2], strict=True):
        assert (one.shape, one.dtype, one.stride()) == (other.shape, other.dtype, other.stride())


def test_other_operations_and_devices_are_torchs_own() -> None:
    x = torch.randn(2, 8, 4, 4)
    assert torch.equal(result_of(aten.silu.default, (x,), {}), functional.silu(x))
    normed = result_of(aten.native_group_norm.default, (x, None, None, 2, 8, 16, 4, 1e-6), {})
    torch.testing.assert_close(normed[0], functional.group_norm(x, 4, eps=1e-6))
