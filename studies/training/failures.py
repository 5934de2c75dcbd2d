"""What an exception of a trial means, in words that a person understands.

The kinds are one table, asked in its order: out of memory, a device that vanished, NaN, what the user has to change,
and anything else.
"""

from __future__ import annotations

import re
import resource
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archspec.text.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

Failure = Literal["oom", "diverged", "failed"]

#: What CUDA says when a device, or this process's hold on it, is gone for good (cuda_runtime_api.h, cudaError).
_DEVICE_LOST = re.compile(
    r"CUDA(?: driver)? error: (?:"
    r"unspecified launch failure|uncorrectable ECC|an illegal memory access|device-side assert|hardware stack error"
    r"|no CUDA-capable device|CUDA-capable device\(s\) is/are busy|invalid device ordinal|unknown error"
    r"|an illegal instruction|the launch timed out|all CUDA-capable devices|GPU is lost|device not ready"
    r"|driver shutting down|NVLink|uncorrectable NVLink)",
    re.IGNORECASE,
)

#: What allocators say beside torch's own: of the host, and of a device for what libraries and kernels ask of it.
_SHORT = (
    "DefaultCPUAllocator: can't allocate memory", "std::bad_alloc", "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED",
)  # fmt: skip
#: oneDNN, of its own buffers, where this process may ask for so much memory and no more.
_SHORT_AT_A_LIMIT = ("could not create a primitive", "could not execute a primitive")


class Diverged(Exception):  # noqa: N818 - an outcome of training, not a mistake
    """The loss became NaN or infinite.

    Attributes:
        step: the step, from 1, whose loss was not finite; the number of steps when only the evaluation was not.
    """

    def __init__(self, step: int, what: str = "the training loss") -> None:
        self.step = step
        super().__init__(f"{what} became NaN or infinite at step {step}")


class MeasuringFailed(Exception):  # noqa: N818 - an outcome, not a mistake
    """A measuring process of its own came to no result.

    Attributes:
        status: what that means for a trial.
    """

    def __init__(self, status: Failure, reason: str) -> None:
        self.status: Failure = status
        super().__init__(reason)


def explained(error: Exception, doing: str) -> tuple[Failure, str]:
    """The status that an exception means for a trial, and a sentence for people.

    Args:
        error: what was raised.
        doing: what the trial was doing, such as `training`.
    """
    for applies, say in _KINDS:
        if applies(error):
            return say(error, doing)
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({Path(f.filename).name}:{f.lineno}, in {f.name})" for f in frame)
    return "failed", f"{type(error).__name__} while {doing}: {_first_line(error)}{place}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that the device or the host had no more memory to give."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = _SHORT + _SHORT_AT_A_LIMIT if _is_limited() else _SHORT
    return isinstance(error, RuntimeError) and any(word in str(error) for word in words)


def _is_limited() -> bool:
    """Whether this process may ask for so much memory and no more."""
    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS))
    return any(limit != resource.RLIM_INFINITY for limit in limits)


def is_device_lost(error: BaseException) -> bool:
    """Whether a device vanished, or this process can use it no longer: only a new process can go on."""
    return isinstance(error, RuntimeError) and _DEVICE_LOST.search(str(error)) is not None


def _is_divergence(error: Exception) -> bool:
    return isinstance(error, Diverged)


def _not_measured(error: Exception, doing: str) -> tuple[Failure, str]:
    assert isinstance(error, MeasuringFailed)
    del doing
    return error.status, str(error)


def _out_of_memory(error: Exception, doing: str) -> tuple[Failure, str]:
    asked = re.search(r"allocate ([\d.]+ ?\w+)", str(error))
    more = f" ({_readable(asked[1])} more were asked for)" if asked else ""
    return "oom", f"out of memory while {doing}{more}; a smaller batch, width or resolution needs less"


def _device_lost(error: Exception, doing: str) -> tuple[Failure, str]:
    said = re.sub(r"^CUDA(?: driver)? error: ", "", _first_line(error)).rstrip(".")
    return "failed", (
        f"the device was lost while {doing} ({said}); the next trial gets a new process, and if it fails too, "
        "look at `nvidia-smi` and the system's log for Xid errors"
    )


def _divergence(error: Exception, doing: str) -> tuple[Failure, str]:
    del doing
    return "diverged", str(error)


def _mistake(error: Exception, doing: str) -> tuple[Failure, str]:
    del doing
    return "failed", str(error)


_KINDS: tuple[tuple[Callable[[Exception], bool], Callable[[Exception, str], tuple[Failure, str]]], ...] = (
    (_is_divergence, _divergence),
    (lambda error: isinstance(error, MeasuringFailed), _not_measured),
    (is_out_of_memory, _out_of_memory),
    (is_device_lost, _device_lost),
    (lambda error: isinstance(error, UserError), _mistake),
)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _readable(asked: str) -> str:
    """An allocator's amount, bytes brought to GiB."""
    number, unit = re.fullmatch(r"([\d.]+) ?(\w+)", asked).groups()  # type: ignore[union-attr]
    return f"{float(number) / 2**30:,.2f} GiB" if unit == "bytes" else f"{number} {unit}"
