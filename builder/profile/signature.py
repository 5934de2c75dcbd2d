"""What the workspace of one operation depends on, as data that can be kept and turned into arguments again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Like:
    """A tensor argument, as far as memory depends on it."""

    dtype: torch.dtype
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of its numbers, each once."""
        count = 1
        for length, stride in zip(self.size, self.stride, strict=True):
            count *= length if stride else 1
        return count * self.dtype.itemsize

    @property
    def is_contiguous(self) -> bool:
        """Whether it lies in memory in the order of its dimensions, or channels last."""
        like = torch.empty_strided(self.size, self.stride, dtype=self.dtype, device="meta")
        return like.is_contiguous() or (like.dim() == 4 and like.is_contiguous(memory_format=torch.channels_last))

    def tensor(self, device: str) -> Tensor:
        """A tensor like it, of zeros."""
        return torch.empty_strided(self.size, self.stride, dtype=self.dtype, device=device).zero_()


@dataclass(frozen=True, slots=True)
class Signature:
    """An operation and its arguments, tensors as `Like`."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: tuple[tuple[str, Any], ...]

    @property
    def name(self) -> str:
        """Such as ``aten.convolution.default``."""
        return str(self.operation)

    def text(self) -> str:
        """One line that is equal for equal signatures, in this process and the next."""
        return f"{self.name}{_spelled(self.args)}{_spelled(self.kwargs)}"

    def arguments(self, device: str) -> tuple[list[Any], dict[str, Any]]:
        """Arguments to call the operation with on `device`; tensors of zeros."""
        return [_filled(value, device) for value in self.args], {k: _filled(v, device) for k, v in self.kwargs}


def signature_of(operation: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Signature | None:
    """The signature of a call; None for a view, which needs no memory, and for what works on whole lists of tensors."""
    if operation.is_view or (
        args and isinstance(args[0], list) and len(args[0]) > 1 and operation.name() != "aten::cat"
    ):
        return None
    return Signature(operation, _plain(args), tuple((name, _plain(value)) for name, value in sorted(kwargs.items())))


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return Like(value.dtype, tuple(value.shape), value.stride())
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value


def _filled(value: Any, device: str) -> Any:
    if isinstance(value, Like):
        return value.tensor(device)
    if isinstance(value, tuple):
        return [_filled(one, device) for one in value]
    return torch.device(device) if isinstance(value, torch.device) else value


def _spelled(value: Any) -> str:
    if isinstance(value, Like):
        return f"{value.dtype}{list(value.size)}{list(value.stride)}".replace("torch.", "").replace(" ", "")
    if isinstance(value, tuple):
        return f"({','.join(map(_spelled, value))})"
    return repr(value)
