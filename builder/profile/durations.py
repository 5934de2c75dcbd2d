"""How long each operation of a trace takes: every distinct signature is timed once alone, and remembered.

The table is per device, torch version and number of threads, as that of the workspaces (`cache`); its unit is not the
second but the time of one *yardstick*, a fixed convolution with a group norm and a SiLU that is timed in turn with each
operation, so that a machine that is slower today than yesterday fills the same table with the same numbers.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from builder.profile.cache import Rows, cache_folder
from builder.profile.signature import Signature
from builder.profile.trace import Trace

#: Times that each operation has its turn; the fastest counts, since load only ever makes a call slower.
ROUNDS = 5
#: Seconds that a turn lasts at least, by calling a short operation again and again.
_TURN = 5e-4
_MOST_CALLS = 50

#: Parts of an operation's name -> its kind; the first that fits.
_KINDS = (
    ("convolution", "convolution"),
    ("attention", "attention"),
    ("_norm", "normalisation"),
    ("upsample", "resampling"),
    ("pool", "resampling"),
    ("addmm", "product"),
    ("mm.", "product"),
    ("matmul", "product"),
)
#: Everything else: activations, sums, copies, concatenations.
ELEMENTWISE = "elementwise"
KINDS = (*dict.fromkeys(kind for _, kind in _KINDS), ELEMENTWISE)


Call = Callable[[], object]


@dataclass(frozen=True)
class Work:
    """What a call does, operation by operation.

    Attributes:
        times: kind -> sum of the table's times, in yardsticks.
        operations: number of operations, timed or not.
        updated: numbers that the optimizer's step reads, which no table holds.
        untimed: operations outside the optimizer that could not be run alone.
    """

    times: dict[str, float]
    operations: int
    updated: int
    untimed: int

    @property
    def total(self) -> float:
        """The table's times of all kinds together, in yardsticks."""
        return sum(self.times.values())


def kind_of(name: str) -> str:
    """The kind of an operation, such as ``aten.convolution.default``."""
    return next((kind for part, kind in _KINDS if part in name), ELEMENTWISE)


class Durations:
    """Times by signature on one device, in yardsticks.

    Args:
        device: cpu or cuda; it has to be there.
        folder: where the table lies; default ``ushape/durations`` in the user's cache.
        timed: times operations; default on the device.
    """

    def __init__(
        self,
        device: str,
        folder: Path | None = None,
        timed: Callable[[Sequence[Signature], str], list[float | None]] | None = None,
    ) -> None:
        self._device = device
        self._timed = timed or timed_alone
        self._rows = Rows(device, folder or cache_folder("durations"))
        self.path = self._rows.path

    def missing(self, trace: Trace) -> list[Signature]:
        """The signatures of a trace that are not in the table yet, in a fixed order."""
        asked = {one.signature for one in trace.operations if one.signature is not None}
        return sorted(asked - self._rows.known(asked).keys(), key=lambda signature: signature.text())

    def measure(self, signatures: Sequence[Signature]) -> None:
        """Time operations on the device and remember them; one that cannot be run alone is remembered as such."""
        found = self._timed(signatures, self._device)
        self._rows.add(
            {signature: [-1.0 if row is None else row] for signature, row in zip(signatures, found, strict=True)}
        )

    def work(self, trace: Trace) -> Work:
        """What a trace does, by the table; what is not in it counts as untimed."""
        asked = {one.signature for one in trace.operations if one.signature is not None}
        known = {signature: float(row[0]) for signature, row in self._rows.known(asked).items() if row[0] >= 0}
        times = dict.fromkeys(KINDS, 0.0)
        untimed: Counter[bool] = Counter()
        for operation in trace.operations:
            if operation.signature is not None and operation.signature in known:
                times[kind_of(operation.name)] += known[operation.signature]
            else:
                untimed[operation.phase == "update"] += 1
        updated = sum(one.nbytes for one in trace.stored if one.kind == "gradient") // 4
        return Work(times, len(trace.operations), updated, untimed[False])


def timed_alone(signatures: Sequence[Signature], device: str) -> list[float | None]:
    """Each operation's time by the yardstick's; None for one that cannot be run alone.

    All are timed in turn, several times over: what a busy machine does to one of them for a while it does not do to it
    each time, and of all its times the shortest counts.
    """
    clock = _clock(device)
    with torch.no_grad():
        calls = [_callable(signature, device) for signature in signatures]
        yardstick = _yardstick(device)
        unit, fastest = math.inf, [math.inf] * len(calls)
        for _ in range(ROUNDS):
            for index, call in enumerate(calls):
                if call is not None:
                    unit = min(unit, _lap(yardstick, clock))
                    fastest[index] = min(fastest[index], _lap(call, clock))
    return [None if call is None else seconds / unit for call, seconds in zip(calls, fastest, strict=True)]


def _yardstick(device: str) -> Callable[[], Call]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randn((8, 32, 16, 16), generator=draw).to(device)
    weight = torch.randn((32, 32, 3, 3), generator=draw).to(device)

    def call() -> Tensor:
        return functional.silu(functional.group_norm(functional.conv2d(x, weight, padding=1), 8))

    return lambda: call


def _callable(signature: Signature, device: str) -> Callable[[], Call] | None:
    """The operation as a call, after one that went well; its arguments are made anew each time they are needed."""

    def call() -> Call:
        args, kwargs = signature.arguments(device)
        _fill(args)
        return lambda: signature.operation(*args, **kwargs)

    try:
        call()()
    except (RuntimeError, NotImplementedError, IndexError):  # not on this device, or not with numbers of no meaning
        return None
    return call


def _fill(values: Sequence[object]) -> None:
    """Ones instead of zeros where a zero takes a short cut or a division fails; indices stay 0."""
    for value in values:
        if isinstance(value, Tensor) and value.is_floating_point():
            value.fill_(1.0)


def _clock(device: str) -> Callable[[], float]:
    """Seconds: of this thread's CPU time where it does all the work, which no other process lengthens by its turns."""
    if device == "cpu":
        return time.thread_time if torch.get_num_threads() == 1 else time.perf_counter

    def now() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return now


def _lap(make: Callable[[], Call], clock: Callable[[], float]) -> float:
    """Seconds of a call, the mean of as many in a row as make a turn, after one that warms caches."""
    call = make()
    start = clock()
    call()
    once = clock() - start
    number = min(_MOST_CALLS, max(1, round(_TURN / max(once, 1e-7))))
    start = clock()
    for _ in range(number):
        call()
    return (clock() - start) / number
