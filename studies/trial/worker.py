"""Trials in a process of their own, so that one that dies takes nothing with it but itself: the driver's end.

The process is started once and kept warm, since it imports torch, and is replaced when it dies; or each trial has a new
one. It speaks JSON over a socket pair (`serve` is its end), and what libraries print goes to a bounded log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from archspec import user_error
from studies.training.deaths import OomKills, death, how_it_ended, oom_kills
from studies.trial.job import Job, Outcome, Progress
from studies.trial.limits import failed, timed_out
from studies.trial.log import BoundedLog
from studies.trial.preparation import Preparation

#: Times in a row that a process may end before it is ready, before the run gives up.
_STARTS = 3


@dataclass(frozen=True)
class Conditions:
    """How worker processes are started, and what they may use.

    Attributes:
        timeout: seconds of a trial; None: no limit.
        memory: bytes of a process; None: no limit.
        fresh: whether each trial has a process of its own.
        environment: variables that are added to the driver's.
        module: what the process runs; it serves jobs as `serve` does.
    """

    timeout: float | None = None
    memory: float | None = None
    fresh: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    module: str = "studies.trial.serve"


class Worker:
    """The driver's end: runs jobs one after another in a child process.

    Args:
        log: file for what the child's libraries print.
        conditions: how the child is started.
    """

    def __init__(self, log: Path, conditions: Conditions = Conditions()) -> None:
        self._log_path, self._conditions = log, conditions
        self._log: BoundedLog | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._ready = False

    def start(self) -> None:
        """Start the child if none runs, so that it is warm when the first job comes."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close(kill=True)
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parent.parent.parent)
        search_path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        memory = self._conditions.memory
        self._log = BoundedLog(self._log_path)
        self._process = subprocess.Popen(
            [
                sys.executable, "-m", self._conditions.module, str(theirs.fileno()), str(os.getpid()),
                "" if memory is None else str(int(memory)),
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._log.fileno(),
            stderr=self._log.fileno(),
            env={**os.environ, **self._conditions.environment, "PYTHONPATH": search_path},
            start_new_session=True,  # Ctrl-C is the driver's to handle
        )  # fmt: skip
        theirs.close()
        self._log.close_ours()
        self._connection = Connection(ours.detach())
        self._ready = False

    def _wait_until_ready(self) -> None:
        """Have a child that answers; `UserError` if it ends by itself again and again before it does."""
        for _ in range(_STARTS):
            self.start()
            assert self._connection is not None
            with contextlib.suppress(EOFError, ConnectionError):
                if not self._ready:
                    self._connection.recv()
                    self._ready = True
                return
            code = self._ended()
        raise user_error(
            f"a worker process {how_it_ended(code)} before it was ready, {_STARTS} times in a row.",
            f"{self._log_path} says why; then the same command goes on from there.",
        )

    def prepare(self, job: Preparation) -> int:
        """Find the device and read the data once, before anything is trained; `UserError` if either cannot be had.

        Returns:
            The number of devices that trials can have to themselves: GPUs, or 1 for the CPU.
        """
        self._wait_until_ready()
        assert self._connection is not None
        try:
            self._connection.send(("prepare", job.model_dump(mode="json")))
            kind, body = self._connection.recv()
        except (EOFError, ConnectionError):
            what = f"the worker process {how_it_ended(self._ended())} while it read the data."
            raise user_error(what, f"{self._log_path} says more; does `run.memory` leave enough?") from None
        if kind == "refused":
            raise user_error(body)
        return int(body)

    def run(self, job: Job, on_progress: Callable[[Progress], None]) -> Outcome:
        """Run one job; a child that dies or takes too long is an outcome with its reason, not an exception.

        Raises:
            UserError: no child can be started.
        """
        self._wait_until_ready()
        began, kills = time.perf_counter(), oom_kills()
        try:
            outcome = self._answer(job, on_progress, began)
        except (EOFError, ConnectionError):
            return self._died(time.perf_counter() - began, kills)
        if outcome is None:
            assert self._conditions.timeout is not None
            self.close(kill=True)
            return timed_out(self._conditions.timeout, time.perf_counter() - began)
        if outcome.detail.get("device_lost"):
            self.close(kill=True)  # only a new process can use the device again
        elif self._conditions.fresh:
            self.close()
            self.start()
        return outcome

    def _answer(self, job: Job, on_progress: Callable[[Progress], None], began: float) -> Outcome | None:
        """The child's outcome; None when the time is over."""
        assert self._connection is not None
        self._connection.send(("job", job.model_dump(mode="json")))
        while True:
            limit = self._conditions.timeout
            left = None if limit is None else began + limit - time.perf_counter()
            if left is not None and (left <= 0 or not self._connection.poll(left)):
                return None
            kind, body = self._connection.recv()
            if kind == "outcome":
                return Outcome.model_validate(body)
            on_progress(Progress.model_validate(body))

    def _ended(self) -> int:
        """The exit code of a child that has closed its end."""
        assert self._process is not None
        try:
            code = self._process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        self.close(kill=True)
        return code

    def _died(self, wall: float, kills: OomKills) -> Outcome:
        code = self._ended()
        status, reason = death(code, kills, oom_kills(), self._log_path.name)
        return failed(reason, wall, status=status, exit_code=code)

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
                self._kill_all()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._kill_all()
                self._process.wait()
            self._process = None
        if self._log is not None:
            self._log.join()
            self._log = None

    def _kill_all(self) -> None:
        """The child and what it may have started: they are a session of their own."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
