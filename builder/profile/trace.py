"""What a call allocates and frees, operation by operation, on the meta device: nothing is computed.

Tensors live exactly as long as they would on a device, because the same autograd engine runs; a weak reference to each
storage tells when it goes. FLOPs are counted in the same mode, since torch's `FlopCounterMode` hangs hooks into the
modules, and these keep tensors alive.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from builder.profile.flops import flops_of
from builder.profile.marks import Marks
from builder.profile.results import result_of
from builder.profile.signature import Signature, signature_of

Phase = Literal["held", "forward", "backward", "update"]


@dataclass(slots=True)
class Stored:
    """One storage: its size in bytes, the node and the phase that made it, and what it is, as far as that is known."""

    nbytes: int
    node: str
    phase: Phase
    kind: str | None = None


@dataclass(slots=True)
class Operation:
    """One operation of the device that left new storages behind, or that counts.

    Attributes:
        name: such as ``aten.convolution.default``.
        node: the node of the architecture at work.
        phase: forward, backward or update.
        flops: two for each multiply-accumulate, as torch counts them.
        start: index of the first event of its outputs.
        end: index behind the last one.
        signature: what its workspace depends on; None where it has none.
    """

    name: str
    node: str
    phase: Phase
    flops: int
    start: int
    end: int
    signature: Signature | None


@dataclass
class Trace:
    """The events of a call in order: ``i + 1`` for the allocation of storage i, ``-(i + 1)`` for its release."""

    stored: list[Stored] = field(default_factory=list)
    events: list[int] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def outputs(self, operation: Operation) -> list[int]:
        """The storages that an operation left behind, in the order of its results."""
        return [event - 1 for event in self.events[operation.start : operation.end] if event > 0]

    def flops(self, phase: Phase) -> int:
        """FLOPs of a phase."""
        return sum(operation.flops for operation in self.operations if operation.phase == phase)


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Keeps the account while it is active.

    Args:
        marks: who says which node is at work.
        devices: types of the devices whose memory counts.
    """

    def __init__(self, marks: Marks, devices: frozenset[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.trace = Trace()
        self.phase: Phase = "held"
        self._marks = marks
        self._devices = devices
        self._known: dict[int, tuple[int, weakref.ref[torch.UntypedStorage]]] = {}

    def hold(self, tensors: Iterable[Tensor], kind: str, node: str = "") -> None:
        """Take in tensors that are there before the call."""
        for tensor in tensors:
            self._store(tensor, node, "held", kind)

    def tell(self, tensors: Iterable[Tensor], kind: str) -> None:
        """Say what storages are that the call itself made."""
        for tensor in tensors:
            known = self._known.get(tensor.untyped_storage()._cdata)  # noqa: SLF001
            if known is not None and self.trace.stored[known[0]].kind is None:
                self.trace.stored[known[0]].kind = kind

    def forget(self, tensors: Iterable[Tensor]) -> None:
        """Tensors that were held turn out not to be there on a device: they count nothing from the start."""
        for tensor in tensors:
            known = self._known.get(tensor.untyped_storage()._cdata)  # noqa: SLF001
            if known is not None:
                self.trace.stored[known[0]].nbytes = 0

    def _store(self, tensor: Tensor, node: str, phase: Phase, kind: str | None = None) -> None:
        if tensor.device.type not in self._devices:
            return
        storage = tensor.untyped_storage()
        key: int = storage._cdata  # noqa: SLF001 - its identity; a storage on meta has no address
        if key in self._known or not storage.nbytes():
            return
        number, events = len(self.trace.stored), self.trace.events
        self.trace.stored.append(Stored(storage.nbytes(), node, phase, kind))
        events.append(number + 1)

        def gone(_: object) -> None:
            del self._known[key]
            events.append(-number - 1)

        self._known[key] = (number, weakref.ref(storage, gone))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one operation and write down what it leaves behind."""
        kwargs = kwargs or {}
        result = result_of(func, args, kwargs)
        start, node = len(self.trace.events), self._marks.node()
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._store(leaf, node, self.phase)
        end, flops = len(self.trace.events), flops_of(func, args, kwargs, result)
        signature = signature_of(func, args, kwargs) if self.phase != "update" else None
        if end > start or flops or signature is not None:
            self.trace.operations.append(Operation(str(func), node, self.phase, flops, start, end, signature))
        return result
