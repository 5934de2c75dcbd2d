"""What disturbs a measurement, and joules: by fakes of NVML and of the system's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import torch

from studies.measure import conditions, nvml
from studies.measure.conditions import Cpu, Nvml, Watch
from studies.measure.energy import Rapl, counter, energy
from studies.measure.nvml import Gpu, gpu_of

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


class NvmlError(Exception):
    pass


class FakeNvml(SimpleNamespace):
    """The part of pynvml that is used, of a GPU whose facts the test sets."""

    NVMLError = NvmlError
    NVML_CLOCK_SM, NVML_TEMPERATURE_GPU = 1, 0

    def __init__(self) -> None:
        reasons = {
            "nvmlClocksEventReasonSwPowerCap": 4,
            "nvmlClocksEventReasonHwSlowdown": 8,
            "nvmlClocksEventReasonSwThermalSlowdown": 32,
            "nvmlClocksEventReasonHwThermalSlowdown": 64,
            "nvmlClocksEventReasonHwPowerBrakeSlowdown": 128,
        }
        super().__init__(
            **reasons, clock=1980, heat=55, bits=1, pids=[os.getpid()], millijoules=5000, denied=(), handles=[]
        )

    def _told(self, name: str, value: Any) -> Any:
        if name in self.denied:
            raise NvmlError("Insufficient Permissions")
        return value

    def nvmlInit(self) -> None:
        self._told("init", None)

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        self.handles.append(uuid)
        return uuid

    def nvmlDeviceGetClockInfo(self, handle: str, which: int) -> int:
        return int(self._told("clock", self.clock))

    def nvmlDeviceGetTemperature(self, handle: str, which: int) -> int:
        return int(self._told("heat", self.heat))

    def nvmlDeviceGetCurrentClocksEventReasons(self, handle: str) -> int:
        return int(self._told("bits", self.bits))

    def nvmlDeviceGetComputeRunningProcesses(self, handle: str) -> list[SimpleNamespace]:
        return list(self._told("pids", [SimpleNamespace(pid=pid) for pid in self.pids]))

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: str) -> int:
        return int(self._told("joules", self.millijoules))


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="1b2c"))
    return fake


# GPU


def test_a_calm_gpu_disturbs_nothing(library: FakeNvml) -> None:
    found = Watch(CUDA).ended()
    assert library.handles == ["GPU-1b2c"]
    assert found.before == found.after
    assert found.before == {"sm_clock_mhz": 1980, "temperature_c": 55, "throttled_by": [], "foreign_processes": 0}
    assert (found.disturbed, found.unknown) == ((), ())


def test_what_disturbs_on_a_gpu_is_said(library: FakeNvml) -> None:
    watch = Watch(CUDA)
    library.pids = [os.getpid(), os.getppid(), 12, 13]
    library.bits = 1 | 4 | 32
    library.clock = 1500
    assert watch.ended().disturbed == (
        "2 other processes on the GPU",
        "the GPU was throttled: power cap, heat",
        "the GPU's clock went from 1980 to 1500 MHz",
    )


def test_process_ids_of_another_namespace(library: FakeNvml) -> None:
    library.pids = [1_000_001]
    assert Watch(CUDA).ended().disturbed == ()
    library.pids = [1_000_001, 1_000_002]
    assert Watch(CUDA).ended().disturbed == ("1 other process on the GPU",)


def test_what_nvml_does_not_tell_is_unknown_and_not_fine(library: FakeNvml) -> None:
    library.denied = ("pids", "clock", "bits", "heat")
    found = Watch(CUDA).ended()
    assert set(found.before.values()) == {None}
    assert found.disturbed == ()


def test_without_nvml_the_measurement_goes_on_and_says_so(library: FakeNvml, monkeypatch: pytest.MonkeyPatch) -> None:
    library.denied = ("init",)
    found = Watch(CUDA).ended()
    assert (found.before, found.unknown) == ({}, ("NVML cannot be asked: Insufficient Permissions",))
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert Watch(CUDA).ended().unknown == (
        "NVML cannot be asked: the package nvidia-ml-py is not installed (extra nvml)",
    )
    assert counter(CUDA) == (None, Watch(CUDA).ended().unknown[0])


def test_the_real_library_without_a_gpu() -> None:
    pynvml = pytest.importorskip("pynvml")
    if torch.cuda.is_available():
        pytest.skip("there is one")
    for name in (*nvml._THROTTLING, "nvmlDeviceGetHandleByUUID", "nvmlDeviceGetTotalEnergyConsumption"):
        assert hasattr(pynvml, name)
    gpu, why = gpu_of(CUDA)
    assert gpu is None
    assert why.startswith("NVML cannot be asked: ")


# CPU


def looks(**later: float) -> tuple[dict[str, Any], dict[str, Any]]:
    before: dict[str, Any] = {
        "load": 0.5, "clock_s": 100.0, "idle_s": 50.0, "stolen_s": 0.0, "own_s": 5.0, "quota_throttled_s": 1.0,
        "heat_throttled": 4,
    }  # fmt: skip
    return before, {**before, "clock_s": 110.0, "idle_s": 60.0, "own_s": 15.0, **later}


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)


@pytest.mark.usefixtures("two_cores")
def test_a_core_of_its_own_is_calm_also_beside_a_busy_one() -> None:
    assert Cpu().judge(*looks()) == []
    assert Cpu().judge(*looks(idle_s=50.0)) == []  # somebody uses the other core whole


@pytest.mark.usefixtures("two_cores")
def test_what_disturbs_on_a_cpu_is_said() -> None:
    assert Cpu().judge(*looks(idle_s=50.0, own_s=8.0)) == ["other processes used 1.7 of 2 cores"]
    assert Cpu().judge(*looks(stolen_s=1.0)) == ["the hypervisor kept 5% of the CPU time"]
    assert Cpu().judge(*looks(quota_throttled_s=1.5, heat_throttled=5)) == [
        "the CPU quota of the cgroup stopped the process",
        "the CPU was throttled by heat",
    ]
    before, after = looks()
    unknown = {"quota_throttled_s": None, "heat_throttled": None}
    assert Cpu().judge({**before, **unknown}, {**after, **unknown}) == []


def test_the_system_files_are_read(tmp_path: Path) -> None:
    assert Cpu(tmp_path).look()["quota_throttled_s"] is None
    assert Cpu(tmp_path).look()["heat_throttled"] is None
    for name, text in {
        "sys/fs/cgroup/cpu.stat": "usage_usec 7\nnr_throttled 2\nthrottled_usec 2500000\n",
        "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count": "3\n",
        "sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count": "4\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = Cpu(tmp_path).look()
    assert (found["quota_throttled_s"], found["heat_throttled"]) == (2.5, 7)


def test_this_machine_is_watched() -> None:
    found = Watch(CPU).ended()
    assert found.before.keys() == found.after.keys() == Cpu().look().keys()
    assert found.after["clock_s"] >= found.before["clock_s"]
    assert found.before["own_s"] == pytest.approx(sum(psutil.Process().cpu_times()[:2]), abs=5)
    assert conditions.STOLEN < 1
    assert isinstance(Nvml(Gpu(FakeNvml(), "x")).look(), dict)


# joules


def rapl(root: Path, *stands: int, most: int = 10_000_000) -> Path:
    for number, stand in enumerate(stands):
        for name in (f"intel-rapl:{number}", f"intel-rapl:{number}:0"):
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "energy_uj").write_text(f"{stand}\n", encoding="ascii")
            (root / name / "max_energy_range_uj").write_text(f"{most}\n", encoding="ascii")
    return root


def test_rapl_counts_packages_once_and_over_its_end(tmp_path: Path) -> None:
    meter, why = counter(CPU, rapl(tmp_path, 1_000_000, 9_000_000))
    assert isinstance(meter, Rapl)
    assert why == ""
    rapl(tmp_path, 1_500_000, 9_250_000)
    assert meter.joules() == pytest.approx(0.75)
    rapl(tmp_path, 2_000_000, 999_999)  # the second went over its end at 10 J
    assert meter.joules() == pytest.approx(3.0)
    assert meter.joules(since=0.75) == pytest.approx(2.25)


def test_joules_of_a_call_are_a_mean_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand = [0]
    meter, _ = counter(CPU, rapl(tmp_path, 0))

    def call() -> None:
        stand[0] += 250_000
        rapl(tmp_path, stand[0])

    monkeypatch.setattr("studies.measure.energy.MIN_SECONDS", 0.0)
    assert energy(call, CPU, meter) == {"joules": pytest.approx(0.25), "counter": "RAPL", "calls": 3}


def test_nvml_counts_joules(library: FakeNvml) -> None:
    meter, why = counter(CUDA)
    assert meter is not None
    assert (meter.name, why, meter.joules()) == ("NVML", "", 5.0)
    library.millijoules = 7500
    assert meter.joules(since=5.0) == 2.5
    library.denied = ("joules",)
    assert counter(CUDA) == (None, "NVML counts no energy on this GPU, or not for this user")


def test_no_number_is_made_up_where_nothing_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meter, why = counter(CPU, tmp_path)
    assert energy(lambda: None, CPU, meter, why) == {"absent": "this machine has no RAPL counter"}

    def denied(self: Path, *_: Any, **__: Any) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    zones = rapl(tmp_path, 5)
    monkeypatch.setattr(Path, "read_text", denied)
    assert counter(CPU, zones) == (
        None,
        f"the RAPL counter may not be read: Permission denied ({zones / 'intel-rapl:0' / 'energy_uj'}); root may",
    )
