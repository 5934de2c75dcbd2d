"""Trials in a process of their own, so that one that dies takes nothing with it but itself.

The process is started once and kept warm, since it imports torch, and is replaced when it dies; or each trial has a new
one. It speaks JSON over a socket pair, ends when its driver ends, and what libraries print goes to a bounded log.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from pydantic import Field

from archspec import Problem, UserError, user_error
from studies.sections.protocol import Data, Section
from studies.sections.start import Init
from studies.training.deaths import OomKills, death, how_it_ended, oom_kills
from studies.trial.job import Job, Outcome, Progress
from studies.trial.limits import failed, limit_memory, timed_out
from studies.trial.log import BoundedLog

#: Seconds between two looks at whether the other side is still there.
_HEARTBEAT = 0.5
#: Times in a row that a process may end before it is ready, before the run gives up.
_STARTS = 3


class Preparation(Section):
    """What every trial of a study needs."""

    device: str = Field(description="As in `Measure.device`.")
    data: Data = Field(description="With absolute paths.")
    init: Init | None = Field(None, description="The checkpoint that trials start from, its architecture spelled out.")


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
    module: str = "studies.trial.worker"


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


Answer = Callable[["Connection[Any, Any]", Any], None]


def _end_with(driver: int) -> None:
    """End this process when its driver is gone, also in the middle of a training."""
    while os.getppid() == driver:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def serve(descriptor: int, driver: int, memory: float | None, answers: Mapping[str, Answer]) -> None:
    """The child's end: jobs in, progress and outcomes out, until the driver closes.

    Args:
        descriptor: the child's end of the socket pair.
        driver: process id of the driver.
        memory: bytes that this process may ask for.
        answers: what to do for each kind of message.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(driver,), daemon=True).start()
    limit_memory(memory)
    connection: Connection[Any, Any] = Connection(descriptor)
    with contextlib.suppress(EOFError, ConnectionError):
        connection.send(("ready", None))
        while True:
            kind, body = connection.recv()
            answers[kind](connection, body)


def _do_job(connection: Connection[Any, Any], body: Any) -> None:
    from studies.trial.run import run_trial

    job = Job.model_validate(body)
    outcome = run_trial(job, lambda progress: connection.send(("progress", progress.model_dump(mode="json"))))
    connection.send(("outcome", outcome.model_dump(mode="json")))
    _set_imports_aside()


@cache
def _set_imports_aside() -> None:
    """Take what the first job has imported out of later garbage collections, once.

    A trial collects garbage when it ends, and when its memory is measured; torch alone would make each collection
    visit about a million objects, a third of a second, that live as long as the process.
    """
    gc.collect()
    gc.freeze()


def _prepare(connection: Connection[Any, Any], body: Any) -> None:
    refused, devices = prepared(Preparation.model_validate(body))
    connection.send(("ready", devices) if refused is None else ("refused", refused))


def prepared(preparation: Preparation) -> tuple[str | None, int]:
    """(why a study cannot be run in this process, or None; the devices that trials can have to themselves)."""
    from studies.measure.device import choose
    from studies.training.data.dataset import load
    from studies.training.pretrained import check_checkpoint

    try:
        device = choose(preparation.device)
        load(preparation.data)
        if preparation.init is not None:
            check_checkpoint(preparation.init)
    except UserError as error:
        return "; ".join(_told(problem) for problem in error.problems), 0
    return None, _devices(device.type) if ":" not in preparation.device else 1


def _told(problem: Problem) -> str:
    place = f"{problem.file}: " if problem.file else ""
    return f"{place}{problem.message} {problem.hint or ''}".strip()


def _devices(kind: str) -> int:
    import torch

    return torch.cuda.device_count() if kind == "cuda" else 1


def main(answers: Mapping[str, Answer]) -> None:
    """Serve as the command line says: DESCRIPTOR DRIVER MEMORY, the last of them empty if there is no limit."""
    _, descriptor, driver, memory = sys.argv
    serve(int(descriptor), int(driver), float(memory) if memory else None, answers)


if __name__ == "__main__":
    main({"job": _do_job, "prepare": _prepare})
