"""What a predicted step is made of: kernels and casts of the target, marks, state, inputs, options and plans."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from archspec import ArchGraph, check_data, total_price
from archspec.text.positions import Positions
from builder import assemble
from builder.profile import ProfileOptions, predict, profile
from builder.profile.attention import FusedAttention
from builder.profile.casting import Casting
from builder.profile.marks import OUTSIDE, Marks, entered, marked_network
from builder.profile.plan import MemoryPlan, memory_plan
from builder.profile.predict import Cost
from builder.profile.step import EpsPrediction, inputs, optimizer_of, owned
from builder.profile.timeline import kind_of
from builder.profile.trace import Stored

aten = torch.ops.aten
UNET: dict[str, Any] = {
    "ch": 8, "out_ch": 2, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 2,
    "resolution": 8, "num_groups": 4,
}  # fmt: skip

#: One level without attention, for what is traced several times.
SHALLOW: dict[str, Any] = {"ch_mult": [1], "attn_resolutions": [], "mid_attn": False}


def unet(**changes: object) -> ArchGraph:
    return check_data({"version": 1, "name": "small", "unet": {**UNET, **changes}}, Positions("small")).sound()


# Attention as the target has it


def attended(device: str, q: Tensor, k: Tensor, **options: Any) -> Tensor:
    with FusedAttention(device):
        return functional.scaled_dot_product_attention(q, k, k, **options)


def test_on_the_cpu_the_fused_kernel_gives_what_torch_gives() -> None:
    torch.manual_seed(0)
    q, k = torch.randn(2, 3, 9, 8), torch.randn(2, 3, 5, 8)
    mask = torch.rand(9, 5) > 0.3
    for options in ({}, {"scale": 0.25}, {"attn_mask": mask.float()}, {"attn_mask": mask}):
        expected = functional.scaled_dot_product_attention(q, k, k, **options)
        torch.testing.assert_close(attended("cpu", q, k, **options), expected)
    flat = torch.randn(3, 9, 8)  # three dimensions are not the layers'
    torch.testing.assert_close(attended("cpu", flat, flat), functional.scaled_dot_product_attention(flat, flat, flat))
    with_causes = {"is_causal": True}
    expected = functional.scaled_dot_product_attention(q, q, q, **with_causes)
    torch.testing.assert_close(attended("cpu", q, q, **with_causes), expected)


@pytest.mark.parametrize("head", [8, 12])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", [False, True])
def test_on_cuda_the_result_has_the_size_of_the_queries(head: int, kind: torch.dtype, masked: bool) -> None:
    q = torch.empty(2, 3, 16, head, dtype=kind, device="meta")
    k = torch.empty(2, 3, 8, head, dtype=kind, device="meta")
    options = {"attn_mask": torch.ones(16, 8, dtype=torch.bool, device="meta")} if masked else {}
    found = attended("cuda", q, k, **options)
    assert (found.shape, found.dtype) == (q.shape, kind)


def test_a_mask_of_yes_and_no_becomes_zeros_and_minus_infinity() -> None:
    from builder.profile.attention import _as_numbers

    mask = torch.tensor([True, False])
    assert _as_numbers(mask, torch.float32).tolist() == [0.0, -math.inf]  # type: ignore[union-attr]
    assert _as_numbers(None, torch.float32) is None
    numbers = torch.tensor([0.5, 1.0])
    assert _as_numbers(numbers, torch.float32) is numbers


# Casts


@pytest.mark.parametrize(
    ("device", "function", "result"),
    [
        ("cpu", lambda x: functional.conv2d(x, x), torch.bfloat16),
        ("cpu", lambda x: x @ x, torch.bfloat16),
        ("cpu", lambda x: functional.linear(x, weight=x[0, 0]), torch.bfloat16),
        ("cpu", functional.silu, torch.float32),
        ("cpu", lambda x: functional.group_norm(x.bfloat16(), 1), torch.bfloat16),
        ("cuda", lambda x: functional.group_norm(x.bfloat16(), 1), torch.float32),
        ("cuda", lambda x: functional.softmax(x.bfloat16(), dim=-1), torch.float32),
        ("cuda", lambda x: x.bfloat16().exp(), torch.float32),
        ("cpu", lambda x: x.double() @ x.double(), torch.float64),
    ],
)
def test_types_by_the_lists_of_each_device(device: str, function: Any, result: torch.dtype) -> None:
    with Casting(device, torch.bfloat16):
        assert function(torch.ones(1, 1, 2, 2)).dtype == result


def test_a_weight_is_cast_once_and_what_is_no_weight_each_time() -> None:
    casting = Casting("cpu", torch.bfloat16)
    weight, x = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2)
    assert casting._lowered(weight) is casting._lowered(weight)
    assert casting._lowered(x) is not casting._lowered(x)
    half = x.bfloat16()
    assert casting._lowered(half) is half
    assert casting._lowered(3) == 3


# Who is at work


def test_marks_tell_the_node_at_work_in_the_forward_and_in_the_backward() -> None:
    marks, seen = Marks(), []

    class Seen(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            seen.append(marks.node())
            return x.clone()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
            seen.append(marks.node())
            return grad

    entered("before")  # no marks are active: nothing happens
    assert marks.now == OUTSIDE
    with marks.active():
        x = Seen.apply(torch.ones(1, requires_grad=True))
        for node in ("first", "second"):
            entered(node)
            x = Seen.apply(x)
    entered("after")
    x.backward()
    assert seen == [OUTSIDE, "first", "second", "second", "first", OUTSIDE]
    assert marks.now == "second"


def test_a_marked_network_computes_the_same_and_names_its_nodes() -> None:
    graph = unet()
    network = marked_network(graph)
    called = [node.args[0] for node in network.graph.nodes if node.target is entered]
    assert called[-1] == OUTSIDE
    assert set(called[:-1]) <= set(graph)
    assert {"temb", "conv_in", "mid.attn_1", "act_out", "conv_out"} <= set(called)
    assert all(value.is_meta for value in network.parameters())


def test_every_weight_belongs_to_its_node() -> None:
    graph = unet()
    with torch.device("meta"):
        network = assemble(graph)
    found = [node for _, node in owned(network)]
    assert len(found) == len(network.state_dict())
    expected = [
        next(node for node in graph if f"{key}.".startswith(f"{node}.")) for key, _ in network.named_parameters()
    ]
    assert found == expected


# The step


def test_the_state_of_each_optimizer() -> None:
    graph = unet()
    for name, tensors in (("adamw", 3), ("adam", 3), ("sgd", 0), ("sgd-momentum", 1)):
        with torch.device("meta"):
            network = assemble(graph)
        variant = "loop" if name.startswith("sgd") else "fused"
        optimizer = optimizer_of(network, ProfileOptions(optimizer=name, variant=variant))  # type: ignore[arg-type]
        states = list(optimizer.state.values())
        assert len(states) == len(list(network.parameters()))
        assert {len(state) for state in states} == {tensors}


def test_inputs_are_those_of_the_forward_in_its_types() -> None:
    graph = unet(tokens={"dim": 5, "length": 3}, attn_type="transformer", label={"classes": 4}, vector={"dim": 6})
    found = inputs(graph, ProfileOptions(batch=3, dtype="bfloat16", channels_last=True))
    assert {name: (tuple(value.shape), value.dtype) for name, value in found.items()} == {
        "x": ((3, 2, 8, 8), torch.bfloat16), "t": ((3,), torch.long), "label": ((3,), torch.long),
        "vector": ((3, 6), torch.bfloat16), "tokens": ((3, 3, 5), torch.bfloat16),
    }  # fmt: skip
    assert next(iter(found)) == "x"
    assert found["x"].is_contiguous(memory_format=torch.channels_last)


def test_the_noise_is_what_is_predicted() -> None:
    objective = EpsPrediction()
    x = torch.empty(2, 3, 4, 4, device="meta")
    t, eps = torch.empty(2, dtype=torch.long, device="meta"), torch.empty_like(x)
    assert objective.noisy(x, t, eps).shape == x.shape
    assert objective.time(t) is t
    assert objective.target(x, t, eps) is eps


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        (Stored(4, "a", "forward"), "activation"),
        (Stored(4, "a", "backward"), "gradient of activations"),
        (Stored(4, "a", "update"), "update"),
        (Stored(4, "a", "held"), "held"),
        (Stored(4, "a", "backward", "gradient"), "gradient"),
    ],
)
def test_a_storage_that_nobody_named_is_told_by_its_phase(stored: Stored, kind: str) -> None:
    assert kind_of(stored) == kind


WRONG = [
    {"batch": 0}, {"batch": 1.5}, {"micro_batch": 0}, {"dtype": "float64"}, {"optimizer": "lion"},
    {"memory_budget": 0}, {"device": "tpu"}, {"batches": 1},
]  # fmt: skip


@pytest.mark.parametrize("options", WRONG, ids=str)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ProfileOptions(**options)


def test_what_was_not_asked_for_is_not_there_and_all_of_it_is_plain_data() -> None:
    graph = unet()
    found = profile(graph, calls=("inference",))
    assert found.training is None
    data = json.loads(json.dumps(found.as_dict()))
    assert data["training"] is None
    assert data["parameters"] == total_price(graph).parameters
    assert data["inference"]["macs"] == total_price(graph).macs == found.macs
    assert data["inference"]["cost"]["backward_flops"] == 0
    assert profile(graph, calls=()).as_dict()["inference"] is None
    assert Cost(10, 21).macs == 15


def test_parts_of_a_batch_need_less_and_compute_the_same() -> None:
    graph = unet(**SHALLOW)
    whole = predict(graph, "training", ProfileOptions(batch=16))
    parts = predict(graph, "training", ProfileOptions(batch=16, micro_batch=4))
    uneven = predict(graph, "training", ProfileOptions(batch=16, micro_batch=5))
    assert parts.memory < whole.memory
    assert parts.cost == whole.cost == uneven.cost
    assert predict(graph, "training", ProfileOptions(batch=16, micro_batch=99)).memory == whole.memory


def test_a_plan_of_nothing_is_applied_as_nothing() -> None:
    plan = MemoryPlan(cheap=False, nodes=(), estimate=1, plain=1)
    assert plan.again is None
    network = assemble(unet())
    with plan.applied(network):
        assert "forward" not in vars(network)
    again = MemoryPlan(cheap=True, nodes=("mid.block_1",), estimate=1, plain=2)
    assert again.again == ("mid.block_1",)
    with again.applied(network.train()):
        assert "forward" in vars(network)
    assert "forward" not in vars(network)


def test_the_margin_of_a_budget_is_two_percent_of_what_a_step_adds_on_the_cpu_and_more_of_all_on_cuda() -> None:
    graph = unet(**SHALLOW)
    before = 4 * 4 * sum(value.numel() for value in assemble(graph).parameters())  # weights, averages, Adam's two
    for device, margin, surely in (("cpu", 1.02, before), ("cuda", 1.12, 0)):
        options = ProfileOptions(batch=8, device=device)  # type: ignore[arg-type]
        plain = memory_plan(graph, 10**12, options).plain
        least = surely + (plain - surely) * margin
        assert not memory_plan(graph, math.ceil(least) + 8192, options).cheap
        assert memory_plan(graph, int(least) - 8192, options, must_fit=False).cheap
