"""What goes wrong, in words: exceptions, dead workers, and memory that is really short."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch

from archspec import user_error
from studies.training.deaths import OomKills, death, oom_kills
from studies.training.failures import Diverged, MeasuringFailed, explained, is_device_lost, is_out_of_memory

LOG = "worker.log"
NONE = OomKills(0, 0, None)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has ..."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to"),
        MemoryError(),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
)
def test_every_way_to_run_out_of_memory(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_device_lost(error)
    status, reason = explained(error, "training")
    assert status == "oom"
    assert reason.startswith("out of memory while training")


@pytest.mark.parametrize(
    "said",
    [
        "unspecified launch failure",
        "uncorrectable ECC error encountered",
        "an illegal memory access was encountered",
        "no CUDA-capable device is detected",
        "GPU is lost",
    ],
)
def test_a_device_that_vanishes(said: str) -> None:
    error = RuntimeError(f"CUDA error: {said}\nCUDA kernel errors might be asynchronously reported")
    assert is_device_lost(error)
    assert explained(error, "evaluating") == (
        "failed",
        f"the device was lost while evaluating ({said}); the next trial gets a new process, and if it fails too, "
        "look at `nvidia-smi` and the system's log for Xid errors",
    )
    assert not is_device_lost(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_device_lost(ValueError(f"CUDA error: {said}"))


def test_other_errors_keep_their_kind() -> None:
    assert explained(Diverged(7), "training") == ("diverged", "the training loss became NaN or infinite at step 7")
    assert explained(user_error("no such thing."), "training")[0] == "failed"
    assert explained(MeasuringFailed("oom", "it was too large"), "measuring") == ("oom", "it was too large")


def test_onednn_without_memory_is_told_by_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    error = RuntimeError("could not create a primitive")
    limits = {resource.RLIMIT_DATA: resource.RLIM_INFINITY, resource.RLIMIT_AS: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], resource.RLIM_INFINITY))
    assert not is_out_of_memory(error)
    limits[resource.RLIMIT_DATA] = 2**30
    assert is_out_of_memory(error)


# dead workers


def test_the_oom_killer_in_a_cgroup_is_named_with_its_limit() -> None:
    status, reason = death(-signal.SIGKILL, OomKills(3, 10, 2**31), OomKills(4, 11, 2**31), LOG)
    assert (status, reason) == (
        "oom",
        "the memory limit of 2.00 GiB of the cgroup (container, job or service) was reached, and the system killed "
        "the worker process; a smaller batch or network needs less, or raise the limit",
    )


def test_the_oom_killer_of_the_machine_is_told_apart() -> None:
    status, reason = death(-signal.SIGKILL, OomKills(3, 10, None), OomKills(3, 11, None), LOG)
    assert status == "oom"
    assert reason.startswith("the machine ran out of memory, and the system killed the worker process")


def test_others_who_kill_are_not_the_oom_killer() -> None:
    assert death(-signal.SIGKILL, NONE, NONE, LOG) == (
        "failed",
        "the worker process was killed (SIGKILL), not by the system for lack of memory but by somebody",
    )
    unknown = OomKills(None, None, None)
    assert death(-signal.SIGKILL, unknown, unknown, LOG) == (
        "failed",
        "the worker process was killed (SIGKILL), as the system does when memory runs out",
    )
    assert death(-signal.SIGSEGV, NONE, OomKills(1, 1, None), LOG) == (
        "failed",
        "the worker process was ended by SIGSEGV; see worker.log",
    )
    assert death(3, NONE, NONE, LOG) == (
        "failed",
        "the worker process ended by itself with exit code 3; see worker.log",
    )


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_counts_of_cgroup_version_2(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "0::/job/one\n",
        "proc/vmstat": "nr_free 3\noom_kill 7\n",
        "sys/fs/cgroup/job/one/memory.events": "low 0\noom 2\noom_kill 1\noom_group_kill 0\n",
        "sys/fs/cgroup/job/one/memory.max": "1073741824\n",
    }
    assert oom_kills(write(tmp_path, files)) == OomKills(cgroup=1, machine=7, limit=2**30)
    write(tmp_path, {"sys/fs/cgroup/job/one/memory.max": "max\n"})
    assert oom_kills(tmp_path).limit is None


def test_counts_of_cgroup_version_1_and_inside_a_container(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "5:cpu:/\n4:memory:/docker/abc\n0::/\n",
        "sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert oom_kills(write(tmp_path, files)) == OomKills(cgroup=5, machine=None, limit=None)


def test_a_system_that_tells_nothing(tmp_path: Path) -> None:
    assert oom_kills(tmp_path) == OomKills(None, None, None)


def test_this_system_is_asked_without_error() -> None:
    now = oom_kills()
    assert now == oom_kills()
    assert now.cgroup is None or now.cgroup >= 0
