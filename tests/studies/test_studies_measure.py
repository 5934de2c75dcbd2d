import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archspec import UserError
from builder.allocations import allocations, without_chatter
from studies.measure import device as devices
from studies.measure.calls import Measured, inference, sample_batch, training
from studies.measure.latency import summary, take
from studies.measure.memory import held_bytes, high_water, memory, peak_bytes
from studies.measure.reference import Kind, ReferenceNetwork, reference_call
from studies.measure.stopwatch import CudaStopwatch, graphed
from studies.sections.protocol import Measure, Protocol, Train

CPU = torch.device("cpu")
FLOAT = 4


class Doubling(nn.Module):
    """Two element-wise operations on feature maps and a weight that is too large to overlook."""

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(weights))

    def forward(self, x: Tensor, t: Tensor | None = None) -> Tensor:
        return (x * 2).add(1) * self.weight[0]


def small() -> nn.Module:
    return ReferenceNetwork()


# memory


def test_allocations_are_counted_to_the_byte_and_in_order() -> None:
    def call() -> None:
        first = torch.empty(1024)
        second = torch.empty(2048, dtype=torch.uint8)
        del first
        third = torch.empty(16, 16, dtype=torch.float64)
        del third, second

    assert allocations(call) == [4096, 2048, -4096, 2048, -2048, -2048]
    assert allocations(lambda: None) == []


def test_an_error_in_a_call_ends_the_profiler() -> None:
    def broken() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        allocations(broken)
    assert allocations(lambda: torch.empty(8)) == [32, -32]


def test_held_storages_count_once() -> None:
    base = torch.empty(100)
    assert held_bytes([base, base[:10], base.view(10, 10), torch.empty(3, dtype=torch.float64)]) == 424


def test_inference_peaks_at_weights_inputs_and_two_feature_maps() -> None:
    images, weights = 8 * 3 * 32 * 32, 1000
    batch = sample_batch((3, 32, 32), 8, 1000, CPU)
    found = peak_bytes(inference(Doubling(weights), batch, Protocol(), CPU), CPU)
    held = weights * FLOAT + images * FLOAT + 8 * 8
    # x * 2 lives while add(1) makes the next one: two feature maps beside what is held (and a few boxed scalars).
    assert 0 <= found - (held + 2 * images * FLOAT) <= 64


def test_inference_does_not_count_what_else_the_process_holds() -> None:
    batch = sample_batch((3, 8, 8), 2, 1000, CPU)
    alone = peak_bytes(inference(Doubling(10), batch, Protocol(), CPU), CPU)
    other = torch.ones(10_000_000)
    assert peak_bytes(inference(Doubling(10), batch, Protocol(), CPU), CPU) == alone
    assert other.sum() > 0


@pytest.mark.parametrize(("ema", "copies"), [(None, 4), (0.99, 5)])
def test_training_holds_weights_gradients_two_moments_and_the_average(ema: float | None, copies: int) -> None:
    class Heavy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1000, 1000, bias=False)

        def forward(self, x: Tensor, t: Tensor | None = None) -> Tensor:
            return x + self.layer(x.mean() * torch.ones(1, 1000)).mean()

    batch = sample_batch((1, 4, 4), 1, 1000, CPU)
    found = peak_bytes(training(Heavy(), batch, Protocol(train=Train(ema=ema)), CPU), CPU)
    weights = 1000 * 1000 * FLOAT
    assert copies * weights < found < (copies + 0.02) * weights


def test_the_peak_is_the_same_every_time_and_grows_with_the_batch() -> None:
    def peak(size: int) -> int:
        return peak_bytes(training(small(), sample_batch((3, 16, 16), size, 1000, CPU), Protocol(), CPU), CPU)

    one, two, four = peak(4), peak(8), peak(16)
    assert one == peak(4)
    assert four - two == pytest.approx(2 * (two - one), rel=0.05)


