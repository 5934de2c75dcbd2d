"""Peaks by hand, and what options change; measured peaks are in tests/studies/test_studies_predicted.py."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from network_arguments import network_arguments
from pydantic import ValidationError
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from archspec import ArchGraph, check_data
from archspec.text.parse import Positions
from builder import assemble, initialise
from builder.checkpoint import checkpointed
from builder.profile import Prediction, ProfileOptions, predict, profile
from builder.profile.attention import FusedAttention
from builder.profile.casting import Casting
from builder.profile.marks import Marks
from builder.profile.timeline import Resident, peak_of
from builder.profile.trace import Operation, Stored, Trace, Tracer
from builder.profile.workspace import Need

BASE: dict[str, Any] = {
    "ch": 8, "out_ch": 2, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 2,
    "resolution": 8, "num_groups": 4,
}  # fmt: skip


def unet(**changes: object) -> ArchGraph:
    return check_data({"version": 1, "name": "small", "unet": {**BASE, **changes}}, Positions("small")).sound()


def training(graph: ArchGraph, **options: Any) -> Prediction:
    return predict(graph, "training", ProfileOptions(**options))


def test_a_peak_by_hand() -> None:
    stored = [
        Stored(100, "a", "held", "parameter"),
        Stored(10, "a", "forward"),
        Stored(20, "b", "forward"),
        Stored(5, "b", "backward"),
    ]
    # a makes 10; b makes 20; a's 10 go; the backward of b makes 5 with a workspace of 40
    events = [1, 2, 3, -2, 4, -3, -4]
    operations = [
        Operation("one", "a", "forward", 0, 1, 2, None),
        Operation("two", "b", "forward", 0, 2, 3, None),
        Operation("three", "b", "backward", 0, 4, 5, None),
    ]
    trace = Trace(stored, events, operations)
    peak = peak_of(trace, [Need(10, (10,)), Need(20, (20,)), Need(45, (5,))])
    assert (peak.nbytes, peak.held, peak.phase, peak.node, peak.operation) == (165, 100, "backward", "b", "three")
    assert peak.resident == (
        Resident("a", "parameter", 100),
        Resident("b", "workspace", 40),
        Resident("b", "activation", 20),
        Resident("b", "result", 5),
    )
    # Results that turn out larger than the meta device says stay larger as long as they live.
    assert peak_of(trace, [Need(10, (10,)), Need(80, (80,)), Need(5, (5,))]).nbytes == 190
    assert peak_of(trace, [Need(10, (10,)), Need(80, (80,)), Need(6, (6,))]).nbytes == 190


def test_storages_are_counted_once_and_as_long_as_they_live() -> None:
    tracer = Tracer(Marks(), frozenset({"meta"}))
    x = torch.empty(10, 10, device="meta")
    tracer.hold([x, x.T], "input")
    with tracer:
        tracer.phase = "forward"
        y = x + 1
        z = y.view(100)[:50]
        del y
        w = z * 2
        del z, w
    assert [stored.nbytes for stored in tracer.trace.stored] == [400, 400, 200]
    assert tracer.trace.events == [1, 2, 3, -2, -3]


@pytest.mark.parametrize("call", ["inference", "training"])
def test_what_is_resident_adds_up_and_names_nodes(call: Any) -> None:
    graph = unet()
    found = predict(graph, call, ProfileOptions(batch=4))
    resident = found.peak.resident
    assert sum(part.nbytes for part in resident) == found.memory == found.peak.nbytes
    assert {part.node for part in resident} <= {*graph, ""}
    weights = {part.node: part.nbytes for part in resident if part.kind == "parameter"}
    assert weights["conv_in"] == 4 * (2 * 8 * 9 + 8)
    assert sum(weights.values()) == 4 * profile(graph, calls=()).parameters
    averages = sum(part.nbytes for part in resident if part.kind == "average")
    assert averages == (sum(weights.values()) if call == "training" else 0)


def test_the_backward_is_told_by_node() -> None:
    found = training(unet(), batch=16)
    nodes = {part.node for part in found.peak.resident if part.kind in ("gradient", "gradient of activations")}
    assert found.peak.phase == "backward"
    assert nodes - {""}


def test_options_that_hold_more_and_less() -> None:
    graph = unet(ch=32)
    parameters = 4 * profile(graph, calls=()).parameters
    fused = training(graph)
    assert fused.memory - training(graph, ema=False).memory == parameters
    # One image: the peak is in the update, where foreach holds one more copy of the parameters.
    foreach = training(graph, variant="foreach")
    assert foreach.peak.phase == "update"
    assert 6.0 < foreach.memory / parameters < 6.1  # weights, gradients, two moments, average, and the copy
    assert training(graph, variant="loop").memory < foreach.memory
    momentum = training(graph, optimizer="sgd-momentum", variant="loop").memory
    plain = training(graph, optimizer="sgd", variant="loop").memory
    assert momentum - plain == parameters
    large = {"batch": 16}
    assert training(graph, **large, checkpointing=True).memory < training(graph, **large).memory
    recomputed = training(graph, **large, checkpointing=True).cost.backward_flops
    assert recomputed > training(graph, **large).cost.backward_flops
    half = training(graph, dtype="bfloat16")
    assert half.memory == pytest.approx(fused.memory / 2, rel=0.01)
    assert half.note == (
        "half precision on the CPU: kernels copy in ways that no rule covers; measured up to 40 % more"
    )


def test_weights_without_a_part_in_the_result_have_no_state() -> None:
    graph = unet(use_timestep=False)  # the blocks keep their projections of an embedding that never comes
    resident = training(graph, ema=False).peak.resident
    bytes_of = {kind: sum(part.nbytes for part in resident if part.kind == kind) for kind in ("parameter", "optimizer")}
    unused = sum(p.numel() for name, p in assemble(graph).named_parameters() if "temb_proj" in name)
    tensors = sum("temb_proj" not in name for name, _ in assemble(graph).named_parameters())
    assert unused > 0
    # two moments a weight and the number of steps of each tensor
    assert bytes_of["optimizer"] == 2 * (bytes_of["parameter"] - 4 * unused) + 4 * tensors


def test_fused_attention_does_not_keep_the_scores() -> None:
    def largest(side: int) -> int:
        graph = unet(resolution=side, attn_resolutions=[side], ch_mult=[1])
        return predict(graph, "inference", ProfileOptions()).memory

    scores = 4 * (32 * 32) ** 2
    assert largest(32) < scores / 2


def test_cuda_gives_allocated_and_reserved_and_says_that_it_is_not_validated() -> None:
    graph = unet(ch=32)
    on_cpu, on_cuda = training(graph, batch=4), training(graph, batch=4, device="cuda")
    assert on_cpu.reserved is None
    assert on_cuda.reserved is not None
    assert on_cuda.peak.nbytes <= on_cuda.memory <= on_cuda.reserved
    assert on_cuda.reserved % 2**21 == 0
    assert on_cuda.note is not None
    assert on_cuda.note.startswith("not validated on CUDA")


def test_the_fused_sgd_is_refused() -> None:
    with pytest.raises(ValidationError, match="the fused SGD is not predicted; use the variant foreach or loop"):
        ProfileOptions(optimizer="sgd")


class Types(TorchDispatchMode):
    """The operations of a run and the types of what they give."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, torch.dtype]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        first = result[0] if isinstance(result, tuple) else result
        if isinstance(first, Tensor) and not func.is_view:
            self.seen.append((str(func.overloadpacket), first.dtype))
        return result


