"""Kinds and order of norms, factors of joins, features of the timestep, relative positions: against plain torch."""

import math

import pytest
import torch
from torch.nn import functional

from archspec.ops import Add, Attention, Concat, Norm, ResnetBlock, TimeEmbedding, WindowAttention
from archspec.ops.shapes import Embedding, FeatureMap, Timestep
from builder.initialise import initialise
from builder.lowering import Call, lower

X, EMB = FeatureMap(8, 4), Embedding(5)


def mean_square(x):
    return x.square().mean(dim=1, keepdim=True)


def by_hand(kind, x, layer, groups, eps):
    """The norm's formula, written out."""
    if kind == "none":
        return x
    if kind in ("rms", "pixel"):
        unit = x / torch.sqrt(mean_square(x) + eps)
        return unit if kind == "pixel" else unit * layer.weight[None, :, None, None]
    if kind == "layer":
        centred = x - x.mean(dim=1, keepdim=True)
    else:
        grouped = x.reshape(x.shape[0], groups, -1)
        centred = grouped - grouped.mean(-1, keepdim=True)
    axis = 1 if kind == "layer" else -1
    unit = (centred / torch.sqrt(centred.square().mean(axis, keepdim=True) + eps)).reshape(x.shape)
    return unit * layer.weight[None, :, None, None] + layer.bias[None, :, None, None]


KINDS = ["group", "layer", "rms", "pixel", "none"]


