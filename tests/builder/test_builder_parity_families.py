"""Whole families against diffusers: the same weights by our converter, the same output, in both directions."""

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced

pytest.importorskip("diffusers")

import diffusers

from archspec import UserError, build, load
from builder import assemble, initialise
from builder.layers import sinusoidal
from builder.weights.diffusers import config, from_diffusers, model_class, to_diffusers
from builder.weights.piece import own_shapes

FAST = ["ddpm-cifar10", "adm-64", "ldm-celebahq", "sd15", "sd21-base", "sdxl-base", "bk-sdm-base"]
SLOW = ["ddpm-celebahq-256", "iddpm-cifar10", "ldm-imagenet", "sdxl-refiner", "bk-sdm-small"]


def both(name):
    """Our reduced network and diffusers' from the configuration we give, with weights of ours."""
    graph = reduced(name)
    ours = assemble(graph).eval()
    initialise(ours, seed=0)
    torch.manual_seed(0)
    for parameter in ours.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    theirs = getattr(diffusers, model_class(graph))(**config(graph)).eval()
    return graph, ours, theirs


def outputs(graph, ours, theirs):
    """What both make of the same inputs; a vector is made as SDXL makes it, of a pooled text and of sizes."""
    torch.manual_seed(1)
    given = network_arguments(graph, batch=2, device="cpu")
    given["t"] = torch.tensor([3, 700])
    more = {}
    if "label" in given:
        more["class_labels"] = given["label"]
    if "vector" in given:
        width, sizes = theirs.config.addition_time_embed_dim, torch.tensor([[64.0, 32.0], [16.0, 8.0]])
        features = sinusoidal(sizes.flatten(), width, cos_first=True, freq_shift=0.0).reshape(2, -1)
        text = torch.randn(2, given["vector"].shape[1] - features.shape[1])
        given["vector"] = torch.cat([text, features], dim=1)
        more["added_cond_kwargs"] = {"text_embeds": text, "time_ids": sizes}
    if "tokens" in given:
        more["encoder_hidden_states"] = given["tokens"]
    with torch.no_grad():
        return ours(**given), theirs(given["x"], given["t"], return_dict=False, **more)[0]


@pytest.mark.parametrize("name", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_weights_and_outputs_in_both_directions(name):
    graph, ours, theirs = both(name)
    theirs.load_state_dict(to_diffusers(graph, ours.state_dict()), strict=True)
    here, there = outputs(graph, ours, theirs)
    assert here.std().item() > 0.05
    assert (here - there).abs().max().item() < 1e-5 * max(1.0, here.abs().max().item())
    torch.manual_seed(2)
    for parameter in theirs.parameters():
        parameter.data.copy_(torch.randn_like(parameter) * parameter.std().nan_to_num(0.1).clamp(0.01, 0.2))
    ours.load_state_dict(from_diffusers(graph, theirs.state_dict()), strict=True)
    here, there = outputs(graph, ours, theirs)
    assert (here - there).abs().max().item() < 1e-5 * max(1.0, here.abs().max().item())
    again = to_diffusers(graph, ours.state_dict())
    assert all(torch.equal(again[key], value) for key, value in theirs.state_dict().items())


#: The configurations published with the weights, as far as they differ from diffusers' defaults.
PUBLISHED = {
    "sd15": {"sample_size": 64, "cross_attention_dim": 768, "attention_head_dim": 8},
    "sd21-base": {
        "sample_size": 64,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
    },
    "sdxl-base": {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "transformer_layers_per_block": (1, 2, 10),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "sdxl-refiner": {
        "sample_size": 128,
        "block_out_channels": (384, 768, 1536, 1536),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": 1280,
        "attention_head_dim": (6, 12, 24, 24),
        "transformer_layers_per_block": 4,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2560,
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_names_and_shapes_at_full_size(name):
    graph = build(load(f"zoo/{name}"))
    with torch.device("meta"):
        published = diffusers.UNet2DConditionModel(**PUBLISHED[name])
        said = diffusers.UNet2DConditionModel(**config(graph))
        zeros = {key: torch.empty(shape) for key, shape in own_shapes(graph).items()}
    expected = {key: value.shape for key, value in published.state_dict().items()}
    assert {key: value.shape for key, value in said.state_dict().items()} == expected
    assert {key: value.shape for key, value in to_diffusers(graph, zeros).items()} == expected
    assert {key: value.shape for key, value in from_diffusers(graph, published.state_dict()).items()} == {
        key: value.shape for key, value in zeros.items()
    }
    for key, value in PUBLISHED[name].items():
        ours = said.config[key]
        if key != "transformer_layers_per_block":  # which has numbers for levels without any
            assert (tuple(ours) if isinstance(ours, list) else ours) == value, key


def test_a_number_of_heads_cannot_be_said_by_the_plain_model():
    with pytest.raises(UserError) as caught:
        config(build(load("zoo/adm-128")))
    assert str(caught.value) == (
        "error U090 UNet2DModel cannot say this: attention_head_dim is one value for the whole network, and here there "
        "are 128, 192, 256."
    )


SAYS = "error U090"
CANNOT = "UNet2DConditionModel cannot say this: "


def test_what_the_conditional_model_cannot_say_is_listed():
    graph = reduced("sd15", skip="add", norm_eps=1e-3, dropout=0.1, transformer={"ff_act": "gelu"})
    with pytest.raises(UserError) as caught:
        config(graph)
    lines = str(caught.value).splitlines()
    assert f"{SAYS} up.3.skip.0 (and 11 more): {CANNOT}it would be concat, not add." in lines
    assert f"{SAYS} down.0.attn.0 (and 15 more): {CANNOT}ff_act would be geglu, not gelu." in lines
    reason = "dropout inside of transformers, which goes with that of the residual blocks here."
    assert f"{SAYS} {CANNOT}{reason}" in lines
    assert len(lines) == 3
