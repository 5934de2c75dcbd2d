"""Kinds and order of norms, factors of joins, features of the timestep, relative positions: against plain torch."""

import copy
import math
import pickle

import pytest
import torch
from network_arguments import network_arguments, torch_size
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archspec import UserError, build, check_data, fingerprint, from_document, loads, to_document, to_yaml, total_price
from archspec.graphs.graph import shape_of
from archspec.ops import Add, Attention, Concat, Norm, ResnetBlock, TimeEmbedding, WindowAttention
from archspec.ops.shapes import Embedding, FeatureMap, Timestep
from archspec.text.positions import Positions
from builder import assemble
from builder.initialise import initialise
from builder.lowering import Call, lower
from builder.weights.unet2d import config
from tests.builder.shapes import Shapes

SMALL = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2],
}  # fmt: skip
X, EMB = FeatureMap(8, 4), Embedding(5)


def network(*edits, **changes):
    document = {"version": 1, "name": "n", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return check_data(document, Positions("n")).sound()


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


def test_learned_factors_start_where_it_says_and_are_trained():
    graph = network(skip="add", skip_scale=0.25, learn_skip_scale=True)
    compiled = assemble(graph)
    factors = {key: p for key, p in compiled.named_parameters() if "skip_scale" in key}
    assert sorted(factors) == [f"up.{level}.skip.{block}.skip_scale.weight" for level in (0, 1) for block in (0, 1)]
    with torch.no_grad():
        for factor in factors.values():
            factor.fill_(9.0)
    initialise(compiled, seed=0)
    assert [factor.item() for factor in factors.values()] == [0.25] * 4
    compiled(**network_arguments(graph, 2, "cpu")).square().mean().backward()
    assert all(factor.grad for factor in factors.values())


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


VARIANTS = {
    **{f"{kind} norms": network(norm_type=kind) for kind in KINDS[1:]},
    "post-norm": network(norm_order="post", conditioning="scale_shift", condition_both=True, act="gelu"),
    "both norms": network(conditioning="scale_shift", condition_both=True),
    "nothing for both norms": network(conditioning="scale_shift", condition_both=True, use_timestep=False),
    "post-norm resampling": network(norm_order="post", resblock_updown=True, norm_type="rms"),
    "factors": network(skip_scale=0.5),
    "learned factors": network(skip="add", learn_skip_scale=True),
    "learned factors of concat": network(skip_scale=0.5, learn_skip_scale=True),
    "one skip a level": network(skip_per="level", num_res_blocks=2),
    "fourier": network(time={"type": "fourier"}),
    "scaled time": network(time={"scale": 1000.0}),
    "learned time": network(time={"type": "learned", "steps": 100}),
    "depth by block": network(
        attn_type="transformer", attn_resolutions=[16, 8], transformer={"depth": [1, [2, 1, 3]]}, num_res_blocks=[1, 2]
    ),
    "relative positions": network(
        {
            "replace": {
                "nodes": "attention",
                "with": {"op": "window_attention", "window": 4, "shift": 2, "heads": 2, "relative_position": True},
            }
        }
    ),
    "factor of each": network(
        {"replace": {"nodes": "concat", "with": {"op": "add", "project": True, "x_scale": 0.7, "learn_x_scale": True}}}
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_shapes_prices_gradients_and_copies(name):
    graph = VARIANTS[name]
    with torch.device("meta"):
        meta = assemble(graph)
    made = network_arguments(graph, batch=2)
    shapes = Shapes(meta)
    shapes.run(*(made.get(node.target) for node in meta.graph.find_nodes(op="placeholder")))
    assert shapes.seen == {node: torch_size(shape_of(graph, node), 2) for node in graph}
    with FlopCounterMode(display=False) as counter:
        meta(**network_arguments(graph))
    price = total_price(graph)
    assert price.parameters == sum(parameter.numel() for parameter in meta.parameters())
    assert 2 * price.macs == counter.get_total_flops()
    compiled = assemble(graph)
    initialise(compiled, seed=1)
    inputs = network_arguments(graph, 2, "cpu")
    result = compiled(**inputs)
    result.square().mean().backward()
    unused = {key for key, p in compiled.named_parameters() if p.grad is None}
    expected = {key for key, _ in compiled.named_parameters() if "temb_proj" in key}
    assert unused == (expected if name.startswith("nothing") else set())
    assert all(p.grad.any() for p in compiled.parameters() if p.grad is not None)
    for copied in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(copied(**inputs), result)
    again = build(loads(to_yaml(graph)))
    assert to_document(again) == to_document(graph)
    assert fingerprint(again) == fingerprint(graph) == fingerprint(from_document(to_document(graph)))


def test_what_is_the_same_starts_the_same():
    plain, other = assemble(network()), assemble(network(conditioning="add", norm_type="rms", skip_scale=0.5))
    for compiled in (plain, other):
        initialise(compiled, seed=3)
    theirs = dict(other.named_parameters())
    for key, value in plain.named_parameters():
        if "norm" not in key:
            assert torch.equal(value, theirs[key])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"norm_type": "rms"}, "down.0.block.0: {}a norm of type rms."),
        ({"norm_order": "post", "act": "relu"}, "down.0.block.0: {}a block with norm_order, act."),
        ({"skip_scale": 0.5}, "up.1.skip.0: {}a skip with a factor."),
        ({"time": {"type": "learned"}}, "time: {}time features of type learned instead of sinusoidal."),
        ({"time": {"scale": 2.0}}, "time: {}timesteps times 2."),
    ],
)
def test_what_unet2dmodel_cannot_say_of_it_is_refused(changes, reason):
    with pytest.raises(UserError) as caught:
        config(network(**changes))
    said = [line.split(" (and")[0] + line.partition(" more)")[2] for line in str(caught.value).splitlines()]
    assert f"error U090 {reason.format('UNet2DModel cannot say this: ')}" in said
