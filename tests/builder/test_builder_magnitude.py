"""The layers of EDM2 against the equations of Karras et al. 2024, and that they keep magnitudes."""

import math

import pytest
import torch
from torch.nn import functional

from builder.initialise import initialise
from builder.layers import MpAttention, MpBlock, Resample, magnitude, score


def root_mean_square(x):
    return x.double().square().mean().sqrt().item()


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_silu_is_divided_by_its_magnitude():
    x = torch.randn(1_000_000)
    assert torch.allclose(magnitude.mp_silu(x), x * torch.sigmoid(x) / 0.596)  # eq. 81
    assert root_mean_square(magnitude.mp_silu(x)) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("t", [0.0, 0.3, 0.5, 1.0])
def test_sum(t):
    a, b = torch.randn(2, 500_000)
    whole = magnitude.mp_sum(a, b, t)
    assert torch.allclose(whole, ((1 - t) * a + t * b) / math.sqrt((1 - t) ** 2 + t**2), atol=1e-5)  # eq. 88
    assert root_mean_square(whole) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("t", [0.3, 0.5])
def test_concat(t):
    a, b = torch.randn(2, 30, 32, 32), torch.randn(2, 70, 32, 32)
    joined = magnitude.mp_concat(a, b, t)
    scale = math.sqrt(100 / ((1 - t) ** 2 + t**2))  # eq. 103
    assert torch.allclose(joined[:, :30], scale * (1 - t) / math.sqrt(30) * a)
    assert torch.allclose(joined[:, 30:], scale * t / math.sqrt(70) * b, atol=1e-6)
    assert root_mean_square(joined) == pytest.approx(1, abs=0.01)
    shares = [part.square().sum().item() for part in (joined[:, :30], joined[:, 30:])]
    assert shares[1] / shares[0] == pytest.approx((t / (1 - t)) ** 2, rel=0.02)  # whatever the widths


def test_pixel_norm_and_its_epsilon():
    x = 7 * torch.randn(2, 50, 4, 4)
    normed = magnitude.pixel_norm(x)
    assert torch.allclose(normed.square().mean(1).sqrt(), torch.ones(2, 4, 4), atol=1e-4)
    small = torch.full((1, 5, 1, 1), 1e-4)
    assert torch.allclose(magnitude.pixel_norm(small), torch.full_like(small, 0.5))
    zero = torch.zeros(1, 5, 1, 1, requires_grad=True)
    magnitude.pixel_norm(zero).sum().backward()
    assert torch.isfinite(zero.grad).all()


def test_fourier_features():
    layer, t = magnitude.MpFourier(2_000), torch.randn(200)
    features = layer(t)
    angles = 2 * math.pi * (t[:, None] * layer.frequencies + layer.phases)  # eq. 75
    assert torch.allclose(features, math.sqrt(2) * torch.cos(angles), atol=1e-4)
    assert root_mean_square(features) == pytest.approx(1, abs=0.01)
    assert layer.frequencies.std().item() == pytest.approx(1, abs=0.05)
    assert 0 <= layer.phases.min() < 0.01
    assert 0.99 < layer.phases.max() < 1
    assert not list(layer.parameters())
    assert set(layer.state_dict()) == {"frequencies", "phases"}
    assert magnitude.MpFourier(2_000, bandwidth=3.0).frequencies.std().item() == pytest.approx(3, abs=0.2)
    with pytest.raises(ValueError, match=r"^timesteps must have one dimension, one number per image, not \[2, 1\]\.$"):
        layer(torch.zeros(2, 1))


@pytest.mark.parametrize("factor", [1.0, 40.0, 0.01])
def test_a_convolution_is_the_same_whatever_the_length_of_its_weights(factor):
    layer, x = magnitude.MpConv2d(64, 96, 3, eps=0.0).eval(), torch.randn(2, 64, 16, 16)
    expected = layer.weight / layer.weight.flatten(1).norm(dim=1)[:, None, None, None]  # eq. 47
    before = layer(x)
    assert torch.allclose(before, functional.conv2d(x, expected, padding=1), atol=1e-5)
    layer.weight.data.mul_(factor)
    assert torch.allclose(layer(x), before, atol=1e-5)
    assert root_mean_square(before[:, :, 1:-1, 1:-1]) == pytest.approx(1, abs=0.03)


def test_a_linear_layer_keeps_magnitudes_and_normalises_per_output():
    layer, x = magnitude.MpLinear(300, 400).eval(), torch.randn(500, 300)
    expected = functional.linear(x, layer.weight / layer.weight.norm(dim=1, keepdim=True))
    assert torch.allclose(layer(x), expected, atol=2e-3)  # eps 1e-4 against none
    assert root_mean_square(layer(x)) == pytest.approx(1, abs=0.03)


def test_weights_are_stored_normalised_in_training_and_left_alone_otherwise():
    layer, x = magnitude.MpLinear(30, 5), torch.randn(4, 30)
    layer.weight.data.mul_(9)
    kept = layer.weight.detach().clone()
    layer.eval()(x)
    assert torch.equal(layer.weight, kept)
    layer.train()(x).square().sum().backward()
    assert torch.allclose(layer.weight.square().mean(1), torch.ones(5), atol=1e-3)  # eq. 66
    along = (layer.weight.grad * layer.weight).sum(1).abs() / layer.weight.grad.norm(dim=1)
    assert along.max() < 1e-2  # no gradient along the weight, so that steps turn it and do not stretch it


