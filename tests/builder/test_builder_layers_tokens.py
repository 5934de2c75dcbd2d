"""Layers of tokens, classes and sizes against plain arithmetic: one image, one head and one number after the other."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from builder import layers
from builder.layers.label import LabelLinear, LabelTable
from builder.layers.magnitude import one_hot
from builder.layers.resample import SpaceToDepth, Upsample
from builder.layers.transformer import (
    FeedForward,
    GatedGelu,
    PlainGelu,
    TokenAttention,
    Transformer,
    TransformerBlock,
    TransformerOptions,
)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def normed(layer, x):
    centred = x - x.mean(-1, keepdim=True)
    variance = centred.square().mean(-1, keepdim=True)
    return centred / torch.sqrt(variance + layer.eps) * layer.weight + layer.bias


def attended(layer, x, over):
    """Attention of each query to each key, one head after the other."""
    q, k, v = x @ layer.to_q.weight.T, over @ layer.to_k.weight.T, over @ layer.to_v.weight.T
    dim = q.shape[-1] // layer.heads
    out = torch.zeros_like(q)
    for image in range(len(x)):
        for head in range(layer.heads):
            columns = slice(head * dim, (head + 1) * dim)
            for query in range(x.shape[1]):
                scores = [float(q[image, query, columns] @ key) / math.sqrt(dim) for key in k[image, :, columns]]
                weights = [math.exp(score) for score in scores]
                for weight, value in zip(weights, v[image, :, columns], strict=True):
                    out[image, query, columns] += weight / sum(weights) * value
    return out @ layer.to_out[0].weight.T + layer.to_out[0].bias


@pytest.mark.parametrize("heads", [1, 3])
def test_attention_of_tokens_to_themselves_and_to_others(heads):
    layer = TokenAttention(6, 6, heads).double()
    x, over = torch.randn(2, 4, 6).double(), torch.randn(2, 3, 6).double()
    with torch.no_grad():
        torch.testing.assert_close(layer(x), attended(layer, x, x), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(layer(x, over), attended(layer, x, over), rtol=1e-10, atol=1e-10)


def test_a_gate_multiplies_the_first_half_by_the_activated_second():
    layer, x = GatedGelu(4, 5), torch.randn(2, 3, 4)
    value, gate = (x @ layer.proj.weight.T + layer.proj.bias).split(5, dim=-1)
    torch.testing.assert_close(layer(x), value * gelu(gate))
    plain = PlainGelu(4, 5)
    torch.testing.assert_close(plain(x), gelu(x @ plain.proj.weight.T + plain.proj.bias))


@pytest.mark.parametrize("gated", [True, False])
def test_the_feed_forward_is_wide_inside(gated):
    layer, x = FeedForward(4, 3, gated=gated, dropout=0.5).eval(), torch.randn(2, 3, 4)
    assert layer.net[0].proj.weight.shape == (24 if gated else 12, 4)
    assert layer.net[2].weight.shape == (4, 12)
    torch.testing.assert_close(layer(x), layer.net[2](layer.net[0](x)))
    assert not torch.equal(layer.train()(x), layer.eval()(x))


PARTS = {
    "all": {"tokens_dim": 5},
    "no feed-forward": {"tokens_dim": 5, "ff_mult": None},
    "no self-attention": {"tokens_dim": 5, "self_attention": False},
    "no tokens": {},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_block_adds_each_of_its_parts_after_a_norm(name):
    options = TransformerOptions(heads=2, head_dim=3, **PARTS[name])
    block = TransformerBlock(options).double()
    for value in block.parameters():
        nn.init.normal_(value)
    x, tokens = torch.randn(2, 4, 6).double(), torch.randn(2, 3, 5).double()
    expected = x
    with torch.no_grad():
        if options.self_attention:
            inner = normed(block.norm1, expected)
            expected = expected + attended(block.attn1, inner, inner)
        if options.tokens_dim:
            expected = expected + attended(block.attn2, normed(block.norm2, expected), tokens)
        if options.ff_mult:
            expected = expected + block.ff(normed(block.norm3, expected))
        torch.testing.assert_close(block(x, tokens if options.tokens_dim else None), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("residual", [True, False])
def test_convolutions_and_linear_layers_before_the_blocks_are_one_function(residual):
    options = TransformerOptions(heads=2, head_dim=3)
    made = {
        kind: Transformer(8, 2, options, norm=layers.NormOptions(4), projection=kind, residual=residual)
        for kind in ("conv", "linear")
    }
    state = made["conv"].state_dict()
    for name in ("proj_in.weight", "proj_out.weight"):
        state[name] = state[name][:, :, 0, 0]
    made["linear"].load_state_dict(state)
    x = torch.randn(2, 8, 3, 5)
    torch.testing.assert_close(made["linear"](x), made["conv"](x), rtol=1e-4, atol=1e-5)
    h = made["conv"].proj_in(made["conv"].norm(x))
    rows = torch.stack([h[:, :, row, column] for row in range(3) for column in range(5)], dim=1)
    for block in made["conv"].transformer_blocks:
        rows = block(rows)
    back = torch.zeros(2, 6, 3, 5)
    for number, (row, column) in enumerate((row, column) for row in range(3) for column in range(5)):
        back[:, :, row, column] = rows[:, number]
    expected = made["conv"].proj_out(back)
    torch.testing.assert_close(made["conv"](x), x + expected if residual else expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_a_transformer_that_starts_from_zero_gives_its_input(kind):
    layer = Transformer(8, 1, TransformerOptions(2, 4), norm=layers.NormOptions(4), projection=kind, zero_init=True)
    x = torch.randn(1, 8, 2, 2)
    assert torch.equal(layer(x), x)


def test_pixels_become_channels_one_after_the_other():
    layer = SpaceToDepth(2)
    assert layer.conv.weight.shape == (2, 8, 1, 1)
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    # the four pixels of the first channel, then those of the second
    expected = layer.conv.weight[0, :, 0, 0] @ x.flatten() + layer.conv.bias[0]
    torch.testing.assert_close(layer(x)[0, 0, 0, 0], expected)
    assert layer(torch.zeros(1, 2, 4, 6)).shape == (1, 2, 2, 3)


def test_bilinear_is_between_pixel_centres():
    layer = Upsample(1, False, mode="bilinear")
    assert layer(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0].tolist() == [0.0, 1.0, 3.0, 4.0]


def test_a_table_of_classes_and_a_linear_map_of_them():
    table = LabelTable(3, 4)
    assert torch.equal(table(torch.tensor([2, 0])), table.weight[[2, 0]])
    with pytest.raises(IndexError):
        table(torch.tensor([3]))
    linear = LabelLinear(3, 4, bias=True, scaled=True)
    found = linear(torch.tensor([1, 2, -1, 3]))
    columns = math.sqrt(3) * linear.weight.T
    torch.testing.assert_close(found[:2], columns[1:] + linear.bias)
    assert torch.equal(found[2], linear.bias)  # none of the classes
    assert torch.equal(found[3], linear.bias)
    plain = LabelLinear(3, 4)
    assert plain.bias is None
    torch.testing.assert_close(plain(torch.tensor([1]))[0], plain.weight[:, 1])
    assert LabelLinear(3, 4).half()(torch.tensor([1])).dtype == torch.float16


def test_one_hot_vectors_have_magnitude_one_where_they_are_scaled():
    found = one_hot(torch.tensor([1, 5]), 4)
    assert found.tolist() == [[0.0, 2.0, 0.0, 0.0], [0.0] * 4]
    assert found[0].square().mean().sqrt() == 1.0
    assert one_hot(torch.tensor([1]), 4, scaled=False).tolist() == [[0.0, 1.0, 0.0, 0.0]]


def test_learned_timesteps_are_rows_of_a_table():
    table = layers.LearnedTimesteps(5, 3)
    assert torch.equal(table(torch.tensor([0.0, 4.0, 2.9])), table.weight[[0, 4, 2]])
    with pytest.raises(IndexError):
        table(torch.tensor([5]))
    for wrong, shape in ((torch.tensor(1), r"\[\]"), (torch.zeros(2, 1), r"\[2, 1\]")):
        with pytest.raises(ValueError, match=rf"one dimension, one number per image, not {shape}\.$"):
            table(wrong)


def test_features_of_very_large_small_and_negative_timesteps_stay_between_minus_one_and_one():
    t = torch.tensor([-3.0, 0.0, 1e-9, 1e6])
    for dim in (2, 5, 64):
        found = layers.sinusoidal(t, dim)
        assert found.shape == (4, dim)
        assert found.abs().max() <= 1.0
    torch.testing.assert_close(layers.sinusoidal(-t, 8)[:, :4], -layers.sinusoidal(t, 8)[:, :4])
    assert layers.sinusoidal(torch.tensor([3], dtype=torch.int64), 4).dtype == torch.float32
    torch.testing.assert_close(layers.sinusoidal(t, 8, scale=2.0), layers.sinusoidal(2 * t, 8))
    assert functional.pad(layers.sinusoidal(t, 4), (0, 1)).equal(layers.sinusoidal(t, 5))
