"""Whole networks of the latent-diffusion kind against diffusers' UNet2DConditionModel, with the same weights."""

import re

import pytest
import torch
from network_arguments import network_arguments

pytest.importorskip("diffusers")

from diffusers import UNet2DConditionModel

from archspec import check_data
from archspec.text.positions import Positions
from builder import assemble, initialise

SMALL = {
    "ch": 32,
    "out_ch": 4,
    "ch_mult": [1, 2],
    "num_res_blocks": 2,
    "attn_resolutions": [8],
    "in_channels": 4,
    "resolution": 16,
    "attn_type": "transformer",
    "norm_eps": 1e-5,
    "downsample_padding": "symmetric",
    "time": {"order": "cos_sin", "freq_shift": 0.0},
    "tokens": {"dim": 12, "length": 5},
}
THEIRS = {
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
    "block_out_channels": (32, 64),
    "layers_per_block": 2,
    "cross_attention_dim": 12,
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
}
#: name -> what ours and theirs add
CASES = {
    "as SD 1": ({"attn": {"heads": 4}}, {"attention_head_dim": 4}),
    "as SDXL": (
        {"attn": {"head_dim": 16}, "vector": {"dim": 9}, "transformer": {"depth": [1, 3], "projection": "linear"}},
        {
            "attention_head_dim": (2, 4),
            "use_linear_projection": True,
            "transformer_layers_per_block": (1, 3),
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": 9,
        },
    ),
    "as BK-SDM Small": (
        {"attn": {"heads": 4}, "num_res_blocks": 1, "mid_block": False},
        {"attention_head_dim": 4, "layers_per_block": 1, "mid_block_type": None},
    ),
    "with scale and shift": (
        {"attn": {"heads": 4}, "conditioning": "scale_shift"},
        {"attention_head_dim": 4, "resnet_time_scale_shift": "scale_shift"},
    ),
}
#: our weight -> theirs, in order
NAMES = [
    (r"^temb\.dense\.0", "time_embedding.linear_1"),
    (r"^temb\.dense\.1", "time_embedding.linear_2"),
    (r"^vector_emb\.dense\.0", "class_embedding.linear_1"),
    (r"^vector_emb\.dense\.1", "class_embedding.linear_2"),
    (r"^norm_out", "conv_norm_out"),
    (r"^down\.(\d)\.block", r"down_blocks.\1.resnets"),
    (r"^down\.(\d)\.attn", r"down_blocks.\1.attentions"),
    (r"^down\.(\d)\.downsample", r"down_blocks.\1.downsamplers.0"),
    (r"^up\.(\d)\.", lambda match: f"up_blocks.{1 - int(match[1])}."),
    (r"^(up_blocks\.\d)\.block", r"\1.resnets"),
    (r"^(up_blocks\.\d)\.attn", r"\1.attentions"),
    (r"^(up_blocks\.\d)\.upsample", r"\1.upsamplers.0"),
    (r"^mid\.block_1", "mid_block.resnets.0"),
    (r"^mid\.block_2", "mid_block.resnets.1"),
    (r"^mid\.attn_1", "mid_block.attentions.0"),
    (r"temb_proj", "time_emb_proj"),
    (r"nin_shortcut", "conv_shortcut"),
]


def their_name(key):
    for pattern, name in NAMES:
        key = re.sub(pattern, name, key)
    return key


@pytest.mark.parametrize("case", CASES)
def test_the_same_function(case):
    changes, options = CASES[case]
    document = {"version": 1, "name": "small", "unet": {**SMALL, **changes}}
    graph = check_data(document, Positions("small")).sound()
    ours = assemble(graph).eval()
    initialise(ours, seed=0)
    theirs = UNet2DConditionModel(**{**THEIRS, **options}).eval()
    theirs.load_state_dict({their_name(key): value for key, value in ours.state_dict().items()}, strict=True)
    torch.manual_seed(0)
    made = network_arguments(graph, batch=2, device="cpu")
    with torch.no_grad():
        labels = {"class_labels": made["vector"]} if "vector" in made else {}
        expected = theirs(made["x"], made["t"], made["tokens"], return_dict=False, **labels)[0]
        torch.testing.assert_close(ours(**made), expected, rtol=1e-4, atol=1e-5)