def test_casts_are_those_of_autocast() -> None:
    graph = unet(dropout=0.0)
    real, meta = Types(), Types()
    network = assemble(graph).train()
    with torch.autocast("cpu", dtype=torch.bfloat16), real:
        network(**network_arguments(graph, 2, "cpu"))
    with torch.device("meta"):
        network = assemble(graph).train()
    arguments = network_arguments(graph, 2)
    with Casting("cpu", torch.bfloat16), FusedAttention("cpu"), meta:
        network(**arguments)
    wanted = {"aten.convolution", "aten.addmm", "aten.native_group_norm", "aten.silu", "aten._to_copy", "aten.cat"}

    def chosen(seen: list[tuple[str, torch.dtype]]) -> list[tuple[str, torch.dtype]]:
        return [one for one in seen if one[0] in wanted]

    assert chosen(meta.seen) == chosen(real.seen)
    assert ("aten.convolution", torch.bfloat16) in meta.seen


def test_checkpointing_changes_neither_results_nor_gradients() -> None:
    graph = unet()
    plain = initialise(assemble(graph), 0) or assemble(graph)
    initialise(plain, 0)
    again = checkpointed(copy.deepcopy(plain))
    copied = copy.deepcopy(again)
    copied.load_state_dict({name: torch.zeros_like(value) for name, value in copied.state_dict().items()})
    arguments = network_arguments(graph, 2, "cpu")
    first, second = plain(**arguments), again(**arguments)
    assert torch.equal(first, second)
    assert not copied(**arguments).any()  # a copy calls its own layers
    first.sum().backward()
    second.sum().backward()
    pairs = zip(plain.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(one.grad, other.grad) for one, other in pairs if one.grad is not None)  # type: ignore[arg-type]


def test_a_module_outside_of_any_node_is_outside() -> None:
    tracer = Tracer(Marks(), frozenset({"meta"}))
    layer = nn.Linear(3, 4, device="meta")
    with tracer:
        tracer.phase = "forward"
        layer(torch.empty(2, 3, device="meta"))
    assert {operation.node for operation in tracer.trace.operations} == {""}
