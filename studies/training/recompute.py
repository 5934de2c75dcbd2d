"""Training within a memory budget: which results are computed again is planned for each size of a forward pass."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from torch import nn

from archspec import user_error
from builder.network import Network
from builder.profile import ProfileOptions
from builder.profile.plan import MemoryPlan, memory_plan
from studies.sections.protocol import Train


class Recomputation:
    """What the forward passes of a training run inside of.

    Args:
        module: the network that is trained.
        train: its `memory_budget`, and whether weights are averaged.
    """

    def __init__(self, module: nn.Module, train: Train) -> None:
        self._module, self._train = module, train
        #: images of a forward pass -> its plan
        self.plans: dict[int, MemoryPlan] = {}

    def applied(self, images: int) -> AbstractContextManager[None]:
        """Nothing without a budget; else what its plan says for a pass of so many images.

        Raises:
            UserError: the budget cannot be held.
        """
        budget = self._train.memory_budget
        if budget is None:
            return nullcontext()
        if images not in self.plans:
            if not isinstance(self._module, Network):
                raise user_error("memory_budget needs a network that was compiled from an architecture.")
            device = next(self._module.parameters()).device.type
            options = _options(self._train, images, device)
            self.plans[images] = memory_plan(self._module.architecture, int(budget), options)
        return self.plans[images].applied(self._module)


def _options(train: Train, images: int, device: str) -> ProfileOptions:
    """A step with so many images in a forward pass; where gradients are accumulated, its second pass counts."""
    accumulates = train.micro_batch is not None
    return ProfileOptions(
        device="cuda" if device == "cuda" else "cpu",
        batch=2 * images if accumulates else images,
        micro_batch=images if accumulates else None,
        autocast=None if train.dtype == "float32" else train.dtype,
        ema=train.ema is not None,
        grad_clip=train.grad_clip is not None,
    )
