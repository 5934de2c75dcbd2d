"""Trials in a process of their own, so that one that dies takes nothing with it but itself.

The process is started once and kept warm: it imports torch once, and is replaced when it dies. It speaks JSON over a
socket pair, ends when its driver ends, and writes whatever libraries print to a log file.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import Field

from archspec import UserError, user_error
from studies.protocol import Data, Section
from studies.start import Init
from studies.trial import Job, Outcome, Progress

#: Seconds between two looks at whether the other side is still there.
_HEARTBEAT = 0.5
_LOG_LIMIT = 10_000_000


class Preparation(Section):
    """What every trial of a study needs."""

    device: str = Field(description="As in `Measure.device`.")
    data: Data = Field(description="With absolute paths.")
    init: Init | None = Field(None, description="The checkpoint that trials start from, its architecture spelled out.")


class Worker:
    """The driver's end: runs jobs one after another in a child process.

    Args:
        log: file for what the child's libraries print.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None

    def start(self) -> None:
        """Start the child if none runs, so that it is warm when the first job comes."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close(kill=True)
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parent.parent)
        search_path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        # Without it libgomp's threads wait by spinning, and a training of small networks that shares its cores with
        # anything else slows down by one to two orders of magnitude.
        environment = {"GOMP_SPINCOUNT": "10000", **os.environ, "PYTHONPATH": search_path}
        if self._log.exists() and self._log.stat().st_size > _LOG_LIMIT:
            self._log.unlink()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "studies.worker", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # Ctrl-C is the driver's to handle
            )
        theirs.close()
        self._connection = Connection(ours.detach())

    def prepare(self, job: Preparation) -> None:
        """Find the device and read the data once, before anything is trained; `UserError` if either cannot be had."""
        self.start()
        assert self._connection is not None
        self._connection.send(("prepare", job.model_dump(mode="json")))
        kind, reason = self._connection.recv()
        if kind == "refused":
            raise user_error(reason)

    def run(self, job: Job, on_progress: Callable[[Progress], None]) -> Outcome:
        """Run one job; a child that dies is an outcome with its reason, not an exception."""
        self.start()
        assert self._connection is not None
        began = time.perf_counter()
        try:
            self._connection.send(("job", job.model_dump(mode="json")))
            while True:
                kind, body = self._connection.recv()
                if kind == "outcome":
                    return Outcome.model_validate(body)
                on_progress(Progress.model_validate(body))
        except (EOFError, ConnectionError):
            return self._died(time.perf_counter() - began)

    def _died(self, wall: float) -> Outcome:
        assert self._process is not None
        code = self._process.wait(timeout=30)
        self.close(kill=True)
        if code == -signal.SIGKILL:
            reason = "the worker process was killed (SIGKILL), as the system does when memory runs out"
        elif code < 0:
            reason = f"the worker process was ended by {signal.Signals(-code).name}"
        else:
            reason = f"the worker process ended by itself with exit code {code}; see {self._log.name}"
        return Outcome(
            status="failed", reason=reason, metrics={}, detail={"exit_code": code}, curve=(), environment={}, data={},
            wall=wall,
        )  # fmt: skip

    def kill(self) -> None:
        """End the child at once; whoever waits for its answer gets an outcome that says so."""
        if self._process is not None:
            self._process.kill()

    def close(self, *, kill: bool = False) -> None:
        """End the child: at once, or by letting it see that nothing more comes."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            if kill:
                self._process.kill()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _end_with(driver: int) -> None:
    """End this process when its driver is gone, also in the middle of a training."""
    while os.getppid() == driver:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _serve(descriptor: int, driver: int) -> None:
    """The child's end: jobs in, progress and outcomes out, until the driver closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()
    connection: Connection[Any, Any] = Connection(descriptor)
    answers: dict[str, Callable[[Connection[Any, Any], Any], None]] = {"job": _do_job, "prepare": _prepare}
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            kind, body = connection.recv()
            answers[kind](connection, body)


def _do_job(connection: Connection[Any, Any], body: Any) -> None:
    from studies.trial import run_trial

    job = Job.model_validate(body)
    outcome = run_trial(job, lambda progress: connection.send(("progress", progress.model_dump(mode="json"))))
    connection.send(("outcome", outcome.model_dump(mode="json")))


def _prepare(connection: Connection[Any, Any], body: Any) -> None:
    from studies.data.dataset import load
    from studies.measure.device import choose
    from studies.pretrained import check_checkpoint

    preparation = Preparation.model_validate(body)
    try:
        choose(preparation.device)
        load(preparation.data)
        if preparation.init is not None:
            check_checkpoint(preparation.init)
        connection.send(("ready", None))
    except UserError as error:
        connection.send(("refused", "; ".join(f"{p.message} {p.hint or ''}".strip() for p in error.problems)))


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
