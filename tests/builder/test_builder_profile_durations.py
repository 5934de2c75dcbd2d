"""Times of single operations: what is remembered, and how a trace's work is summed up from them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import pytest
import torch

from builder.profile.durations import Durations, Work, kind_of, timed_alone
from builder.profile.signature import Signature, signature_of
from builder.profile.trace import Operation, Stored, Trace

aten = torch.ops.aten


def signature(operation: object, *args: object) -> Signature:
    found = signature_of(operation, args, {})
    assert found is not None
    return found


def silu(size: int) -> Signature:
    return signature(aten.silu.default, torch.empty(size, device="meta"))


def operation(one: Signature | None, phase: str = "forward") -> Operation:
    return Operation(one.name if one else "aten._foreach_mul.Scalar", "", phase, 0, 0, 0, one)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten.convolution.default", "convolution"),
        ("aten.convolution_backward.default", "convolution"),
        ("aten._scaled_dot_product_flash_attention_for_cpu.default", "attention"),
        ("aten.native_group_norm_backward.default", "normalisation"),
        ("aten.upsample_nearest2d.default", "resampling"),
        ("aten.addmm.default", "product"),
        ("aten.bmm.default", "product"),
        ("aten.silu.default", "elementwise"),
        ("aten.cat.default", "elementwise"),
    ],
)
def test_the_kind_is_told_by_the_name(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_work_is_the_sum_of_the_table_and_what_no_table_holds_is_counted(tmp_path: Path) -> None:
    asked: list[Signature] = []

    def timed(signatures: Sequence[Signature], device: str) -> list[float | None]:
        assert device == "cpu"
        asked.extend(signatures)
        return [None if one.args[0].size == (9,) else one.args[0].size[0] / 10 for one in signatures]

    norm = signature(aten._softmax.default, torch.empty(7, device="meta"), 0, False)
    gradient = Stored(400, "", "backward", "gradient")
    trace = Trace(
        [gradient], [], [*map(operation, (silu(2), silu(3), silu(2), norm, silu(9))), operation(None, "update")]
    )
    table = Durations("cpu", tmp_path, timed)
    assert table.work(trace) == Work(dict.fromkeys(table.work(trace).times, 0.0), 6, 100, 5)
    table.measure(table.missing(trace))
    assert len(asked) == 4
    # In another process: all is remembered, also that one cannot be run alone.
    again = Durations("cpu", tmp_path, timed)
    assert again.missing(trace) == []
    work = again.work(trace)
    assert work.times["elementwise"] == pytest.approx(0.2 + 0.3 + 0.2 + 0.7)
    assert work.total == work.times["elementwise"]
    assert (work.operations, work.updated, work.untimed) == (6, 100, 1)


def test_operations_are_timed_against_the_yardstick() -> None:
    wrong = Signature(aten.mm.default, signature(aten.mm.default, torch.empty(2, 3), torch.empty(4, 5)).args, ())
    image, weight = torch.empty(1, 4, 8, 8, device="meta"), torch.empty(6, 4, 3, 3, device="meta")
    conv = signature(aten.convolution.default, image, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    first, second, failed = timed_alone([silu(10), conv, wrong], "cpu")
    assert failed is None
    for one in (first, second):
        assert one is not None
        assert isfinite(one)
        assert one > 0