def test_a_learned_gain_starts_at_nothing_and_scales_the_result():
    layer, x = magnitude.MpConv2d(3, 4, 3, learned_gain=True).eval(), torch.randn(1, 3, 8, 8)
    assert not layer(x).any()
    layer.gain.data.fill_(1.0)
    once = layer(x)
    layer.gain.data.fill_(2.5)
    assert torch.allclose(layer(x), 2.5 * once, atol=1e-5)


def test_small_functions():
    x = torch.randn(2, 3, 4, 4)
    with_ones = magnitude.ones_channel(x)
    assert torch.equal(with_ones[:, :3], x)
    assert torch.equal(with_ones[:, 3], torch.ones(2, 4, 4))
    hot = magnitude.one_hot(torch.tensor([2, -1]), 4)
    assert torch.equal(hot, torch.tensor([[0.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    assert root_mean_square(hot[0]) == 1
    assert magnitude.one_hot(torch.tensor([2]), 4, scaled=False).sum() == 1


@pytest.mark.parametrize("encoder", [True, False])
@pytest.mark.parametrize("resample", [None, "down", "up"])
@pytest.mark.parametrize("out", [96, 128])
def test_a_block_keeps_magnitudes(encoder, resample, out):
    change = Resample(resample, (1.0, 1.0)) if resample else None
    block = MpBlock(96, out, 32, encoder=encoder, resample=change).eval()
    x = torch.randn(2, 96, 32, 32)
    if resample == "down":
        x = 2 * x  # the average of four independent numbers halves their magnitude
    y = block(x, torch.randn(2, 32))
    assert y.shape == (2, out, *(int(32 * {"down": 0.5, "up": 2}.get(resample, 1)),) * 2)
    assert root_mean_square(y) == pytest.approx(1, abs=0.06)


def test_a_block_is_its_equations():
    block = MpBlock(8, 6, 5, encoder=False, t=0.3).eval()
    block.emb_gain.data.fill_(0.7)
    x, emb = torch.randn(2, 8, 4, 4), torch.randn(2, 5)
    h = block.conv_res0(magnitude.mp_silu(x))
    h = h * (1 + 0.7 * block.emb_linear(emb))[:, :, None, None]
    h = block.conv_res1(magnitude.mp_silu(h))
    assert torch.allclose(block(x, emb), magnitude.mp_sum(block.conv_skip(x), h, 0.3), atol=1e-6)
    encoder = MpBlock(8, 6, 5, encoder=True).eval()
    start = magnitude.pixel_norm(encoder.conv_skip(x))
    h = encoder.conv_res1(magnitude.mp_silu(encoder.conv_res0(magnitude.mp_silu(start))))
    assert torch.allclose(encoder(x, emb), magnitude.mp_sum(start, h, 0.3), atol=1e-6)


def test_the_embedding_has_no_effect_at_the_start():
    block, x = MpBlock(8, 8, 5, encoder=True), torch.randn(1, 8, 4, 4)
    block.emb_gain.data.fill_(3.0)
    initialise(block, seed=0)
    assert torch.equal(block.eval()(x, torch.randn(1, 5)), block(x, torch.randn(1, 5)))


def test_attention_is_softmax_of_cosines():
    attention, x = MpAttention(12, head_dim=4).eval(), torch.randn(2, 12, 3, 3)
    q, k, v = attention.qkv(x).reshape(2, 3, 3, 4, 9).unbind(1)
    cosines = torch.einsum("bhdi,bhdj->bhij", functional.normalize(q, dim=2), functional.normalize(k, dim=2))
    weights = (math.sqrt(4) * cosines).softmax(dim=3)
    unit = functional.normalize(v, dim=2) * math.sqrt(4)
    attended = torch.einsum("bhij,bhdj->bhdi", weights, unit).reshape(2, 12, 3, 3)
    expected = magnitude.mp_sum(x, attention.proj(attended), 0.3)
    assert torch.allclose(attention(x), expected, atol=1e-3)  # eps 1e-4 against none


def test_starting_values_depend_on_the_path_alone():
    layers = [torch.nn.ModuleDict({"a": magnitude.MpFourier(8), "b": magnitude.MpConv2d(2, 3, 1)}) for _ in range(2)]
    for layer in layers:
        initialise(layer, seed=4)
    first, second = (layer.state_dict() for layer in layers)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_fourier_features_of_ncsnpp():
    layer, t = score.FourierFeatures(10), torch.randn(4)
    angles = 2 * math.pi * t[:, None] * layer.frequencies
    assert torch.allclose(layer(t), torch.cat([torch.sin(angles), torch.cos(angles)], dim=1), atol=1e-4)
    assert score.FourierFeatures(20_000).frequencies.std().item() == pytest.approx(16, rel=0.05)
    with pytest.raises(ValueError, match="one number per image"):
        layer(torch.zeros(2, 1))


def test_a_blurred_convolution_is_a_convolution_then_a_filter():
    layer, x = score.BlurredConv(3, 5, 3, (1.0, 3.0, 3.0, 1.0)), torch.randn(2, 3, 16, 16)
    smaller = layer(x)
    assert smaller.shape == (2, 5, 8, 8)
    plain = functional.conv2d(x, layer.weight, layer.bias, padding=1)
    apart = Resample("down", (1.0, 3.0, 3.0, 1.0))(plain)
    assert torch.allclose(smaller[:, :, 1:-1, 1:-1], apart[:, :, 1:-1, 1:-1], atol=1e-5)
    constant = score.BlurredConv(1, 1, 1, (1.0, 1.0))
    constant.weight.data.fill_(2.0)
    constant.bias.data.fill_(0.5)
    assert torch.allclose(constant(torch.ones(1, 1, 4, 4)), torch.full((1, 1, 2, 2), 2.5))
