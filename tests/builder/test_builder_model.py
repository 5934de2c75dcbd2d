"""The reference U-Net: its published numbers, its weights' names, and the usage that its document shows."""

import copy
import pickle

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from archspec import UserError, build, check_data, fingerprint, loads, total_price
from archspec.text.positions import Positions
from builder.attention import LinearAttention, make_attention
from builder.unet import (
    AttentionBlock,
    Downsample,
    LinearAttentionBlock,
    Model,
    Normalize,
    ResnetBlock,
    Upsample,
    get_timestep_embedding,
)

SEED = {
    "ch": 128,
    "out_ch": 3,
    "num_res_blocks": 2,
    "attn_resolutions": [16],
    "in_channels": 3,
    "resolution": 256,
    "ch_mult": (1, 1, 2, 2, 4),
}

# (changes to SEED, parameters, FLOPs at batch 1): measured on the published implementation
PUBLISHED = {
    "vanilla": ({}, 75_376_643, 495_540_109_312),
    "linear": ({"attn_type": "linear"}, 75_361_283, 496_345_415_680),
    "use_linear_attn": ({"use_linear_attn": True}, 75_361_283, 496_345_415_680),
    "none": ({"attn_type": "none"}, 69_066_755, 491_513_577_472),
    "pool": ({"resamp_with_conv": False}, 70_213_763, 439_671_980_032),
    "notime": ({"use_timestep": False}, 75_047_939, 495_531_851_776),
    "ddpm-cifar10": ({"resolution": 32, "ch_mult": (1, 2, 2, 2), "dropout": 0.1}, 35_746_307, 12_443_713_536),
    "ddpm-celebahq-256": ({"ch_mult": (1, 1, 2, 2, 4, 4)}, 113_673_219, 497_027_514_368),
}

SMALL = {
    "ch": 32,
    "out_ch": 3,
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
    "ch_mult": (1, 2),
}


def on_meta(**parameters):
    with torch.device("meta"):
        return Model(**parameters)


def counted(model, **inputs):
    """(parameters, FLOPs) as torch counts them; on the meta device."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**inputs)
    return sum(parameter.numel() for parameter in model.parameters()), counter.get_total_flops()


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_and_flops_are_the_published_ones(name):
    changes, parameters, flops = PUBLISHED[name]
    model = on_meta(**{**SEED, **changes})
    size = model.architecture.nodes["x"]["shape"].size
    x, t = torch.empty(1, 3, size, size, device="meta"), torch.empty(1, device="meta")
    assert counted(model, x=x, t=t) == (parameters, flops)
    price = total_price(model.architecture)
    assert (price.parameters, 2 * price.macs) == (parameters, flops)


def test_an_unreached_attention_resolution_is_no_error_and_has_no_effect():
    model = on_meta(**{**SEED, "attn_resolutions": (32, 16, 8)})
    x, t = torch.empty(1, 3, 256, 256, device="meta"), torch.empty(1, device="meta")
    parameters, flops = counted(model, x=x, t=t)
    assert (parameters, round(flops / 2e9, 2)) == (76_695_043, 251.80)
    without = on_meta(**{**SEED, "attn_resolutions": (32, 16)})
    assert fingerprint(model.architecture) == fingerprint(without.architecture)
    assert [problem.code for problem in model.architecture.graph["warnings"]] == ["U501"]


def test_first_usage_example():
    model = Model(
        ch=128,
        out_ch=3,
        num_res_blocks=2,
        attn_resolutions=[16],
        in_channels=3,
        resolution=256,
        ch_mult=(1, 1, 2, 2, 4),
    )
    assert sum(parameter.numel() for parameter in model.parameters()) == 75_376_643


def test_second_usage_example(capsys):
    x = torch.randn(1, 3, 256, 256)
    t = torch.tensor([1000])
    model = Model(
        ch=128,
        out_ch=3,
        num_res_blocks=2,
        attn_resolutions=[16],
        in_channels=3,
        resolution=256,
        ch_mult=(1, 1, 2, 2, 4),
    )
    with torch.no_grad():
        output = model(x, t)
    print(output.shape)  # noqa: T201 - as the document has it
    assert capsys.readouterr().out == "torch.Size([1, 3, 256, 256])\n"
    assert output.isfinite().all()


def test_levels_can_be_indexed_and_stand_in_order():
    model = Model(**SMALL)
    assert isinstance(model.down[0].block[0], ResnetBlock)
    assert isinstance(model.up[1].attn[1], AttentionBlock)
    assert [name for name, _ in model.up.named_children()] == ["0", "1"]
    assert len(model.down) == 2
    assert [type(part).__name__ for part in model.up[1].block] == ["ResnetBlock", "ResnetBlock"]


def test_context_is_concatenated_to_x_before_conv_in():
    torch.manual_seed(0)
    model = Model(**{**SMALL, "in_channels": 5}).eval()
    x, context, t = torch.randn(2, 3, 16, 16), torch.randn(2, 2, 16, 16), torch.tensor([1, 500])
    joined = model(torch.cat([x, context], dim=1), t)
    assert torch.equal(model(x, t, context), joined)
    assert torch.equal(model(x, t=t, context=context), joined)


def test_without_timestep_the_projections_are_kept_and_unused():
    torch.manual_seed(0)
    model = Model(**{**SMALL, "use_timestep": False})
    assert model.down[0].block[0].temb_proj.weight.shape == (32, 128)
    x = torch.randn(1, 3, 16, 16)
    assert torch.equal(model(x), model(x, torch.tensor([7])))
    model(x).square().mean().backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in model.named_parameters() if "temb_proj" in name}


def test_a_missing_timestep_is_said():
    with pytest.raises(UserError) as caught:
        Model(**SMALL)(torch.zeros(1, 3, 16, 16))
    assert str(caught.value) == (
        "error U090 this network needs timesteps. Call it as model(x, t), t with one number per image."
    )


def problems_of(**changes):
    with pytest.raises(UserError) as caught:
        Model(**{**SMALL, **changes})
    return [(problem.code, problem.file, problem.node) for problem in caught.value.problems]


def test_wrong_parameters_are_all_said_at_once():
    assert problems_of(attn_type="vanila", dropout=2.0) == [("U012", "Model", None), ("U012", "Model", None)]
    found = problems_of(resolution=24, ch=30, ch_mult=(1, 2, 4, 4, 4))
    assert {("U204", "Model", "down.0.block.0"), ("U206", "Model", "down.3.downsample")} <= set(found)
    with pytest.raises(UserError, match=r"`unet\.attn_type` cannot be 'vanila'\. Did you mean `vanilla`\?"):
        Model(**{**SMALL, "attn_type": "vanila"})


def test_last_layer_is_the_weight_of_conv_out():
    model = Model(**SMALL)
    assert model.get_last_layer() is model.conv_out.weight
    assert model.get_last_layer().shape == (3, 32, 3, 3)


def test_copies_and_pickles_stay_models():
    torch.manual_seed(0)
    model = Model(**{**SMALL, "in_channels": 4}).eval()
    x, context, t = torch.randn(1, 3, 16, 16), torch.randn(1, 1, 16, 16), torch.tensor([3])
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert isinstance(other, Model)
        assert not other.training
        assert torch.equal(other(x, t, context), model(x, t, context))
        assert other.get_last_layer() is not model.get_last_layer()
        assert fingerprint(other.architecture) == fingerprint(model.architecture)


def test_the_short_form_in_a_file_is_the_same_architecture():
    text = """
