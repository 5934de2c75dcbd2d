"""Workspaces by measurement: the record of single operations, and what is remembered of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from archspec import UserError
from builder.profile.cache import Cache, cache_folder
from builder.profile.calibrate import by_measurement
from builder.profile.recorder import recorded
from builder.profile.signature import Signature, signature_of
from builder.profile.trace import Operation, Stored, Trace
from builder.profile.workspace import Need, by_rule

aten = torch.ops.aten
ROOT = Path(__file__).parents[2]


def signature(operation: object, *args: object) -> Signature:
    found = signature_of(operation, args, {})
    assert found is not None
    return found


def addition(size: int) -> Signature:
    return signature(aten.add.Tensor, torch.empty(size, device="meta"), torch.empty(size, device="meta"))


def test_what_an_operation_needs_is_recorded_to_the_byte() -> None:
    image, weight = torch.empty(1, 4, 8, 8, device="meta"), torch.empty(6, 4, 3, 3, device="meta")
    small = signature(aten.convolution.default, image, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)
    loss = signature(aten.mse_loss.default, torch.empty(2, 3, device="meta"), torch.empty(2, 3, device="meta"))
    plain, unfolded, mean = recorded([addition(100), small, loss])
    assert plain == Need(400, (400,))
    # torch's own convolution unfolds the image: 4 · 9 rows of 64 numbers beside the result.
    assert unfolded == Need(4 * (6 * 64 + 4 * 9 * 64), (4 * 6 * 64,))
    # The mean stays in the storage of the squares.
    assert mean is not None
    assert mean.outputs == (24,)


def test_rules_say_the_same_as_the_record() -> None:
    query = torch.empty(2, 2, 300, 16, device="meta")
    attention = aten._scaled_dot_product_flash_attention_for_cpu.default
    asked = [
        signature(attention, query, query, query),
        signature(aten.mse_loss.default, torch.empty(2, 3, device="meta"), torch.empty(2, 3, device="meta")),
        signature(aten.upsample_nearest2d.default, torch.empty(2, 8, 4, 4, device="meta"), [8, 8], 2.0, 2.0),
    ]
    stored = [Stored(nbytes, "", "forward") for nbytes in (4 * 2 * 2 * 300 * 16, 4 * 2 * 2 * 300, 4, 4 * 2 * 8 * 64)]
    operations = [
        Operation(asked[0].name, "", "forward", 0, 0, 2, asked[0]),
        Operation(asked[1].name, "", "forward", 0, 2, 3, asked[1]),
        Operation(asked[2].name, "", "forward", 0, 3, 4, asked[2]),
    ]
    assert by_rule(Trace(stored, [1, 2, 3, 4], operations), "cpu") == recorded(asked)


def test_an_operation_that_cannot_be_run_alone_goes_by_rule(tmp_path: Path) -> None:
    wrong = Signature(aten.mm.default, signature(aten.mm.default, torch.empty(2, 3), torch.empty(4, 5)).args, ())
    assert recorded([wrong, addition(3)]) == [None, Need(12, (12,))]
    trace = Trace([Stored(12, "", "forward")], [1], [Operation(wrong.name, "", "forward", 0, 0, 1, wrong)])
    assert by_measurement(trace, "cpu", Cache("cpu", tmp_path)) == ([Need(12, (12,))], 1)


def test_views_and_whole_lists_need_nothing() -> None:
    x = torch.empty(4, 4)
    assert signature_of(aten.t.default, (x,), {}) is None
    assert signature_of(aten._foreach_add.Scalar, ([x, x], 1.0), {}) is None
    assert signature_of(aten.cat.default, ([x, x],), {}) is not None


def test_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace([Stored(40, "", "forward")], [1], [Operation("add", "", "forward", 0, 0, 1, addition(10))])
    assert by_measurement(trace, "cpu", Cache("cpu", tmp_path)) == ([Need(40, (40,))], 0)

    def never(signatures: object) -> list[Need | None]:
        raise AssertionError(signatures)

    monkeypatch.setitem(sys.modules["builder.profile.calibrate"]._RECORDERS, "cpu", never)  # type: ignore[attr-defined]
    assert by_measurement(trace, "cpu", Cache("cpu", tmp_path)) == ([Need(40, (40,))], 0)


def test_the_cache_is_one_file_per_device_version_and_threads(tmp_path: Path) -> None:
    cache = Cache("cpu", tmp_path)
    cache.add({addition(10): Need(50, (40,))})
    kept = json.loads(cache.path.read_text(encoding="utf-8"))
    assert kept["place"]["torch"] == torch.__version__
    assert kept["place"]["threads"] == torch.get_num_threads()
    assert list(kept["needs"].values()) == [[50, 40]]
    assert Cache("cpu", tmp_path).known([addition(10), addition(11)]) == {addition(10): Need(50, (40,))}
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        assert Cache("cpu", tmp_path).known([addition(10)]) == {}
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"needs": 3}', '{"needs": {"x": ["a"], "y": 7, "z": []}}'])
def test_a_spoilt_cache_is_an_empty_one(tmp_path: Path, text: str) -> None:
    cache = Cache("cpu", tmp_path)
    cache.path.write_text(text, encoding="utf-8")
    assert cache.known([addition(10)]) == {}
    cache.add({addition(10): Need(40, (40,))})
    assert cache.known([addition(10)]) == {addition(10): Need(40, (40,))}


def test_the_cache_is_where_the_user_keeps_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ushape" / "workspaces"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored, says the specification
    assert cache_folder() == Path.home() / ".cache" / "ushape" / "workspaces"


PROCESS = """
import sys, torch
from pathlib import Path
from builder.profile.cache import Cache
from builder.profile.signature import signature_of
from builder.profile.workspace import Need
first = int(sys.argv[2])
torch.set_num_threads(1)
for size in range(first, first + 20):
    x = torch.empty(size, device="meta")
    Cache("cpu", Path(sys.argv[1])).add({signature_of(torch.ops.aten.add.Tensor, (x, x), {}): Need(size, (size,))})
"""


def test_processes_add_to_the_cache_at_the_same_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path)]
    running = [subprocess.Popen([*command, str(first)], cwd=ROOT) for first in (1, 101)]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        sizes = [*range(1, 21), *range(101, 121)]
        known = Cache("cpu", tmp_path).known([addition(size) for size in sizes])
    finally:
        torch.set_num_threads(threads)
    assert sorted(need.peak for need in known.values()) == sizes


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_calibration_for_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        by_measurement(Trace(), "cuda")
    (problem,) = caught.value.problems
    assert problem.message == ("a calibrated prediction for CUDA runs operations on the GPU, and torch sees none here.")
    assert problem.hint == "Leave out calibration: the static prediction needs no GPU."
