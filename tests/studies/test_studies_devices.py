"""What the system says of a device and of a process, by files and libraries that the test writes."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from archspec.text.errors import UserError
from studies.measure import device as devices
from studies.measure import nvml
from studies.measure.allocator import freed_memory_kept
from studies.measure.calls import Measured
from studies.measure.energy import counter, energy
from studies.measure.memory import high_water, memory

CUDA = torch.device("cuda", 1)


# the device


def pretend(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "count", "device"),
    [
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 2, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_the_device_that_a_name_means(monkeypatch: pytest.MonkeyPatch, name: str, count: int, device: str) -> None:
    pretend(monkeypatch, count)
    assert str(devices.choose(name)) == device


@pytest.mark.parametrize(
    ("name", "count", "have"),
    [("cuda:2", 2, "2 CUDA devices"), ("cuda:1", 1, "1 CUDA device"), ("cuda", 0, "0 CUDA devices")],
)
def test_a_device_beyond_those_that_are_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, have: str
) -> None:
    pretend(monkeypatch, count)
    with pytest.raises(UserError) as caught:
        devices.choose(name)
    (problem,) = caught.value.problems
    assert problem.message == f"measure.device is {name}, but this machine has {have} that torch can use."
    assert problem.hint == "Use auto or cpu."


def test_a_gpu_is_described_by_what_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    told = SimpleNamespace(name="H200", major=9, minor=0, total_memory=150_000_000_000)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: told)
    monkeypatch.setattr(devices, "_driver_version", lambda: "570.1")
    found = devices.describe(CUDA)
    assert found["device"] == "H200"
    assert found["cpu"] == devices.cpu_model()
    assert {key: found[key] for key in ("device_type", "driver", "capability", "device_memory")} == {
        "device_type": "cuda", "driver": "570.1", "capability": "9.0", "device_memory": 150_000_000_000,
    }  # fmt: skip
    assert found["cuda"] == torch.version.cuda


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The text of the system's files, by path; there are no others."""
    files: dict[str, str] = {}

    def read_text(self: Path, *_: Any, **__: Any) -> str:
        if str(self) not in files:
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return files[str(self)]

    monkeypatch.setattr(Path, "read_text", read_text)
    devices.cpu_model.cache_clear()
    return files


def test_the_processor_is_named_by_the_system_or_by_its_kind(
    system: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    system["/proc/cpuinfo"] = "processor\t: 0\nmodel name\t: Fast CPU @ 2 GHz  \nmodel name\t: other\n"
    assert devices.cpu_model() == "Fast CPU @ 2 GHz"
    devices.cpu_model.cache_clear()
    system["/proc/cpuinfo"] = "processor : 0\n"  # as on many ARM machines
    monkeypatch.setattr(devices.platform, "processor", lambda: "")
    monkeypatch.setattr(devices.platform, "machine", lambda: "aarch64")
    assert devices.cpu_model() == "aarch64"
    devices.cpu_model.cache_clear()
    system.clear()
    monkeypatch.setattr(devices.platform, "machine", lambda: "")
    assert devices.cpu_model() == "unknown CPU"
    devices.cpu_model.cache_clear()


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar\nGCC version:  gcc 12.3.0\n", "550.54.15"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.77  Release Build\n", "565.77"),
        ("nothing of the kind", None),
        (None, None),
    ],
)  # fmt: skip
def test_the_driver_is_named_by_its_version(system: dict[str, str], text: str | None, version: str | None) -> None:
    if text is not None:
        system["/proc/driver/nvidia/version"] = text
    assert devices._driver_version() == version


def test_a_system_without_a_load_says_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[float, float, float]:
        raise OSError

    monkeypatch.setattr(os, "getloadavg", lambda: (1.2345, 0.0, 0.0))
    assert devices.load_average() == 1.23
    monkeypatch.setattr(os, "getloadavg", none)
    assert devices.load_average() is None


def test_turns_on_a_gpu_wait_until_it_is_idle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("USHAPE_LOCKS", str(tmp_path))
    waited: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1b/2c"))
    turn = devices.turn_on(CUDA)
    turn._idle()
    turn.close()
    assert waited == [CUDA]
    assert {path.name for path in tmp_path.iterdir()} == {"cuda-1b_2c.gate", "cuda-1b_2c.lock"}