def drawn(module, seed=0):
    """The module with every weight drawn at random, those of norms too."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter)
    return module.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_norm_is_its_formula(kind):
    layer = drawn(lower(Norm(type=kind, groups=2, eps=0.1), {"x": X}))
    x = torch.randn(2, 8, 4, 4) + 1
    torch.testing.assert_close(layer(x), by_hand(kind, x, layer, 2, 0.1), rtol=1e-4, atol=1e-5)


ACTS = {"silu": functional.silu, "relu": functional.relu, "gelu": functional.gelu}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("order", ["pre", "post"])
@pytest.mark.parametrize("conditioning", ["none", "add", "scale_shift", "both"])
def test_a_block_is_what_its_words_say(kind, order, conditioning):
    act_name = {"none": "gelu", "add": "relu"}.get(conditioning, "silu")
    both = conditioning == "both"
    op = ResnetBlock(
        out=6, hidden=4, groups=2, eps=0.1, norm_type=kind, norm_order=order, act=act_name,
        conditioning="scale_shift" if both else conditioning, condition_both=both,
    )  # fmt: skip
    inputs = {"x": X} if conditioning == "none" else {"x": X, "emb": EMB}
    block, act = drawn(lower(op, inputs)), ACTS[act_name]
    assert sum(p.numel() for p in block.parameters()) == op.parameters(inputs)
    x, emb = torch.randn(2, 8, 4, 4), torch.randn(2, 5)

    def norm(which, h):
        return by_hand(kind, h, getattr(block, f"norm{which}"), 2, 0.1)

    def entered(which, h):  # the norm after the first convolution, and how the embedding enters there
        projected = block.temb_proj(act(emb))[..., None, None] if conditioning != "none" else None
        if conditioning == "add":
            return norm(which, h + projected)
        h = norm(which, h)
        return h if projected is None else h * (1 + projected[:, :4]) + projected[:, 4:]

    def other(which, h):
        h, half = norm(which, h), h.shape[1]
        projected = block.temb_proj_other(act(emb))[..., None, None] if both else None
        return h * (1 + projected[:, :half]) + projected[:, half:] if both else h

    if order == "pre":
        h = block.conv2(act(entered(2, block.conv1(act(other(1, x))))))
    else:
        h = act(other(2, block.conv2(act(entered(1, block.conv1(x))))))
    expected = block.nin_shortcut(x) + h
    given = (x,) if conditioning == "none" else (x, emb)
    torch.testing.assert_close(block(*given), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_a_resampling_block_resamples_before_its_first_convolution(order):
    op = ResnetBlock(out=8, groups=2, conditioning="none", resample="down", norm_order=order, norm_type="none")
    block = drawn(lower(op, {"x": X}))
    x, act = torch.randn(1, 8, 4, 4), functional.silu
    smaller = functional.avg_pool2d
    if order == "pre":
        h = block.conv2(act(block.conv1(smaller(act(x), 2))))
    else:
        h = act(block.conv2(act(block.conv1(smaller(x, 2)))))
    torch.testing.assert_close(block(x), smaller(x, 2) + h)


def test_a_block_that_starts_from_zero_starts_as_its_shortcut_in_both_orders():
    for order in ("pre", "post"):
        block = lower(ResnetBlock(out=8, groups=2, conditioning="none", zero_init=True, norm_order=order), {"x": X})
        x = torch.randn(1, 8, 4, 4)
        assert torch.equal(block(x), x)


def test_attention_takes_the_same_norms():
    x = torch.randn(1, 8, 4, 4)
    for kind in KINDS:
        layer = drawn(lower(Attention(groups=2, norm_type=kind, eps=0.1), {"x": X}))
        bare = lower(Attention(norm=False), {"x": X}).eval()
        bare.load_state_dict({key: value for key, value in layer.state_dict().items() if "norm" not in key})
        expected = x + bare(by_hand(kind, x, layer.norm, 2, 0.1)) - by_hand(kind, x, layer.norm, 2, 0.1)
        torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-4)


def test_joins_with_factors():
    x, skip = torch.randn(2, 8, 4, 4), torch.randn(2, 6, 4, 4)
    same, both = {"x": X, "skip": X}, {"x": X, "skip": FeatureMap(6, 4)}
    call = lower(Add(x_scale=0.5, skip_scale=-2.0), same)
    assert isinstance(call, Call)
    args, options = call.arrange({"x": x, "skip": x + 1})
    torch.testing.assert_close(call.function(*args, **options), 0.5 * x - 2 * (x + 1))
    call = lower(Concat(skip_scale=0.25), both)
    args, options = call.arrange({"x": x, "skip": skip})
    assert torch.equal(call.function(*args, **options), torch.cat([x, 0.25 * skip], dim=1))
    learned = lower(Concat(skip_scale=0.25, learn_skip_scale=True), both)
    assert torch.equal(learned(x, skip), torch.cat([x, 0.25 * skip], dim=1))
    whole = drawn(lower(Add(project=True, x_scale=3.0, learn_skip_scale=True, skip_scale=0.5), both))
    assert whole.skip_scale.weight != 0.5  # drawn
    expected = 3 * x + whole.skip_scale.weight * functional.conv2d(skip, whole.proj.weight, whole.proj.bias)
    torch.testing.assert_close(whole(x, skip), expected)
    both_learned = lower(Add(x_scale=0.0, learn_x_scale=True, learn_skip_scale=True), same)
    assert torch.equal(both_learned(x, x + 1), x + 1)
    assert [key for key, _ in both_learned.named_parameters()] == ["x_scale.weight", "skip_scale.weight"]


def test_features_of_the_timestep():
    t = torch.tensor([3, 10])
    call = lower(TimeEmbedding(dim=6, scale=2.0, freq_shift=0.0), {"t": Timestep()})
    args, options = call.arrange({"t": t})
    angles = 2.0 * t[:, None] * torch.exp(-math.log(10_000) * torch.arange(3) / 3)
    torch.testing.assert_close(call.function(*args, **options), torch.cat([angles.sin(), angles.cos()], 1))
    fourier = lower(TimeEmbedding(dim=6, type="fourier", scale=0.5, order="cos_sin"), {"t": Timestep()})
    angles = 2 * math.pi * t[:, None] * fourier.frequencies
    torch.testing.assert_close(fourier(t), torch.cat([angles.cos(), angles.sin()], 1))
    wide = lower(TimeEmbedding(dim=4096, type="fourier", scale=0.5), {"t": Timestep()})
    assert abs(wide.frequencies.std() - 0.5) < 0.05
    table = lower(TimeEmbedding(dim=6, type="learned", steps=11), {"t": Timestep()})
    assert torch.equal(table(t), table.weight[[3, 10]])
    assert torch.equal(table(t.float()), table.weight[[3, 10]])
    with pytest.raises(IndexError):
        table(torch.tensor([11]))
    with pytest.raises(ValueError, match=r"timesteps must have one dimension, one number per image, not \[1, 2\]\."):
        table(t[None])


@pytest.mark.parametrize("shift", [0, 1])
def test_relative_positions_are_added_to_the_scores(shift):
    op = WindowAttention(window=2, shift=shift, heads=2, norm_type="none", relative_position=True)
    layer = drawn(lower(op, {"x": X}))
    x = torch.randn(1, 8, 4, 4)
    top = left = shift  # a window that no border parts
    inside = x[:, :, top : top + 2, left : left + 2]
    q, k, v = (part.reshape(2, 4, 4).transpose(1, 2) for part in layer.qkv(inside)[0].chunk(3))
    scores = q @ k.transpose(1, 2) / 2.0
    places = [(row, column) for row in (0, 1) for column in (0, 1)]
    for head in (0, 1):
        for a, (row, column) in enumerate(places):
            for b, (other_row, other_column) in enumerate(places):
                index = (row - other_row + 1) * 3 + (column - other_column + 1)
                scores[head, a, b] += layer.relative_position[index, head]
    attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(1, 8, 2, 2)
    expected = inside + layer.proj_out(attended)
    torch.testing.assert_close(layer(x)[:, :, top : top + 2, left : left + 2], expected, rtol=1e-4, atol=1e-4)


def test_zero_biases_are_no_biases_and_windows_stay_apart():
    biased = drawn(lower(WindowAttention(window=2, shift=1, relative_position=True, groups=2), {"x": X}))
    plain = lower(WindowAttention(window=2, shift=1, groups=2), {"x": X}).eval()
    plain.load_state_dict({key: value for key, value in biased.state_dict().items() if key != "relative_position"})
    x = torch.randn(2, 8, 4, 4)
    assert not torch.allclose(biased(x), plain(x))
    torch.nn.init.zeros_(biased.relative_position)
    torch.testing.assert_close(biased(x), plain(x))
    initialise(biased, seed=0)
    assert 0.005 < biased.relative_position.std() < 0.04
