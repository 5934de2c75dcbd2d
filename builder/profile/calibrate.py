"""What each operation of a trace needs, measured: every distinct signature is run once alone and remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from archspec import user_error
from builder.profile.cache import Cache
from builder.profile.recorder import left_behind, recorded
from builder.profile.signature import Signature
from builder.profile.trace import Trace
from builder.profile.workspace import Need, by_rule


def by_measurement(trace: Trace, device: str, cache: Cache | None = None) -> tuple[list[Need], int]:
    """What each operation needs, and how many of them go by a rule because they cannot be run alone.

    Operations of the optimizer go by rule as well, being in place or foreach operations without workspace; they are
    not counted.

    Raises:
        UserError: the device is not there.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise user_error(
            "a calibrated prediction for CUDA runs operations on the GPU, and torch sees none here.",
            "Leave out calibration: the static prediction needs no GPU.",
        )
    cache = cache or Cache(device)
    asked = {operation.signature for operation in trace.operations if operation.signature is not None}
    known = cache.known(asked)
    missing = sorted(asked - known.keys(), key=lambda signature: signature.text())
    if missing:
        measured = dict(zip(missing, _RECORDERS[device](missing), strict=True))
        found = {signature: need for signature, need in measured.items() if need is not None}
        cache.add(found)
        known |= found
    rules = by_rule(trace, device)
    needs = [
        known.get(one.signature, rule) if one.signature else rule
        for one, rule in zip(trace.operations, rules, strict=True)
    ]
    return needs, sum(one.signature is not None and one.signature not in known for one in trace.operations)


def _recorded_on_cuda(signatures: Sequence[Signature]) -> list[Need | None]:
    """The same by `torch.cuda.max_memory_allocated`; not validated, for want of a GPU."""
    return [_one_on_cuda(signature) for signature in signatures]


def _one_on_cuda(signature: Signature) -> Need | None:
    args, kwargs = signature.arguments("cuda")
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    try:
        with torch.no_grad():
            result = signature.operation(*args, **kwargs)
    except (RuntimeError, NotImplementedError):
        return None
    torch.cuda.synchronize()
    return Need(torch.cuda.max_memory_allocated() - before, left_behind(result, (args, kwargs)))


_RECORDERS: dict[str, Callable[[Sequence[Signature]], list[Need | None]]] = {
    "cpu": recorded,
    "cuda": _recorded_on_cuda,
}
