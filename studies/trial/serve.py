"""The child's end of a worker: jobs come in, progress and outcomes go out, until its driver ends.

What a study prepares and a trial runs loads torch; serving does not.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

from studies.trial.job import Job
from studies.trial.limits import limit_memory
from studies.trial.preparation import Preparation, prepared

#: Seconds between two looks at whether the driver is still there.
_HEARTBEAT = 0.5

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


def main(answers: Mapping[str, Answer]) -> None:
    """Serve as the command line says: DESCRIPTOR DRIVER MEMORY, the last of them empty if there is no limit."""
    _, descriptor, driver, memory = sys.argv
    serve(int(descriptor), int(driver), float(memory) if memory else None, answers)


if __name__ == "__main__":
    main({"job": _do_job, "prepare": _prepare})
