"""Peak memory as it is predicted for a study's own protocol and measurement, before anything is trained.

Torch is imported when something is predicted, not before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from archspec.graphs.graph import ArchGraph
from search.objectives import Metric, predicted_name
from search.screening import PREDICTABLE, Predicted
from studies.sections.protocol import Measure, Protocol

if TYPE_CHECKING:
    from builder.profile import ProfileOptions

#: By how much a measured peak may well be smaller than the static prediction: share of it, or bytes if that is more.
#: On the CPU what the static tier is held to by benchmarks/memory; on CUDA a guess, as nothing was validated there.
MARGIN_SHARE = {"cpu": 0.01, "cuda": 0.05}
MARGIN_BYTES = 2 * 2**20

_CALLS: dict[Metric, Literal["inference", "training"]] = {"memory": "inference", "train_memory": "training"}


def options_for(protocol: Protocol, measure: Measure, device: str) -> ProfileOptions:
    """What `studies.measure` measures, as options of a prediction; `device` is cpu or cuda."""
    from builder.profile import ProfileOptions

    train = protocol.train
    return ProfileOptions(
        device="cuda" if device == "cuda" else "cpu",
        batch=measure.batch,
        micro_batch=train.batch if train.micro_batch == "auto" else train.micro_batch,
        autocast=None if train.dtype == "float32" else train.dtype,
        ema=train.ema is not None,
        grad_clip=train.grad_clip is not None,
        memory_budget=train.memory_budget,
    )


class MemoryPredictor:
    """A `search.screening.Predictor` for the peaks that a study measures.

    Args:
        protocol: how trials are trained.
        measure: the batch, the device and its threads.
    """

    def __init__(self, protocol: Protocol, measure: Measure) -> None:
        self._protocol, self._measure = protocol, measure

    def __call__(self, graph: ArchGraph, metrics: frozenset[Metric] = PREDICTABLE) -> Mapping[Metric, Predicted]:
        """Predicted peaks in bytes, by the static tier."""
        import torch

        from builder.profile import predict
        from studies.measure.device import choose
        from studies.training.diffusion import process

        device = choose(self._measure.device).type
        options = options_for(self._protocol, self._measure, device)
        objective = process(self._protocol.objective, torch.device("meta"))
        found: dict[Metric, Predicted] = {}
        with threads_as(self._measure.threads):
            for metric in sorted(metrics & _CALLS.keys()):
                one = predict(graph, _CALLS[metric], options, objective=objective)
                margin = max(MARGIN_SHARE[options.device] * one.memory, MARGIN_BYTES)
                found[metric] = Predicted(float(one.memory), margin, one.note)
        return found


def predicted_metrics(graph: ArchGraph, protocol: Protocol, measure: Measure) -> dict[str, float]:
    """What a trial's record says beside the measured peaks: `predicted_memory` and `predicted_train_memory`, bytes."""
    found = MemoryPredictor(protocol, measure)(graph)
    return {predicted_name(metric): one.value for metric, one in found.items()}


@contextmanager
def threads_as(number: int | None) -> Iterator[None]:
    """Kernels choose their workspace by the number of threads that the trials will have."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
