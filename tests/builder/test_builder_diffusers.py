"""The same weights in diffusers' UNet2DModel give the same output; what it cannot say is refused."""

import itertools

import pytest
import torch

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble
from builder.unet import Model
from builder.weights.diffusers import config, from_diffusers, key_map, to_diffusers

SMALL = {
    "ch": 32,
    "out_ch": 3,
    "num_res_blocks": 2,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
    "ch_mult": (1, 2),
}


@pytest.fixture(scope="module")
def unet2d():
    diffusers = pytest.importorskip("diffusers")
    return lambda architecture: diffusers.UNet2DModel(**config(architecture)).eval()


def architecture(*edits, **changes):
    document = {"version": 1, "name": "test", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return check_data(document, Positions("test")).sound()


def assert_parity(network, unet2d):
    graph = network.architecture
    other = unet2d(graph)
    other.load_state_dict(to_diffusers(graph, network.state_dict()), strict=True)
    x, t = torch.randn(2, 3, 16, 16), torch.tensor([3, 700])
    with torch.no_grad():
        ours, theirs = network(x, t), other(x, t).sample
    assert (ours - theirs).abs().max().item() < 1e-5
    assert ours.std().item() > 0.1
    back = from_diffusers(graph, other.state_dict())
    assert list(back) == list(network.state_dict())
    assert all(torch.equal(back[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("attn_type", "resamp_with_conv", "ch_mult"),
    list(itertools.product(["vanilla", "none"], [True, False], [(1,), (1, 2), (1, 1, 2), (1, 3, 2)])),
)
def test_parity_of_models(unet2d, attn_type, resamp_with_conv, ch_mult):
    torch.manual_seed(0)
    model = Model(**{**SMALL, "ch_mult": ch_mult, "attn_type": attn_type, "resamp_with_conv": resamp_with_conv})
    assert_parity(model.eval(), unet2d)


VARIANTS = {
    "attention at every level": architecture(attn_resolutions=[16, 8, 4], ch_mult=(1, 2, 2), num_res_blocks=1),
    "attention at the first level": architecture(attn_resolutions=[16], mid_attn=False),
    "heads": architecture(attn={"head_dim": 16}),
    "groups": architecture(num_groups=8, norm_eps=1e-3),
    "odd width": architecture(ch=33, num_groups=3),
    "symmetric padding": architecture({"set": {"nodes": "downsample", "to": {"padding": "symmetric"}}}),
    "cosines first": architecture({"set": {"nodes": "time", "to": {"order": "cos_sin", "freq_shift": 0.0}}}),
    "wide embedding": architecture({"set": {"nodes": "temb", "to": {"hidden": 48, "out": 48}}}),
    "mixed resampling": architecture(
        {"set": {"nodes": "down.1.downsample", "to": {"method": "avg_pool"}}},
        {"set": {"nodes": "up.1.upsample", "to": {"conv": False}}},
        {"set": {"nodes": "down.0.downsample", "to": {"padding": "symmetric"}}},
        ch_mult=(1, 1, 2),
    ),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_parity_of_variants(unet2d, name):
    torch.manual_seed(0)
    assert_parity(assemble(VARIANTS[name]).eval(), unet2d)


def test_config_says_what_diffusers_has_other_defaults_for():
    said = config(Model(**SMALL).architecture)
    assert {key: said[key] for key in ("downsample_padding", "flip_sin_to_cos", "freq_shift", "norm_eps")} == {
        "downsample_padding": 0, "flip_sin_to_cos": False, "freq_shift": 1, "norm_eps": 1e-6,
    }  # fmt: skip
    assert said["attention_head_dim"] is None
    assert said["down_block_types"] == ["DownBlock2D", "AttnDownBlock2D"]
    assert said["up_block_types"] == ["AttnUpBlock2D", "UpBlock2D"]
    assert said["block_out_channels"] == [32, 64]


def test_key_map_names_both_sides():
    names = key_map(Model(**{**SMALL, "ch_mult": (1, 2, 2)}).architecture)
    assert names["temb.dense.0.weight"] == "time_embedding.linear_1.weight"
    assert names["down.1.attn.1.proj_out.bias"] == "down_blocks.1.attentions.1.to_out.0.bias"
    assert names["up.2.block.0.nin_shortcut.weight"] == "up_blocks.0.resnets.0.conv_shortcut.weight"
    assert names["up.1.upsample.conv.bias"] == "up_blocks.1.upsamplers.0.conv.bias"
    assert names["mid.block_2.temb_proj.weight"] == "mid_block.resnets.1.time_emb_proj.weight"
    assert names["norm_out.weight"] == "conv_norm_out.weight"
    assert len(set(names.values())) == len(names)


SAYS = "UNet2DModel cannot say this: "
REFUSED = {
    "linear": (architecture(attn_type="linear"), [f"down.1.attn.0 (and 5 more): {SAYS}linear attention."]),
    "no time": (
        architecture(use_timestep=False),
        [f"{SAYS}there is no timestep embedding (use_timestep: false)."],
    ),
    "3x3 shortcut": (
        architecture({"set": {"nodes": "down.1.block.0", "to": {"conv_shortcut": True}}}),
        [f"down.1.block.0: {SAYS}a 3x3 shortcut."],
    ),
    "add": (architecture(skip="add"), [f"up.1.skip.0 (and 5 more): {SAYS}it would be a concat, not an add."]),
    "context": (
        architecture(in_channels=4, context_channels=1),
        [
            f"conv_in: {SAYS}its input x would be image, not with_context.",
            f"context: {SAYS}there would be no input here.",
            f"with_context: {SAYS}there would be no concat here.",
        ],
    ),
    "one attention less": (
        architecture({"remove": "up.1.attn.1"}),
        [
            f"up.1.attn.1: {SAYS}there is no attention here.",
            f"up.1.skip.2: {SAYS}its input x would be up.1.attn.1, not up.1.block.1.",
        ],
    ),
    "no norm": (
        architecture(attn={"norm": False}),
        [f"down.1.attn.0 (and 5 more): {SAYS}attention without norm or residual."],
    ),
    "heads of two widths": (
        architecture(attn={"heads": 2}, attn_resolutions=[16]),
        [f"{SAYS}attention_head_dim is one value for the whole network, and here there are 16, 32."],
    ),
    "a wider first level": (
        architecture(ch_mult=(2, 4)),
        [
            f"conv_in: {SAYS}it would give 64x16x16, not 32x16x16.",
            f"time: {SAYS}it would give embedding of 64, not embedding of 32.",
        ],
    ),
    "two epsilons": (
        architecture({"set": {"nodes": "norm_out", "to": {"eps": 1e-5}}}),
        [f"{SAYS}norm_eps is one value for the whole network, and here there are 1e-06, 1e-05."],
    ),
    "many small things": (
        architecture(
            {"set": {"nodes": "conv_out", "to": {"kernel": 1}}},
            {"set": {"nodes": "act_out", "to": {"fn": "relu"}}},
            {"set": {"nodes": "time", "to": {"max_period": 100.0}}},
            {"set": {"nodes": "temb", "to": {"hidden": 64}}},
        ),
        [
            f"time: {SAYS}a longest period of 100 steps instead of 10000.",
            f"temb: {SAYS}a timestep embedding whose layers have different widths, 64 and 128.",
            f"act_out: {SAYS}the activation relu.",
            f"conv_out: {SAYS}a convolution that is not 3x3 with bias and without groups.",
        ],
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_said_is_refused_with_every_reason(name):
    graph, reasons = REFUSED[name]
    for use in (config, key_map):
        with pytest.raises(UserError) as caught:
            use(graph)
        assert sorted(str(caught.value).splitlines()) == sorted(f"error U090 {reason}" for reason in reasons)


def test_another_kind_of_network_is_refused():
    nodes = {"x": {"op": "input", "channels": 4, "resolution": 4}, "act": {"op": "act"}, "y": {"op": "output"}}
    document = {"version": 1, "name": "other", "graph": {"nodes": nodes, "edges": [["x", "act"], ["act", "y"]]}}
    with pytest.raises(UserError) as caught:
        config(check_data(document, Positions("other")).sound())
    assert str(caught.value) == (
        f"error U090 {SAYS}it is not shaped like the reference U-Net; there is no conv_in, down.0.block.0, conv_out."
    )


def test_weights_that_do_not_fit_are_refused_with_all_that_is_wrong():
    model = Model(**SMALL)
    state = model.state_dict()
    del state["conv_out.bias"], state["mid.attn_1.q.weight"]
    state["extra"] = torch.zeros(1)
    state["conv_in.bias"] = torch.zeros(3)
    with pytest.raises(UserError) as caught:
        to_diffusers(model.architecture, state)
    assert str(caught.value).splitlines() == [
        "error U090 conv_out.bias (and 1 more): this weight is missing.",
        "error U090 extra: this weight has no place in the architecture.",
        "error U090 conv_in.bias: this weight has the shape [3], not [32].",
    ]
    with pytest.raises(UserError, match=r"conv_in\.bias \(and \d+ more\): this weight is missing"):
        from_diffusers(model.architecture, {})


def test_trained_resampling_is_not_dropped_silently():
    with_conv, without = Model(**SMALL), Model(**{**SMALL, "resamp_with_conv": False})
    theirs = to_diffusers(with_conv.architecture, with_conv.state_dict())
    with pytest.raises(UserError) as caught:
        from_diffusers(without.architecture, theirs)
    assert str(caught.value) == (
        "error U090 down_blocks.0.downsamplers.0.conv.weight (and 3 more): "
        "these weights have a convolution where the architecture resamples without one."
    )
