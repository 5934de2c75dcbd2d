"""A worker process whose trials are nearly free: the real one's protocol and limits, no torch.

What a trial does is said by its seed, in the file that USHAPE_FAKE names: {"<seed>": ["<deed>", seconds]}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studies.trial.job import Job, Outcome
from studies.trial.serve import main


def outcome(job: Job, **more: Any) -> Outcome:
    loss = len(job.document["name"]) + job.seed / 8
    data = {
        "status": "finished", "reason": None, "metrics": {"loss": loss, "parameters": 1.0}, "detail": {},
        "curve": ((1, 0.5),), "environment": {"device": "fake"}, "data": {"hash": "fake"}, "wall": 0.01, **more,
    }  # fmt: skip
    return Outcome.model_validate(data)


def hang(seconds: float) -> None:
    time.sleep(3600)


def eat(seconds: float) -> None:
    held = []
    while True:
        held.append(bytearray(b"x") * (64 << 20))  # written to: memory that is only asked for counts for no cgroup


def chatter(seconds: float) -> None:
    for _ in range(100):
        sys.stdout.write("x" * 1_000_000 + "\n")
    sys.stdout.flush()


DEEDS: dict[str, Callable[[float], None]] = {
    "sleep": time.sleep, "hang": hang, "eat": eat, "chatter": chatter, "exit": lambda code: os._exit(int(code)),
    "kill": lambda number: os.kill(os.getpid(), int(number)),
}  # fmt: skip


def fake_trial(job: Job) -> Outcome:
    path = os.environ.get("USHAPE_FAKE")
    deeds = json.loads(Path(path).read_text()) if path else {}
    deed, amount = deeds.get(str(job.seed), deeds.get("else", ["sleep", 0.0]))
    try:
        DEEDS[deed](amount)
    except MemoryError:
        return outcome(job, status="oom", reason="out of memory while training", metrics={})
    if job.weights is not None:
        job.weights.parent.mkdir(parents=True, exist_ok=True)
        job.weights.write_bytes(b"weights")
    return outcome(job)


def do_job(connection: Any, body: Any) -> None:
    connection.send(("outcome", fake_trial(Job.model_validate(body)).model_dump(mode="json")))


def prepare(connection: Any, body: Any) -> None:
    connection.send(("ready", 1))


if __name__ == "__main__":
    if os.environ.get("USHAPE_FAKE_DIES_AT_START"):
        sys.exit(3)
    main({"job": do_job, "prepare": prepare})