@pytest.mark.parametrize(("uuid", "asked"), [("1b2c", ("uuid", "GPU-1b2c")), (None, ("index", 1))])
def test_nvml_is_asked_by_uuid_where_torch_knows_it(
    monkeypatch: pytest.MonkeyPatch, uuid: str | None, asked: tuple[str, Any]
) -> None:
    told = SimpleNamespace(uuid=uuid) if uuid else SimpleNamespace()
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: told)
    library = SimpleNamespace(
        nvmlDeviceGetHandleByIndex=lambda index: ("index", index), nvmlDeviceGetHandleByUUID=lambda name: ("uuid", name)
    )
    assert nvml._handle(library, CUDA) == asked


# memory


def test_peak_memory_on_a_gpu_is_what_its_allocator_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By a pretended device: 1,000 bytes are allocated before the measured call, 5,000 at its peak."""
    done: list[Any] = []
    for name, value in {
        "synchronize": lambda device: done.append("wait"),
        "empty_cache": lambda: done.append("empty"),
        "reset_peak_memory_stats": lambda device: done.append("reset"),
        "memory_allocated": lambda device: 1_000,
        "max_memory_allocated": lambda device: 5_000,
        "max_memory_reserved": lambda device: 8_192,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(
        torch.cuda.memory, "_record_memory_history", lambda **options: done.append(options.get("enabled", "record"))
    )
    monkeypatch.setattr(torch.cuda.memory, "_dump_snapshot", lambda file: done.append(Path(file).name))
    weights = torch.zeros(25)
    measured = Measured(lambda: done.append("call"), lambda: [weights, weights[:3]])
    found = memory(measured, CUDA, tmp_path / "one.pickle")
    assert (found.held, found.peak, found.reserved) == (100, 100 + 4_000, 8_192)
    assert (found.resident_before, found.resident_peak) == (None, None)
    assert done == ["call", "record", "wait", "empty", "reset", "call", "wait", "one.pickle", None]
    done.clear()
    memory(measured, CUDA)
    assert "record" not in done


def test_recording_a_history_ends_also_where_the_call_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done: list[Any] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: done.append("wait"))
    monkeypatch.setattr(
        torch.cuda.memory, "_record_memory_history", lambda **o: done.append(o.get("enabled", "record"))
    )

    def broken() -> None:
        if done:
            raise RuntimeError("broken")

    monkeypatch.setattr(torch.cuda, "empty_cache", broken)
    with pytest.raises(RuntimeError, match="broken"):
        memory(Measured(lambda: None, list), CUDA, tmp_path / "one.pickle")
    assert done == ["record", "wait", None]


def test_the_high_water_mark_is_forgotten_before_the_call_and_read_after(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name: x\nVmHWM:\t  900 kB\nVmRSS:\t  700 kB\n", encoding="utf-8")

    def call() -> None:
        assert (tmp_path / "clear_refs").read_text(encoding="ascii") == "5"
        (tmp_path / "status").write_text("VmHWM:\t 1800 kB\nVmRSS:\t 600 kB\n", encoding="utf-8")

    assert high_water(call, tmp_path) == (700 * 1024, 1800 * 1024)


def test_freed_memory_is_kept_only_where_the_c_library_can_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.measure.allocator.platform.libc_ver", lambda: ("musl", "1.2"))
    with freed_memory_kept() as kept:
        assert kept is False


# joules


def test_a_counter_that_cannot_be_read_is_told_with_the_reason(tmp_path: Path) -> None:
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "energy_uj").write_text("many\n", encoding="ascii")
    meter, why = counter(torch.device("cpu"), tmp_path)
    assert meter is None
    assert why == "the RAPL counter cannot be read: invalid literal for int() with base 10: 'many\\n'"


def test_joules_on_a_gpu_are_counted_when_it_has_done_what_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studies.measure.energy.MIN_SECONDS", 0.0)
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: done.append("wait"))
    meter = SimpleNamespace(name="NVML", joules=lambda since=None: 6.0 if since is not None else 4.0)
    assert energy(lambda: done.append("call"), CUDA, meter) == {"joules": 2.0, "counter": "NVML", "calls": 3}
    assert done == ["call", "wait"] * 3
