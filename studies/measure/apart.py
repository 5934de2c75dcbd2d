"""Measuring in a fresh process that holds nothing else, and ends with it.

The child reads one job as JSON from its standard input and writes one answer to its standard output; what libraries
print goes to standard error. The parent holds the device's lock, the child takes none.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from archspec import UserError, user_error
from studies.sections.protocol import Measure, Protocol, Section
from studies.training.deaths import death, oom_kills
from studies.training.failures import MeasuringFailed, explained

if TYPE_CHECKING:
    from torch import nn

    from studies.measure.latency import Taken
    from studies.measure.lock import Turn
    from studies.measure.network import Found

_LAST_WORDS = 2000
_HEARTBEAT = 0.5


class Apart(Section):
    """What a fresh process measures.

    Attributes:
        what: `network`: everything about the one document against the reference network; `race`: the latency of
            the later documents against the first.
        documents: architectures in full, as `archspec.to_document` gives them.
        seed: of the weights, and of the order within rounds.
        training: whether a race is over training steps; inference otherwise.
        history: on CUDA, folder for the allocator's histories of a network's calls.
    """

    what: Literal["network", "race"]
    documents: tuple[dict[str, Any], ...] = Field(min_length=1)
    protocol: Protocol = Field(description="With absolute paths.")
    measure: Measure
    seed: int = 0
    training: bool = False
    history: Path | None = None


def measured_apart(job: Apart) -> dict[str, Any]:
    """The child's answer, as plain data: a `Found` or, of a race, a `Taken`.

    Raises:
        UserError: the job asks for what cannot be had, such as a device that is not there.
        MeasuringFailed: the process died or what it measured went wrong.
    """
    root = str(Path(__file__).resolve().parent.parent.parent)
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    before = oom_kills()
    done = subprocess.run(
        [sys.executable, "-m", "studies.measure.apart", str(os.getpid())],
        input=job.model_dump_json().encode(),
        capture_output=True,
        env={"GOMP_SPINCOUNT": "10000", **os.environ, "PYTHONPATH": paths},
        check=False,
    )
    if done.returncode:
        status, reason = death(done.returncode, before, oom_kills(), "below")
        said = done.stderr.decode(errors="replace").strip()[-_LAST_WORDS:]
        raise MeasuringFailed(
            status, reason.replace("worker process", "measuring process") + (f"\n{said}" if said else "")
        )
    answer: dict[str, Any] = json.loads(done.stdout)
    if "refused" in answer:
        raise user_error(answer["refused"])
    if "status" in answer:
        raise MeasuringFailed(answer["status"], answer["reason"])
    found: dict[str, Any] = answer["found"]
    return found


def found_apart(job: Apart) -> Found:
    """What a fresh process measured of the one network of a job; raises as `measured_apart` does."""
    from studies.measure.network import Found

    return Found.model_validate(measured_apart(job))


def taken_apart(job: Apart) -> Taken:
    """What a fresh process measured in the race of a job; raises as `measured_apart` does."""
    from studies.measure.latency import Taken

    return Taken.model_validate(measured_apart(job))


def measured_here_or_apart(
    module: nn.Module,
    shape: tuple[int, ...],
    document: dict[str, Any],
    protocol: Protocol,
    measure: Measure,
    turn: Turn,
) -> tuple[dict[str, float], dict[str, Any]]:
    """A trained network measured as a trial's record keeps it: in this process, or in as many others as asked for.

    Args:
        module: the network, on its device; used and changed where no other process measures.
        shape: of one image, ``(c, h, w)``.
        document: its architecture in full.
        protocol: objective and training.
        measure: what is measured and how.
        turn: whose turn it is on the device.

    Returns:
        metrics and detail; empty where nothing is to be measured.
    """
    from studies.measure.network import measure_network, put_together

    if not (measure.latency or measure.memory):
        return {}, {}
    if measure.processes:
        apart = Apart(what="network", documents=(document,), protocol=protocol, measure=measure)
        timed = measure.model_copy(update={"memory": False})  # memory is the same in each of them
        with turn.measuring():
            found = [found_apart(apart)]
            for _ in range(measure.processes - 1 if measure.latency else 0):
                found.append(found_apart(apart.model_copy(update={"measure": timed})))
    else:
        found = [measure_network(module, shape, protocol, measure, turn)]
    return put_together(found, measure, own_process=not measure.processes)


def main() -> None:
    """The child's end; it ends when its parent ends, also while it measures."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    answers = os.dup(1)
    os.dup2(2, 1)
    job = Apart.model_validate_json(sys.stdin.buffer.read())
    with os.fdopen(answers, "w", encoding="utf-8") as file:
        json.dump(_answer(job), file)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_HEARTBEAT)
    os._exit(1)


def _answer(job: Apart) -> dict[str, Any]:
    try:
        return {"found": _DO[job.what](job).model_dump(mode="json")}
    except UserError as error:
        return {"refused": "; ".join(f"{p.message} {p.hint or ''}".strip() for p in error.problems)}
    except Exception as error:  # noqa: BLE001 - the parent says what happened
        status, reason = explained(error, "measuring")
        return {"status": status, "reason": reason}


def _network(job: Apart) -> Section:
    from studies.measure.device import choose, pin
    from studies.measure.network import built, image_shape, measure_network

    device = choose(job.measure.device)
    pin(job.measure.threads)
    document = job.documents[0]
    module = built(document, job.seed, device)
    return measure_network(module, image_shape(document), job.protocol, job.measure, None, job.history)


def _race(job: Apart) -> Section:
    from studies.measure.device import choose, pin
    from studies.measure.network import raced

    device = choose(job.measure.device)
    pin(job.measure.threads)
    return raced(job.documents, job.protocol, job.measure, device, training=job.training)


_DO: dict[str, Callable[[Apart], Section]] = {"network": _network, "race": _race}

if __name__ == "__main__":
    main()
