"""What the CPU's allocator does while single operations run, by its own record.

The record is the `[memory]` events of torch.profiler, exact to the byte asked for. Many operations are recorded in one
session of the profiler; allocations of a size that nothing else has stand between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from builder.allocations import allocations
from builder.profile.signature import Signature
from builder.profile.workspace import Need

#: Bytes of the allocations that stand between operations; an odd prime, so no tensor of numbers has it.
_MARK = 1_299_709


def recorded(signatures: Sequence[Signature]) -> list[Need | None]:
    """What each operation needs on the CPU, run once alone; None for one that cannot be run alone."""
    outputs: list[tuple[int, ...] | None] = []

    def run_all() -> None:
        with torch.no_grad():
            outputs.extend(_run(signature) for signature in signatures)

    changes = allocations(run_all)
    peaks = list(_peaks(changes))
    if len(peaks) != len(signatures):
        raise RuntimeError(f"torch.profiler recorded {len(peaks)} of {len(signatures)} operations")
    return [None if left is None else Need(peak, left) for peak, left in zip(peaks, outputs, strict=True)]


def _run(signature: Signature) -> tuple[int, ...] | None:
    """Run an operation between two marks; the bytes of the storages that it leaves behind."""
    args, kwargs = signature.arguments("cpu")
    torch.empty(_MARK, dtype=torch.uint8)
    try:
        result = signature.operation(*args, **kwargs)
    except (RuntimeError, NotImplementedError):  # not on this device, or not with numbers that are all zero
        result = None
    torch.empty(_MARK, dtype=torch.uint8)
    return None if result is None else left_behind(result, (args, kwargs))


def left_behind(result: object, arguments: object) -> tuple[int, ...]:
    """Bytes of the storages of a result that are none of the arguments', in the order of its tensors."""
    given = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves(arguments) if isinstance(leaf, Tensor)}
    found: dict[int, int] = {}
    for leaf in tree_leaves(result):
        if isinstance(leaf, Tensor) and leaf.untyped_storage().nbytes():
            found.setdefault(leaf.untyped_storage().data_ptr(), leaf.untyped_storage().nbytes())
    return tuple(nbytes for pointer, nbytes in found.items() if pointer not in given)


def _peaks(changes: list[int]) -> Iterator[int]:
    """The highest sums of the changes between each mark and the next one."""
    inside = False
    live = peak = 0
    for change in changes:
        if change == _MARK:
            if inside:
                yield peak
            inside = not inside
            live = peak = 0
        elif inside and change != -_MARK:
            live += change
            peak = max(peak, live)
