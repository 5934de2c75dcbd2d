"""Gated and rebalanced skips and attention in windows, as layers and inside a network."""

import copy

import pytest
import torch
from network_arguments import network_arguments
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspec import build, check_data, fingerprint, loads, to_yaml, total_price
from archspec.text.positions import Positions
from builder import assemble
from builder.initialise import initialise
from builder.layers import AttentionBlock, NormOptions, ProjectionOptions
from builder.layers.skips import GatedConcat, freeu_concat
from builder.layers.window import WindowAttention, WindowShape

SMALL = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2],
}  # fmt: skip

#: Recipes: what one edit makes of a U-Net.
RECIPES = {
    "gated skips": {"replace": {"nodes": "concat", "with": {"op": "gated_concat"}}},
    "gated, narrow": {"replace": {"nodes": "up.1.skip.*", "with": {"op": "gated_concat", "hidden": 4}}},
    "freeu": {"replace": {"nodes": "up.1.skip.*", "with": {"op": "freeu_concat", "backbone": 1.4}}},
    "windows": {"replace": {"nodes": "attention", "with": {"op": "window_attention", "window": 4, "heads": 2}}},
    "shifted": {"replace": {"nodes": "attention", "with": {"op": "window_attention", "window": 4, "shift": 2}}},
}


def network(*edits):
    return check_data({"version": 1, "name": "n", "unet": SMALL, "edits": list(edits)}, Positions("n")).sound()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_compiles_as_it_is_priced(name):
    torch.manual_seed(0)
    graph = network(RECIPES[name])
    assert fingerprint(graph) != fingerprint(network())
    with torch.device("meta"):
        meta = assemble(graph).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta(**network_arguments(graph))
    price = total_price(graph)
    counted = (sum(parameter.numel() for parameter in meta.parameters()), counter.get_total_flops())
    assert counted == (price.parameters, 2 * price.macs)
    compiled = assemble(graph)
    initialise(compiled, seed=1)
    given = network_arguments(graph, batch=2, device="cpu")
    result = compiled(**given)
    result.square().mean().backward()
    assert all(value.grad is not None and value.grad.any() for value in compiled.parameters())
    assert torch.equal(copy.deepcopy(compiled)(**given), result)
    again = build(loads(to_yaml(graph)))
    assert fingerprint(again) == fingerprint(graph)
    assert assemble(again).code == compiled.code


def test_a_gate_lets_through_what_its_equations_say():
    torch.manual_seed(0)
    gate, x, skip = GatedConcat(4, 6, 3), torch.randn(2, 4, 5, 5), torch.randn(2, 6, 5, 5)
    inner = torch.einsum("oi,bihw->bohw", gate.theta.weight[:, :, 0, 0], skip)
    inner = inner + torch.einsum("oi,bihw->bohw", gate.phi.weight[:, :, 0, 0], x) + gate.phi.bias[:, None, None]
    openness = torch.sigmoid((inner.relu() * gate.psi.weight[0, :, 0, 0][:, None, None]).sum(1) + gate.psi.bias)
    joined = gate(x, skip)
    assert torch.equal(joined[:, :4], x)
    assert torch.allclose(joined[:, 4:], skip * openness[:, None], atol=1e-6)


def test_freeu_with_factors_of_one_is_concatenation():
    x, skip = torch.randn(2, 4, 6, 6), torch.randn(2, 5, 6, 6)
    joined = freeu_concat(x, skip, backbone=1.0, skip_scale=1.0)
    assert torch.allclose(joined, torch.cat([x, skip], dim=1), atol=1e-5)


@pytest.mark.parametrize("size", [6, 7])
def test_freeu_grows_half_of_the_backbone_and_damps_low_frequencies(size):
    torch.manual_seed(0)
    x, skip = torch.randn(2, 4, size, size), torch.randn(2, 5, size, size)
    joined = freeu_concat(x, skip, backbone=1.5, skip_scale=0.25)
    mean = x.mean(1)
    low, high = mean.flatten(1).min(1).values, mean.flatten(1).max(1).values
    factor = 1 + 0.5 * (mean - low[:, None, None]) / (high - low)[:, None, None]
    assert torch.allclose(joined[:, :2], x[:, :2] * factor[:, None], atol=1e-6)
    assert torch.equal(joined[:, 2:4], x[:, 2:])
    constant = skip.mean((2, 3), keepdim=True)  # below one period an image there is the mean alone
    assert torch.allclose(joined[:, 4:], skip - 0.75 * constant, atol=1e-5)
    wave = torch.cos(2 * torch.pi * torch.arange(size) / size).expand(1, 1, size, size)
    for threshold, left in ((1.0, 1.0), (1.5, 0.25)):
        rebalanced = freeu_concat(wave, wave, skip_scale=0.25, threshold=threshold)[:, 1:]
        assert torch.allclose(rebalanced, left * wave, atol=1e-6)


def test_one_window_is_attention_over_all():
    torch.manual_seed(0)
    windowed = WindowAttention(8, WindowShape(6, 0), (2, 4), NormOptions(2))
    whole = AttentionBlock(8, heads=2, norm=NormOptions(2), options=ProjectionOptions(fused=True))
    whole.load_state_dict(windowed.state_dict())
    x = torch.randn(2, 8, 6, 6)
    assert torch.allclose(windowed(x), whole(x), atol=1e-6)


def reach(layer, row, column, size=8):
    """The pixels that the result at one pixel depends on, apart from the norm."""
    layer.norm = torch.nn.Identity()
    x = torch.randn(1, 4, size, size, requires_grad=True)
    layer(x)[0, :, row, column].sum().backward()
    return {tuple(pixel) for pixel in x.grad[0].abs().sum(0).nonzero().tolist()}


def square(top, left, height, width):
    return {(row, column) for row in range(top, top + height) for column in range(left, left + width)}


def test_a_position_sees_its_window_alone():
    torch.manual_seed(0)
    plain = WindowAttention(4, WindowShape(4, 0), (2, 2), NormOptions(2))
    assert reach(plain, 1, 6) == square(0, 4, 4, 4)
    shifted = WindowAttention(4, WindowShape(4, 1), (2, 2), NormOptions(2))
    assert reach(shifted, 3, 3) == square(1, 1, 4, 4)
    assert reach(shifted, 6, 2) == square(5, 1, 3, 4)  # what wraps around the border stays apart
    assert reach(shifted, 0, 2) == square(0, 1, 1, 4)
    assert reach(shifted, 0, 0) == {(0, 0)}
    assert reach(shifted, 7, 7) == square(5, 5, 3, 3)


def test_shifted_windows_match_attention_inside_one():
    torch.manual_seed(0)
    layer = WindowAttention(8, WindowShape(4, 1), (1, 8), NormOptions(2))
    layer.norm = torch.nn.Identity()
    x = torch.randn(2, 8, 8, 8)
    inside = x[:, :, 1:5, 1:5]
    q, k, v = (part.flatten(2).transpose(1, 2) for part in layer.qkv(inside).chunk(3, dim=1))
    attended = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(2, 8, 4, 4)
    assert torch.allclose(layer(x)[:, :, 1:5, 1:5], inside + layer.proj_out(attended), atol=1e-6)