version: 1
name: small
unet: {ch: 32, out_ch: 3, num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16, ch_mult: [1, 2]}
"""
    assert fingerprint(build(loads(text))) == fingerprint(Model(**SMALL).architecture)


def test_blocks_by_their_published_signatures():
    torch.manual_seed(0)
    x, temb = torch.randn(2, 32, 8, 8), torch.randn(2, 512)
    assert ResnetBlock(in_channels=32, dropout=0.0)(x, temb).shape == (2, 32, 8, 8)
    wide = ResnetBlock(in_channels=32, out_channels=64, conv_shortcut=True, dropout=0.1, temb_channels=0)
    assert wide(x, None).shape == (2, 64, 8, 8)
    assert wide.conv_shortcut.weight.shape == (64, 32, 3, 3)
    assert AttentionBlock(32)(x).shape == x.shape
    assert LinearAttentionBlock(32)(x).shape == x.shape
    assert LinearAttention(32)(x).shape == x.shape
    assert LinearAttention(32).to_qkv.weight.shape == (384, 32, 1, 1)
    assert Upsample(32, True)(x).shape == (2, 32, 16, 16)
    assert Upsample(32, False)(x).shape == (2, 32, 16, 16)
    assert Downsample(32, True)(x).shape == (2, 32, 4, 4)
    assert Downsample(32, False)(x).shape == (2, 32, 4, 4)
    assert (Normalize(64).num_groups, Normalize(64, num_groups=4).num_groups, Normalize(64).eps) == (32, 4, 1e-6)
    assert get_timestep_embedding(torch.tensor([1, 2]), 10).shape == (2, 10)


def test_attention_by_name():
    assert isinstance(make_attention(32), AttentionBlock)
    assert isinstance(make_attention(32, "linear"), LinearAttentionBlock)
    x = torch.randn(1, 32, 4, 4)
    nothing = make_attention(32, attn_type="none")
    assert nothing(x) is x
    assert list(nothing.parameters()) == []
    with pytest.raises(UserError, match=r"^error U090 'liner' is not an attention type\. Did you mean `linear`\?$"):
        make_attention(32, "liner")
    with pytest.raises(UserError, match=r"'x' is not an attention type\. Choices: vanilla, linear, none\.$"):
        make_attention(32, "x")


def test_the_builder_takes_what_checking_made():
    checked = check_data({"version": 1, "name": "m", "unet": {**SMALL}}, Positions("m"))
    assert fingerprint(checked.sound()) == fingerprint(Model(**SMALL).architecture)
