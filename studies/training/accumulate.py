"""Gradients of one batch, in parts where memory asks for it: the step stays the same, its memory shrinks.

The loss is a mean over images, so the gradients of parts, each weighted by its share of the batch, add up to those of
the whole, up to the order of summation. Timesteps and noise are part of the batch and stay what they are; only dropout
draws other masks when a batch is split.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from studies.sections.protocol import Train
from studies.training.failures import is_out_of_memory

if TYPE_CHECKING:
    from studies.training.batch import Batch


def parts(batch: Batch, size: int) -> Iterator[Batch]:
    """A batch in parts of `size` images, the last one with what is left."""
    for start in range(0, len(batch.images), size):
        yield replace(
            batch, **{field.name: getattr(batch, field.name)[start : start + size] for field in fields(batch)}
        )


class Accumulation:
    """Forward and backward passes of a step.

    With ``micro_batch: auto`` a pass that runs out of memory is taken back, and the step is done again in parts half as
    large, down to single images; the smaller size stays for all later steps. Nothing of the failed pass remains: its
    gradients are dropped and the generators of dropout stand where they stood.

    Args:
        loss: mean loss of a batch, with its graph.
        module: whose gradients are accumulated.
        train: `batch` and `micro_batch`.
    """

    def __init__(self, loss: Callable[[Batch], Tensor], module: nn.Module, train: Train) -> None:
        self._loss, self._module = loss, module
        self._may_halve = train.micro_batch == "auto"
        self._asked = train.batch
        self.size = train.batch if isinstance(train.micro_batch, str) else train.micro_batch
        self._ran_out: list[int] = []

    def backward(self, batch: Batch) -> Tensor:
        """Add the gradients of a batch to the module's; returns its loss, a scalar without a graph.

        Raises:
            torch.OutOfMemoryError, RuntimeError: memory ran out, and the parts may not or cannot be smaller.
        """
        whole = len(batch.images)
        while True:
            size = min(self.size or whole, whole)
            kept = generators(batch.images.device) if self._may_halve else ()
            try:
                return self._in_parts(batch, size)
            except (RuntimeError, MemoryError) as error:
                if not (self._may_halve and size > 1 and is_out_of_memory(error)):
                    raise
            # Past the except block, so that the error's traceback no longer holds the activations.
            self._take_back(batch.images.device, kept)
            self._ran_out.append(size)
            self.size = size // 2

    def summary(self) -> dict[str, Any]:
        """What a record says: `batch`, `micro_batch` in the end, and the sizes that `ran_out` of memory before."""
        return {"batch": self._asked, "micro_batch": self.size or self._asked, "ran_out": list(self._ran_out)}

    def _in_parts(self, batch: Batch, size: int) -> Tensor:
        total: Tensor | None = None
        for part in parts(batch, size):
            loss = self._loss(part)
            if size < len(batch.images):
                loss = loss * (len(part.images) / len(batch.images))
            torch.autograd.backward([loss])
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total

    def _take_back(self, device: torch.device, kept: tuple[Tensor, ...]) -> None:
        self._module.zero_grad(set_to_none=True)
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        set_generators(kept, device)


def generators(device: torch.device) -> tuple[Tensor, ...]:
    """States of the generators that dropout draws from: the CPU's and the device's."""
    return (torch.get_rng_state(), *((torch.cuda.get_rng_state(device),) if device.type == "cuda" else ()))


def set_generators(states: tuple[Tensor, ...], device: torch.device) -> None:
    """Put generators where they stood; no states leave them as they are."""
    if states:
        torch.set_rng_state(states[0])
    if len(states) > 1 and device.type == "cuda":
        torch.cuda.set_rng_state(states[1], device)
