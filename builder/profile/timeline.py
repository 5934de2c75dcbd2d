"""From the events of a call to its peak, and to what is resident there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from builder.profile.trace import Operation, Phase, Stored, Trace
from builder.profile.workspace import Need

#: What a storage is called that nobody named, by the phase that made it.
_KINDS: dict[Phase, str] = {
    "held": "held",
    "forward": "activation",
    "backward": "gradient of activations",
    "update": "update",
}


@dataclass(frozen=True)
class Resident:
    """Bytes of one kind that belong to one node of the architecture; `node` is empty for what belongs to none.

    Kinds: parameter, buffer, input, average, optimizer, gradient, activation, gradient of activations, update, and for
    the operation at the peak result and workspace.
    """

    node: str
    kind: str
    nbytes: int


@dataclass(frozen=True)
class Peak:
    """The moment at which a call holds most.

    Attributes:
        nbytes: bytes allocated then.
        held: bytes that were there before the call.
        phase: forward, backward or update.
        node: the node at work.
        operation: the operation at work.
        resident: what is there, largest first; the bytes sum to `nbytes`.
    """

    nbytes: int
    held: int
    phase: Phase
    node: str
    operation: str
    resident: tuple[Resident, ...]


def sizes_of(trace: Trace, needs: Sequence[Need]) -> list[int]:
    """Bytes of every storage, those of results as the needs say."""
    sizes = [stored.nbytes for stored in trace.stored]
    for operation, need in zip(trace.operations, needs, strict=True):
        outputs = trace.outputs(operation)
        if len(outputs) == len(need.outputs):
            for number, nbytes in zip(outputs, need.outputs, strict=True):
                sizes[number] = nbytes
    return sizes


def peak_of(trace: Trace, needs: Sequence[Need]) -> Peak:
    """The peak of a trace whose operations have these needs."""
    sizes = sizes_of(trace, needs)
    live, top, at = 0, -1, -1
    position = 0
    for index, (operation, need) in enumerate(zip(trace.operations, needs, strict=True)):
        live += _change(trace.events[position : operation.start], sizes)
        position = operation.start
        if live + need.peak > top:
            top, at = live + need.peak, index
    operation, need = trace.operations[at], needs[at]
    held = sum(size for size, stored in zip(sizes, trace.stored, strict=True) if stored.phase == "held")
    resident = _resident(trace, sizes, operation, need)
    return Peak(top, held, operation.phase, operation.node, operation.name, resident)


def _change(events: Sequence[int], sizes: Sequence[int]) -> int:
    return sum(sizes[event - 1] if event > 0 else -sizes[-event - 1] for event in events)


def _resident(trace: Trace, sizes: Sequence[int], operation: Operation, need: Need) -> tuple[Resident, ...]:
    alive: set[int] = set()
    for event in trace.events[: operation.start]:
        if event > 0:
            alive.add(event - 1)
        else:
            alive.discard(-event - 1)
    found: Counter[tuple[str, str]] = Counter()
    for number in alive:
        stored = trace.stored[number]
        found[stored.node, kind_of(stored)] += sizes[number]
    found[operation.node, "result"] += sum(need.outputs)
    found[operation.node, "workspace"] += need.peak - sum(need.outputs)
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Resident(node, kind, nbytes) for (node, kind), nbytes in ordered if nbytes)


def kind_of(stored: Stored) -> str:
    """What a storage is."""
    return stored.kind or _KINDS[stored.phase]
