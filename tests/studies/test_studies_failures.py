"""What goes wrong, in words: exceptions, dead workers, and memory that is really short."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import pytest
import torch

from archspec import user_error
from studies.training.deaths import OomKills, death, how_it_ended, oom_kills
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
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
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


# what is said


def test_an_error_of_another_kind_is_told_with_its_first_line_and_place() -> None:
    def broken() -> None:
        raise KeyError("a\nb") from None

    with pytest.raises(KeyError) as caught:
        broken()
    line = caught.traceback[-1].lineno + 1
    assert explained(caught.value, "building the network") == (
        "failed", f"KeyError while building the network: 'a\\nb' (test_studies_failures.py:{line}, in broken)",
    )  # fmt: skip
    assert explained(ValueError(), "training") == ("failed", "ValueError while training: ")
    assert explained(ValueError("\n one\n two"), "training") == ("failed", "ValueError while training: one")


@pytest.mark.parametrize(
    ("error", "more"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB."), " (2.50 GiB more were asked for)"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 53687091200 bytes. Error"),
            " (50.00 GiB more were asked for)",
        ),
        (torch.OutOfMemoryError("Tried to allocate 12 MiB"), " (12 MiB more were asked for)"),
        (MemoryError(), ""),
    ],
)  # fmt: skip
def test_how_much_memory_was_asked_for_is_told_where_it_is_known(error: Exception, more: str) -> None:
    assert explained(error, "training") == (
        "oom", f"out of memory while training{more}; a smaller batch, width or resolution needs less",
    )  # fmt: skip


def test_kinds_of_errors_do_not_take_each_other_for_their_own() -> None:
    assert not is_out_of_memory(ValueError("std::bad_alloc"))
    assert not is_device_lost(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_device_lost(RuntimeError("CUDA driver error: device not ready"))
    assert is_device_lost(RuntimeError("cuda ERROR: Unspecified Launch Failure"))
    assert explained(MeasuringFailed("diverged", "out of memory, it said"), "x") == (
        "diverged",
        "out of memory, it said",
    )
    assert explained(Diverged(3, "the held-out loss"), "x") == (
        "diverged", "the held-out loss became NaN or infinite at step 3",
    )  # fmt: skip
    assert (Diverged(3).step, explained(user_error("what.", "Do."), "x")[0]) == (3, "failed")


@pytest.mark.parametrize(
    ("code", "ended"),
    [
        (0, "ended by itself with exit code 0"),
        (7, "ended by itself with exit code 7"),
        (-signal.SIGKILL, "was killed (SIGKILL)"),
        (-signal.SIGTERM, "was ended by SIGTERM"),
    ],
)
def test_how_a_process_ended_in_words(code: int, ended: str) -> None:
    assert how_it_ended(code) == ended


def test_a_count_that_did_not_rise_or_is_missing_names_nobody() -> None:
    kill = -signal.SIGKILL
    somebody = "the worker process was killed (SIGKILL), not by the system for lack of memory but by somebody"
    assert death(kill, OomKills(2, None, None), OomKills(2, None, None), "x")[1] == somebody
    assert death(kill, OomKills(2, 5, None), OomKills(None, 5, None), "x")[1] == somebody
    assert death(kill, OomKills(2, 5, None), OomKills(3, 6, None), "x") == (
        "oom",
        "the memory limit of the cgroup (container, job or service) was reached, and the system killed the worker "
        "process; a smaller batch or network needs less, or raise the limit",
    )
    assert death(kill, OomKills(None, 5, None), OomKills(None, 6, None), "x") == (
        "oom",
        "the machine ran out of memory, and the system killed the worker process; a smaller batch or network or fewer "
        "workers need less",
    )


def test_the_nearest_cgroup_counts_and_one_without_a_count_is_passed_over(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "12:cpu,cpuacct:/a\n0::/outer/inner\n",
        "sys/fs/cgroup/memory.events": "oom_kill 9\n",
        "sys/fs/cgroup/memory.max": "2048\n",
        "sys/fs/cgroup/outer/inner/memory.events": "oom 1\noom_group_kill 4\n",
        "sys/fs/cgroup/outer/inner/memory.max": "1024\n",
    }
    write(tmp_path, files)
    assert oom_kills(tmp_path) == OomKills(cgroup=9, machine=None, limit=2048)
    (tmp_path / "sys/fs/cgroup/outer/inner/memory.events").write_text("oom_kill 1\n", encoding="utf-8")
    assert oom_kills(tmp_path) == OomKills(cgroup=1, machine=None, limit=1024)
