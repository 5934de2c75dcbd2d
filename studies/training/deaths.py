"""Why a worker process died: the system's OOM killer told apart from everybody else who may send SIGKILL.

The kernel counts the processes that it killed for lack of memory: per cgroup (version 2: ``memory.events``, version 1:
``memory.oom_control``) and for the whole machine (``/proc/vmstat``). What rose while the worker ran says who it was.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from pathlib import Path

from studies.training.failures import Failure

#: A version 1 limit at or above this is none.
_NO_LIMIT = 2**60


@dataclass(frozen=True)
class OomKills:
    """Counts of processes killed for lack of memory; None where the system does not say.

    Attributes:
        cgroup: in the cgroup of this process.
        machine: on the whole machine.
        limit: the cgroup's memory limit in bytes; None if it has none.
    """

    cgroup: int | None
    machine: int | None
    limit: int | None


def oom_kills(root: Path = Path("/")) -> OomKills:
    """The counts as they stand.

    Args:
        root: where the system's own files are.
    """
    cgroup, limit = None, None
    for folder, counter, most in _places(root):
        cgroup = _counted(folder / counter, "oom_kill")
        if cgroup is not None:
            limit = _number(folder / most)
            break
    return OomKills(cgroup, _counted(root / "proc/vmstat", "oom_kill"), limit)


def death(code: int, before: OomKills, after: OomKills, log: str) -> tuple[Failure, str]:
    """Status and reason of a worker process that ended with a trial unfinished.

    Args:
        code: its exit code, negative for a signal, as subprocess has it.
        before: the counts when the trial began.
        after: the counts now.
        log: name of the file with what its libraries printed.
    """
    if code != -signal.SIGKILL:
        return "failed", f"the worker process {how_it_ended(code)}; see {log}"
    if _rose(before.cgroup, after.cgroup):
        limit = f" of {after.limit / 2**30:,.2f} GiB" if after.limit is not None else ""
        return "oom", (
            f"the memory limit{limit} of the cgroup (container, job or service) was reached, and the system killed "
            "the worker process; a smaller batch or network needs less, or raise the limit"
        )
    if _rose(before.machine, after.machine):
        return "oom", (
            "the machine ran out of memory, and the system killed the worker process; a smaller batch or network or "
            "fewer workers need less"
        )
    if before.cgroup is None and before.machine is None:
        return "failed", "the worker process was killed (SIGKILL), as the system does when memory runs out"
    return "failed", "the worker process was killed (SIGKILL), not by the system for lack of memory but by somebody"


def how_it_ended(code: int) -> str:
    """How a process ended, by its exit code, as the rest of a sentence about it."""
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL)"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended by itself with exit code {code}"


def _rose(before: int | None, after: int | None) -> bool:
    return before is not None and after is not None and after > before


def _places(root: Path) -> list[tuple[Path, str, str]]:
    """(folder, file with the count, file with the limit) of this process's cgroup, the nearest first.

    Inside a container the path in ``/proc/self/cgroup`` may be one of the host, and the mount itself be the cgroup.
    """
    mount = root / "sys/fs/cgroup"
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    places = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names, base = ("memory.events", "memory.max"), mount
        elif "memory" in controllers.split(","):
            names, base = ("memory.oom_control", "memory.limit_in_bytes"), mount / "memory"
        else:
            continue
        places += [(base / path.lstrip("/"), *names), (base, *names)]
    return places


def _counted(file: Path, key: str) -> int | None:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key} ")), None)


def _number(file: Path) -> int | None:
    try:
        value = int(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # version 2 writes `max`
        return None
    return None if value >= _NO_LIMIT else value
