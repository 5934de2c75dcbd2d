"""Architectures head to head: timed side by side in fresh processes, and the ratio with its interval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from archspec import user_error
from studies.measure.apart import Apart, found_apart, taken_apart
from studies.measure.device import choose, turn_on
from studies.measure.latency import Latency, Taken, summary
from studies.measure.lock import Turn
from studies.sections.protocol import Measure, Protocol, Section

Document = dict[str, Any]


class Comparison(Section):
    """What a comparison found.

    Attributes:
        names: of the architectures; the first is what the others are compared to.
        latencies: of each; `ratio` is to the first, within rounds.
        memory: of each, as `Memory` has it; empty where it was not asked for.
        disturbed: what disturbed kept measurements.
        unknown: what could not be watched, and why.
        waited: seconds that were spent waiting for the device.
        exclusive: null, or why the device was not had alone.
        load: load average of each process's rounds, at their end; null where the system does not say.
    """

    names: tuple[str, ...]
    latencies: tuple[Latency, ...]
    memory: tuple[dict[str, Any], ...]
    disturbed: tuple[str, ...]
    unknown: tuple[str, ...]
    waited: float
    exclusive: str | None
    load: tuple[float | None, ...]

    @property
    def verdicts(self) -> tuple[str, ...]:
        """For each of the others: `faster`, `slower` or `no difference shown`, by its interval."""
        return tuple(_verdict(latency) for latency in self.latencies[1:])


def compare(
    architectures: Sequence[tuple[str, Document]],
    protocol: Protocol,
    measure: Measure,
    *,
    training: bool = False,
    history: Path | None = None,
    said: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Time architectures against the first of them.

    Args:
        architectures: name and full document of each, two at least.
        protocol: objective and training.
        measure: device, batch, rounds and `processes`, one at least.
        training: compare training steps; inference otherwise.
        history: folder for CUDA's memory histories, where memory is measured; one folder in it for each.
        said: called with a line on how far it is.

    Raises:
        UserError: the device is not there, or has no memory history.
        MeasuringFailed: a process died or ran out of memory.
    """
    device = choose(measure.device)
    if history is not None and device.type != "cuda":
        raise user_error("the CPU's allocator keeps no memory history.", "Leave out --history, or name a CUDA device.")
    names, documents = zip(*architectures, strict=True)
    job = Apart(
        what="race", documents=documents, protocol=protocol, measure=measure, training=training, history=history
    )
    processes = max(1, measure.processes)
    taken: list[Taken] = []
    with closing(turn_on(device)) as turn:
        for number in range(processes):
            said(f"process {number + 1} of {processes}")
            with turn.measuring():
                taken.append(taken_apart(job.model_copy(update={"seed": number})))
        memory = _memory(documents, job, turn, said) if measure.memory else ()
    return Comparison(
        names=names,
        latencies=tuple(summary(taken, measure.batch, entrant, own_process=False) for entrant in range(len(names))),
        memory=memory,
        disturbed=tuple(dict.fromkeys(word for one in taken for word in one.conditions.disturbed)),
        unknown=tuple(dict.fromkeys(word for one in taken for word in one.conditions.unknown)),
        waited=round(turn.waited, 3),
        exclusive=turn.trouble,
        load=tuple(one.conditions.after.get("load") for one in taken),
    )


def _memory(
    documents: Sequence[Document], job: Apart, turn: Turn, said: Callable[[str], None]
) -> tuple[dict[str, Any], ...]:
    """Peak memory of each, in a process of its own."""
    name = "train_memory" if job.training else "memory"
    found = []
    for number, document in enumerate(documents):
        said(f"memory of {number + 1} of {len(documents)}")
        alone = job.measure.model_copy(update={"latency": False, "energy": False, "batches": ()})
        update: dict[str, Any] = {"what": "network", "documents": (document,), "measure": alone}
        if job.history is not None:
            update["history"] = job.history / str(number)
            update["history"].mkdir(parents=True, exist_ok=True)
        with turn.training():
            found.append(found_apart(job.model_copy(update=update)).detail[name])
    return tuple(found)


def _verdict(latency: Latency) -> str:
    if latency.ratio_interval is None:
        return "too few rounds to say"
    low, high = latency.ratio_interval
    if low > 1:
        return "slower"
    return "faster" if high < 1 else "no difference shown"
