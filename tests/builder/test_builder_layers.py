"""The layers against their formulas, written out slowly."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from builder import layers


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def written_out_attention(block, x):
    """Softmax attention of one image after the other, one head after the other."""
    batch, _, height, width = x.shape
    h = block.norm(x)
    q, k, v = (functional.conv2d(h, part.weight, part.bias).flatten(2) for part in (block.q, block.k, block.v))
    dim = q.shape[1] // block.heads
    out = torch.zeros_like(q)
    for image in range(batch):
        for head in range(block.heads):
            rows = slice(head * dim, (head + 1) * dim)
            scores = q[image, rows].T @ k[image, rows] / math.sqrt(dim)
            out[image, rows] = v[image, rows] @ scores.softmax(dim=-1).T
    out = functional.conv2d(out.reshape(batch, -1, height, width), block.proj_out.weight, block.proj_out.bias)
    return x + out if block.residual else out


@pytest.mark.parametrize(
    ("heads", "head_dim", "norm", "residual"),
    [(1, None, True, True), (4, None, True, True), (2, 5, False, True), (1, None, True, False), (4, 8, False, False)],
)
@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_softmax_attention(heads, head_dim, norm, residual, memory):
    options = layers.NormOptions(8, 1e-5) if norm else None
    block = layers.AttentionBlock(32, heads=heads, head_dim=head_dim, norm=options, residual=residual).double()
    x = torch.randn(2, 32, 6, 5, dtype=torch.float64).to(memory_format=memory)
    torch.testing.assert_close(block(x), written_out_attention(block, x), rtol=1e-10, atol=1e-10)


def test_vanilla_attention_is_scaled_by_the_whole_width_with_one_head():
    block = layers.AttentionBlock(64)
    assert block.heads == 1
    assert list(dict(block.named_children())) == ["norm", "q", "k", "v", "proj_out"]
    assert (block.norm.num_groups, block.norm.eps, block.residual) == (32, 1e-6, True)


@pytest.mark.parametrize(("heads", "head_dim"), [(1, 32), (4, 8), (4, 32)])
@pytest.mark.parametrize(("norm", "residual"), [(False, False), (True, True)])
def test_linear_attention(heads, head_dim, norm, residual):
    options = layers.NormOptions(8) if norm else None
    block = layers.LinearAttention(32, heads, head_dim, norm=options, residual=residual).double()
    x = torch.randn(2, 32, 4, 6, dtype=torch.float64)
    qkv = block.to_qkv(block.norm(x)).reshape(2, 3, heads, head_dim, 24)
    q, k, v = qkv[:, 0], qkv[:, 1].softmax(dim=-1), qkv[:, 2]
    context = torch.einsum("bhdn,bhen->bhde", k, v)
    attended = torch.einsum("bhde,bhdn->bhen", context, q)
    expected = block.to_out(attended.reshape(2, heads * head_dim, 4, 6))
    torch.testing.assert_close(block(x), x + expected if residual else expected, rtol=1e-10, atol=1e-10)
    assert block.to_qkv.bias is None


def test_linear_attention_block_has_one_head_and_replaces_its_input():
    block = layers.LinearAttentionBlock(32)
    assert (block.heads, block.residual, type(block.norm)) == (1, False, nn.Identity)
    assert {key: tuple(value.shape) for key, value in block.state_dict().items()} == {
        "to_qkv.weight": (96, 32, 1, 1), "to_out.weight": (32, 32, 1, 1), "to_out.bias": (32,),
    }  # fmt: skip


def silu(x):
    return x * torch.sigmoid(x)


@pytest.mark.parametrize(("out", "conv_shortcut", "name"), [(32, False, None), (64, False, "nin"), (64, True, "conv")])
def test_resnet_block(out, conv_shortcut, name):
    block = layers.ResnetBlock(
        in_channels=32, out_channels=out, conv_shortcut=conv_shortcut, dropout=0.5, temb_channels=16
    ).eval()
    x, temb = torch.randn(2, 32, 4, 4), torch.randn(2, 16)
    h = block.conv1(silu(block.norm1(x)))
    h = h + block.temb_proj(silu(temb)).reshape(2, out, 1, 1)
    h = block.conv2(silu(block.norm2(h)))
    shortcut = {None: lambda x: x, "nin": block.nin_shortcut, "conv": block.conv_shortcut}[name]
    torch.testing.assert_close(block(x, temb), shortcut(x) + h)
    assert [n for n, _ in block.named_children() if "shortcut" in n] == ([f"{name}_shortcut"] if name else [])


def test_dropout_sits_before_the_second_convolution():
    block = layers.ResnetBlock(in_channels=32, dropout=0.5, temb_channels=0)
    seen = []
    block.dropout.register_forward_hook(lambda module, inputs, output: seen.append(output))
    block.conv2.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    block(torch.randn(1, 32, 4, 4))
    assert seen[0] is seen[1]
    assert (seen[0] == 0).any()


def test_blocks_that_start_from_zero_start_as_their_shortcut():
    block = layers.ResnetBlock(in_channels=32, dropout=0.0, temb_channels=0, zero_init=True)
    x = torch.randn(1, 32, 4, 4)
    assert torch.equal(block(x), x)
    assert torch.equal(layers.conv2d(32, 3, 3, zero_init=True)(x), torch.zeros(1, 3, 4, 4))
    assert layers.conv2d(32, 3, 3, bias=False, zero_init=True).bias is None


def test_downsample_pads_right_and_bottom():
    down = layers.Downsample(1, True)
    nn.init.zeros_(down.conv.bias)
    nn.init.ones_(down.conv.weight)
    # 3×3 windows that start at even pixels; the last ones hang over at the right and at the bottom
    assert down(torch.ones(1, 1, 4, 4)).tolist() == [[[[9.0, 6.0], [6.0, 4.0]]]]
    around = layers.Downsample(1, True, symmetric=True)
    around.load_state_dict(down.state_dict())
    assert around(torch.ones(1, 1, 4, 4)).tolist() == [[[[4.0, 6.0], [6.0, 9.0]]]]


def test_resampling_without_convolutions():
    x = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert layers.Downsample(1, False)(x).tolist() == [[[[3.0]]]]
    assert layers.Upsample(1, False)(x)[0, 0].tolist() == [
        [1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 6.0, 6.0], [3.0, 3.0, 6.0, 6.0],
    ]  # fmt: skip
    assert list(layers.Downsample(1, False).parameters()) == []


@pytest.mark.parametrize("dim", [1, 2, 3, 6, 7, 128])
def test_sinusoidal_features(dim):
    half = dim // 2
    t = torch.tensor([0, 1, 999])
    frequencies = [math.exp(-math.log(10_000) * k / (half - 1)) if half > 1 else 1.0 for k in range(half)]
    rows = [
        [math.sin(step * f) for f in frequencies] + [math.cos(step * f) for f in frequencies] + [0.0] * (dim % 2)
        for step in t.tolist()
    ]
    features = layers.get_timestep_embedding(t, dim)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features, torch.tensor(rows), rtol=0, atol=1e-4)


def test_sinusoidal_options():
    t = torch.tensor([3.0])
    sines, cosines = layers.sinusoidal(t, 8).chunk(2, dim=1)
    assert torch.equal(layers.sinusoidal(t, 8, cos_first=True), torch.cat([cosines, sines], dim=1))
    expected = [math.sin(3 * math.exp(-math.log(100) * k / 4)) for k in range(4)]
    features = layers.sinusoidal(t, 8, freq_shift=0.0, max_period=100.0)
    torch.testing.assert_close(features[0, :4], torch.tensor(expected))


@pytest.mark.parametrize("t", [torch.tensor(5), torch.zeros(2, 1)])
def test_timesteps_have_one_dimension(t):
    with pytest.raises(ValueError, match=r"timesteps must have one dimension, one number per image, not the shape \["):
        layers.get_timestep_embedding(t, 8)


def test_mlp_takes_float32_features_whatever_its_own_type():
    mlp = layers.Mlp(8, 16, 4).to(torch.bfloat16)
    assert mlp(torch.randn(2, 8)).dtype == torch.bfloat16
    mlp = layers.Mlp(8, 16, 4)
    x = torch.randn(2, 8)
    torch.testing.assert_close(mlp(x), mlp.dense[1](silu(mlp.dense[0](x))))


def test_projected_addition():
    add = layers.Sum(8, 3, layers.factor(1.0, learned=False), layers.factor(1.0, learned=False))
    x, skip = torch.randn(1, 8, 2, 2), torch.randn(1, 3, 2, 2)
    torch.testing.assert_close(add(x, skip), x + add.proj(skip))
    assert add.proj.weight.shape == (8, 3, 1, 1)
