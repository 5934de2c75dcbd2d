"""What an architecture costs before it is built: FLOPs and peak memory of inference and of a training step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from archspec import ArchGraph, fingerprint, total_price
from builder.profile.cache import Cache
from builder.profile.calibrate import by_measurement
from builder.profile.cuda_allocator import replayed
from builder.profile.options import ProfileOptions
from builder.profile.plan import memory_plan
from builder.profile.step import Objective, inference_trace, training_trace
from builder.profile.timeline import Peak, peak_of, sizes_of
from builder.profile.trace import Trace
from builder.profile.workspace import Need, by_rule

Tier = Literal["static", "calibrated"]
Call = Literal["inference", "training"]

#: What every prediction for CUDA says.
NOT_VALIDATED = "not validated on CUDA"


@dataclass(frozen=True)
class Cost:
    """FLOPs of one call; two for each multiply-accumulate of a convolution, matrix product or fused attention."""

    forward_flops: int
    backward_flops: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates, forward and backward."""
        return (self.forward_flops + self.backward_flops) // 2


@dataclass(frozen=True)
class Prediction:
    """Peak memory and cost of one call.

    Attributes:
        call: inference, or a training step.
        tier: `static` goes by rules for the workspace of kernels, `calibrated` ran each distinct operation once.
        memory: bytes at the peak. On the CPU what torch's allocator has handed out, as `studies.measure.memory`
            measures it; on CUDA the *allocated* bytes, each block rounded up to 512.
        reserved: on CUDA the bytes that the caching allocator takes from the device for that; None on the CPU.
        peak: what is resident at the peak, in bytes as asked for.
        cost: FLOPs.
        by_rule: calibrated, how many operations could not be run alone and went by a rule.
        note: what must be said with these numbers; None if nothing.
    """

    call: Call
    tier: Tier
    memory: int
    reserved: int | None
    peak: Peak
    cost: Cost
    by_rule: int
    note: str | None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "macs": self.cost.macs}


@dataclass(frozen=True)
class Profile:
    """What is known of an architecture before it is built.

    Attributes:
        name: of the architecture.
        fingerprint: of the architecture.
        parameters: number of trainable numbers.
        macs: multiply-accumulates of a forward pass for one image, from the graph alone.
        options: what it was predicted for.
        inference: prediction for a forward pass; None if it was not asked for.
        training: prediction for a training step; None if it was not asked for.
    """

    name: str
    fingerprint: str
    parameters: int
    macs: int
    options: ProfileOptions
    inference: Prediction | None
    training: Prediction | None

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "parameters": self.parameters,
            "macs": self.macs,
            "options": self.options.model_dump(),
            "inference": self.inference and self.inference.as_dict(),
            "training": self.training and self.training.as_dict(),
        }


def profile(
    architecture: ArchGraph,
    options: ProfileOptions = ProfileOptions(),  # noqa: B008 - frozen
    *,
    calibrated: bool = False,
    calls: tuple[Call, ...] = ("inference", "training"),
    cache: Cache | None = None,
) -> Profile:
    """Predict FLOPs and peak memory; needs neither weights nor the device.

    Args:
        architecture: a built architecture.
        options: device, batch, arithmetic, optimizer.
        calibrated: run each distinct operation once alone, on the device, for its workspace; else go by rules.
        calls: which calls to predict.
        cache: where measured workspaces are remembered; default the user's cache.

    Raises:
        UserError: it cannot be compiled; calibrated, and the device is not there.
    """
    price = total_price(architecture)
    found = {call: predict(architecture, call, options, calibrated=calibrated, cache=cache) for call in calls}
    return Profile(
        name=architecture.graph["name"],
        fingerprint=fingerprint(architecture),
        parameters=price.parameters,
        macs=price.macs,
        options=options,
        inference=found.get("inference"),
        training=found.get("training"),
    )


def predict(
    architecture: ArchGraph,
    call: Call,
    options: ProfileOptions,
    *,
    objective: Objective | None = None,
    calibrated: bool = False,
    cache: Cache | None = None,
) -> Prediction:
    """The prediction for one call; `objective` is what a training step trains for, prediction of the noise if None."""
    traces: dict[Call, Callable[[], Trace]] = {
        "inference": lambda: inference_trace(architecture, options),
        "training": lambda: training_trace(architecture, options, objective, _again(architecture, options, objective)),
    }
    trace = traces[call]()
    unknown = 0
    if calibrated:
        needs, unknown = by_measurement(trace, options.device, cache)
    else:
        needs = by_rule(trace, options.device)
    peak = peak_of(trace, needs)
    memory, reserved = (peak.nbytes, None) if options.device == "cpu" else _on_cuda(trace, needs)
    return Prediction(
        call=call,
        tier="calibrated" if calibrated else "static",
        memory=memory,
        reserved=reserved,
        peak=peak,
        cost=Cost(trace.flops("forward"), trace.flops("backward")),
        by_rule=unknown,
        note=_note(options),
    )


def _again(architecture: ArchGraph, options: ProfileOptions, objective: Objective | None) -> tuple[str, ...] | None:
    """What a training with a memory budget computes again; where none fits, what it would do to need least."""
    if options.memory_budget is None:
        return None
    free = options.model_copy(update={"memory_budget": None})
    return memory_plan(architecture, int(options.memory_budget), free, objective, must_fit=False).again


def _on_cuda(trace: Trace, needs: list[Need]) -> tuple[int, int]:
    """Bytes allocated and reserved at their peaks, by the model of the caching allocator."""
    sizes = sizes_of(trace, needs)
    events: list[int] = []
    position = 0
    for operation, need in zip(trace.operations, needs, strict=True):
        events += trace.events[position : operation.start]
        extra = need.peak - sum(need.outputs)
        outputs = trace.events[operation.start : operation.end]
        # The workspace lives while the operation runs, beside its results.
        events += outputs if extra <= 0 else [*outputs, len(sizes) + 1, -len(sizes) - 1]
        if extra > 0:
            sizes.append(extra)
        position = operation.end
    allocator = replayed([*events, *trace.events[position:]], sizes)
    return allocator.peak_allocated, allocator.peak_reserved


def _note(options: ProfileOptions) -> str | None:
    if options.device == "cuda":
        return f"{NOT_VALIDATED}; workspaces of cuDNN and cuBLAS (8 MiB, on Hopper 32 MiB) are not in the static tier"
    if "bfloat16" in (options.dtype, options.autocast) or "float16" in (options.dtype, options.autocast):
        return "half precision on the CPU: kernels copy in ways that no rule covers; measured up to 40 % more"
    return None