def test_the_high_water_mark_is_that_of_the_call_and_not_of_the_past() -> None:
    """In a process of its own, as trials are measured: in one that holds much else, the system may take pages back."""
    code = (
        "import torch; from studies.measure.memory import high_water; size = 100 * 2**20;"
        "past = torch.ones(3 * size, dtype=torch.uint8); del past;"
        "print(*high_water(lambda: torch.ones(size, dtype=torch.uint8)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    before, highest = map(int, done.stdout.split())
    assert 0.9 < (highest - before) / (100 * 2**20) < 2


def test_a_system_that_tells_no_high_water_mark_or_forbids_it(tmp_path: Path) -> None:
    called: list[int] = []
    assert high_water(lambda: called.append(1), tmp_path / "none") == (None, None)
    (tmp_path / "status").write_text("Name: x\n", encoding="utf-8")
    assert high_water(lambda: called.append(2), tmp_path) == (None, None)
    assert called == [1, 2]


def test_memory_says_what_is_held_and_leaves_out_what_the_cpu_has_not() -> None:
    batch = sample_batch((3, 8, 8), 2, 1000, CPU)
    found = memory(inference(Doubling(1000), batch, Protocol(), CPU), CPU)
    assert found.held == 4000 + 2 * 3 * 8 * 8 * FLOAT + 16
    assert found.held < found.peak < found.held + 4 * 2 * 3 * 8 * 8 * FLOAT
    assert found.reserved is None
    assert found.resident_peak is None or found.resident_peak > found.peak


def test_the_profiler_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    allocations(lambda: torch.ones(3))
    assert capfd.readouterr() == ("", "")


def test_what_others_write_to_stderr_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with without_chatter():
        os.write(2, b"USDT:2026 profiler_start\na warning\nSTAGE:2026 done\n")
    assert capfd.readouterr().err == "a warning\n"


# the calls


def test_inference_has_no_gradients_and_training_changes_weights() -> None:
    module = small()
    batch = sample_batch((3, 8, 8), 2, 1000, CPU)
    before = [p.clone() for p in module.parameters()]
    measured: Measured = inference(module, batch, Protocol(), CPU)
    measured.call()
    assert not module.training
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    training(module, batch, Protocol(), CPU).call()
    assert not any(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))


# the device


def test_the_cpu_is_always_there() -> None:
    assert devices.choose("cpu") == CPU
    assert devices.choose("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_gpu_that_is_not_there_is_a_mistake_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"measure\.device is cuda, but this machine has 0 CUDA devices that torch"):
        devices.choose("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.choose("auto") == devices.choose("cuda") == torch.device("cuda", 0)
    with pytest.raises(UserError, match=r"measure\.device is cuda:1, but this machine has 1 CUDA device that torch"):
        devices.choose("cuda:1")


def test_threads_are_pinned_and_given_back() -> None:
    own = devices.pin(None)
    assert devices.pin(1) == 1 == torch.get_num_threads()
    assert devices.describe(CPU)["threads"] == 1
    assert devices.pin(None) == own


def test_a_device_is_described_without_naming_the_machine() -> None:
    facts = devices.describe(CPU)
    assert set(facts) == {"device", "device_type", "cpu", "cores", "threads"}
    assert facts["device_type"] == "cpu"
    assert facts["device"] == facts["cpu"] != ""
    assert os.uname().nodename not in facts.values()
    load = devices.load_average()
    assert load is None or load >= 0


@pytest.mark.gpu
def test_memory_and_latency_on_cuda() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA")
    cuda = devices.choose("cuda")
    batch = sample_batch((3, 32, 32), 8, 1000, cuda)
    other = torch.empty(10_000_000, device=cuda)
    peak = peak_bytes(inference(Doubling(1000).to(cuda), batch, Protocol(), cuda), cuda)
    images = 8 * 3 * 32 * 32 * FLOAT
    assert peak - (3 * images + 4000 + 64) < 16 * 512
    call = training(small().to(cuda), batch, Protocol(), cuda).call
    found = summary([take([reference_call(training, cuda), call], cuda, Measure())], 8)
    assert 0 < found.median < 1
    assert other.numel() == 10_000_000


@pytest.mark.gpu
@pytest.mark.parametrize("kind", [inference, training])
def test_graphs_reserved_memory_and_histories_on_cuda(kind: Kind, tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA")
    cuda = devices.choose("cuda")
    measured = kind(small().to(cuda), sample_batch((3, 32, 32), 8, 1000, cuda), Protocol(), cuda)
    found = memory(measured, cuda, tmp_path / "history.pickle")
    assert found.reserved is not None
    assert found.reserved > found.peak - found.held > 0
    assert (tmp_path / "history.pickle").stat().st_size > 0
    replay = graphed(measured.call, cuda)
    assert 0 < CudaStopwatch(cuda)(replay).wall < 1
