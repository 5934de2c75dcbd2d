"""Whose turn it is on a device of this machine: trainings share it, a measurement has it alone.

Two files a device, locked by the kernel (`flock`), so a process that dies leaves nothing locked. Whoever trains holds
a shared lock of the one; whoever measures asks at the *gate*, the other file, which stops new trainings and tells the
running ones to pause before their next step, batch of an evaluation or call for samples, and then holds the first
alone. `filelock` has no lock that is shared and whose holders can see that somebody waits; hence our own.

The files lie in one folder for all users and studies of a machine: ``/tmp/ushape-locks``, or what the environment
variable ``USHAPE_LOCKS`` names. Containers that do not share that folder do not see each other.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PATIENCE = 600.0
_LONGEST_NAP = 0.02


def identity(device: torch.device) -> str:
    """What a device is called on this machine, whatever part of it a process may see: the UUID of a GPU, or `cpu`."""
    if device.type != "cuda":
        return device.type
    import torch

    properties = torch.cuda.get_device_properties(device)
    return f"cuda-{getattr(properties, 'uuid', device.index)}"


def folder() -> Path:
    """Where the lock files lie; not TMPDIR, which may be another one for each user or job."""
    named = os.environ.get("USHAPE_LOCKS")
    if named:
        return Path(named)
    common = Path("/tmp")
    return (common if common.is_dir() else Path(tempfile.gettempdir())) / "ushape-locks"


class Turn:
    """One process's turns on one device.

    Where the lock files may not be used (a folder that cannot be written to), or nobody gives way within `patience`,
    work goes on without, and `trouble` says why: a record then tells that a measurement had no device of its own.

    Args:
        device: its `identity`.
        where: folder of the lock files; default as in the module's text.
        patience: seconds to wait at most.
        idle: waits until the device has nothing left to do; called before a pause.

    Attributes:
        paused: seconds that were spent waiting for others' measurements.
        waited: seconds that were spent waiting to measure.
        trouble: why the lock was not held at some time; None otherwise.
    """

    def __init__(
        self,
        device: str,
        where: Path | None = None,
        patience: float = PATIENCE,
        idle: Callable[[], None] = lambda: None,
    ) -> None:
        self.patience = patience
        self.paused = 0.0
        self.waited = 0.0
        self.trouble: str | None = None
        self._idle = idle
        self._gate = self._device = -1
        name = re.sub(r"[^A-Za-z0-9.-]", "_", device)
        try:
            where = where or folder()
            where.mkdir(parents=True, exist_ok=True)
            _shared_with_all(where, 0o1777)
            self._gate = _opened(where / f"{name}.gate")
            self._device = _opened(where / f"{name}.lock")
        except OSError as error:
            self.trouble = f"no lock of the device: {error.strerror} ({error.filename})"

    @contextmanager
    def training(self) -> Iterator[None]:
        """Share the device with other trainings; waits while somebody measures."""
        self.paused += self._enter()
        try:
            yield
        finally:
            self._leave(self._device)

    def give_way(self) -> None:
        """Pause a training while somebody measures; to be called between its steps. Costs microseconds."""
        if self._gate < 0 or self._take(self._gate, fcntl.LOCK_SH):
            self._leave(self._gate)
            return
        self._idle()
        self._leave(self._device)
        self.paused += self._enter()

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Have the device alone; waits until trainings paused and other measurements are over."""
        began = time.monotonic()
        try:
            if self._wait(self._gate, fcntl.LOCK_EX):
                self._wait(self._device, fcntl.LOCK_EX)
            self.waited += time.monotonic() - began
            yield
        finally:
            self._leave(self._device)
            self._leave(self._gate)

    def summary(self) -> dict[str, float | str | None]:
        """What a record says: seconds `paused` and `waited`, and the `trouble`."""
        return {"paused": round(self.paused, 3), "waited": round(self.waited, 3), "trouble": self.trouble}

    def close(self) -> None:
        """Close the files and with them give up every lock."""
        for descriptor in (self._device, self._gate):
            if descriptor >= 0:
                os.close(descriptor)
        self._gate = self._device = -1

    def _enter(self) -> float:
        """Take the shared lock through the gate; seconds that it took."""
        began = time.monotonic()
        if self._wait(self._gate, fcntl.LOCK_SH):
            self._wait(self._device, fcntl.LOCK_SH)
            self._leave(self._gate)
        return time.monotonic() - began

    def _wait(self, descriptor: int, how: int) -> bool:
        """Take a lock within `patience`; where that fails, note it."""
        if descriptor < 0:
            return False
        end, nap = time.monotonic() + self.patience, 0.0005
        while not self._take(descriptor, how):
            if time.monotonic() > end:
                self.trouble = f"the device was not given way to within {self.patience:g} s"
                return False
            time.sleep(nap)
            nap = min(2 * nap, _LONGEST_NAP)
        return True

    @staticmethod
    def _take(descriptor: int, how: int) -> bool:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    @staticmethod
    def _leave(descriptor: int) -> None:
        if descriptor >= 0:
            fcntl.flock(descriptor, fcntl.LOCK_UN)


def _opened(path: Path) -> int:
    """A descriptor of a lock file that every user may open; it does not follow links."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        _shared_with_all(path, 0o666)
        return descriptor


def _shared_with_all(path: Path, mode: int) -> None:
    """Lift the umask from what this user made; what belongs to another is as it should be already."""
    if path.stat().st_uid == os.geteuid():
        path.chmod(mode)
