"""Counted FLOPs against torch's own counter, and against counts by hand where that one is at fault."""

from __future__ import annotations

import pytest
import torch
from network_arguments import network_arguments
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archspec import ArchGraph, check_data, total_price
from archspec.text.parse import Positions
from builder import assemble
from builder.profile import ProfileOptions, profile
from builder.profile.attention import FusedAttention
from builder.profile.marks import Marks
from builder.profile.trace import Trace, Tracer

BASE = {
    "ch": 8, "out_ch": 2, "ch_mult": [1, 2], "num_res_blocks": 1, "attn_resolutions": [4], "in_channels": 2,
    "resolution": 8, "num_groups": 4,
}  # fmt: skip
VARIANTS = {
    "vanilla": {"attn": {"heads": 2}},
    "linear": {"attn_type": "linear"},
    "none": {"attn_type": "none"},
    "tokens": {"attn_type": "transformer", "attn": {"heads": 2}, "tokens": {"dim": 5, "length": 3}},
    "label": {"label": {"classes": 7}, "conditioning": "scale_shift", "resblock_updown": True},
}


def unet(**changes: object) -> ArchGraph:
    return check_data({"version": 1, "name": "small", "unet": {**BASE, **changes}}, Positions("small")).sound()


@pytest.mark.parametrize("name", VARIANTS)
def test_forward_flops_equal_torchs_counter_on_the_real_network(name: str) -> None:
    graph = unet(**VARIANTS[name])
    found = profile(graph, ProfileOptions(batch=3), calls=("inference",)).inference
    counter = FlopCounterMode(display=False)
    # The math kernel is the one that torch counts on the CPU; its two products are those of the fused one.
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        assemble(graph).eval()(**network_arguments(graph, 3, "cpu"))
    assert found is not None
    assert found.cost.forward_flops == counter.get_total_flops() > 0
    assert found.cost.macs == 3 * total_price(graph).macs


@pytest.mark.parametrize("name", ["linear", "none"])
def test_flops_of_a_training_step_equal_torchs_counter(name: str) -> None:
    graph = unet(**VARIANTS[name])
    found = profile(graph, ProfileOptions(batch=2), calls=("training",)).training
    arguments = network_arguments(graph, 2, "cpu")
    counter = FlopCounterMode(display=False)
    with counter:
        functional.mse_loss(assemble(graph)(**arguments), arguments["x"]).backward()
    assert found is not None
    assert found.cost.forward_flops + found.cost.backward_flops == counter.get_total_flops()


def traced(module: nn.Module, *inputs: torch.Tensor) -> Trace:
    tracer = Tracer(Marks(), frozenset({"meta"}))
    with tracer, FusedAttention("cpu"):
        tracer.phase = "forward"
        output = module(*inputs)
        tracer.phase = "backward"
        output.sum().backward()
    return tracer.trace


class Attend(nn.Module):
    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        return functional.scaled_dot_product_attention(q, k, v)


def test_fused_attention_is_counted_forward_and_backward() -> None:
    q = torch.empty(2, 3, 16, 4, device="meta", requires_grad=True)
    k, v = (torch.empty(2, 3, 8, 4, device="meta", requires_grad=True) for _ in range(2))
    found = traced(Attend(), q, k, v)
    product = 2 * (2 * 3) * 16 * 8 * 4
    assert found.flops("forward") == 2 * product  # scores, values
    assert found.flops("backward") == 5 * product  # scores again, and four gradients


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_grouped_convolutions_are_counted_by_group(groups: int) -> None:
    conv = nn.Conv2d(8, 16, 3, padding=1, groups=groups, device="meta")
    x = torch.empty(2, 8, 6, 6, device="meta", requires_grad=True)
    found = traced(conv, x)
    one = 2 * 2 * 6 * 6 * 16 * (8 // groups) * 9
    assert found.flops("forward") == one
    assert found.flops("backward") == 2 * one  # of the input, of the weights


def test_torch_still_counts_grouped_convolutions_wrongly() -> None:
    """When this fails, torch has mended it: take our formula away."""
    conv = nn.Conv2d(8, 16, 3, padding=1, groups=4)
    counter = FlopCounterMode(display=False)
    with counter:
        conv(torch.randn(2, 8, 6, 6, requires_grad=True)).sum().backward()
    one = 2 * 2 * 6 * 6 * 16 * 2 * 9
    assert counter.get_total_flops() == one + one + 4 * one
