"""The short forms `edm2` and `song` beside graphs that are written by hand."""

from __future__ import annotations

import math

import pytest
from written_out import assert_same

HEAD = "version: 1\nname: n\n"

EDM2 = """\
edm2:
  ch: 8
  out_ch: 2
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [4]
  in_channels: 3
  resolution: 8
  dropout: 0.1
  classes: 5
  head_dim: 4
  noise_dim: 6
  emb_dim: 12
  label_balance: 0.4
  concat_balance: 0.45
  res_balance: 0.2
  attn_balance: 0.25
  clip: 64.0
  resample_filter: [1.0, 3.0, 3.0, 1.0]
"""
_MP = "op: mp_block, dropout: 0.1, t: 0.2, filter: [1.0, 3.0, 3.0, 1.0]"
_CLIP, _COSINE, _CAT = (
    "{op: clip, limit: 64.0}",
    "{op: mp_attention, head_dim: 4, t: 0.25}",
    "{op: mp_concat, t: 0.45}",
)
EDM2_LONG = f"""\
graph:
  nodes:
    x: {{op: input, channels: 3, resolution: 8}}
    t: {{op: input, kind: timestep}}
    time: {{op: mp_fourier, dim: 6}}
    emb.noise: {{op: mp_linear, out: 12}}
    label: {{op: input, kind: label}}
    one_hot: {{op: one_hot, classes: 5}}
    emb.label: {{op: mp_linear, out: 12}}
    emb.sum: {{op: mp_sum, t: 0.4}}
    emb.act: {{op: mp_silu}}
    with_ones: {{op: ones_channel}}
    conv_in: {{op: mp_conv, out: 8}}
    down.0.block.0: {{{_MP}, flavor: encoder, out: 8}}
    down.0.clip.0: {_CLIP}
    down.0.downsample: {{{_MP}, flavor: encoder, out: 8, resample: down}}
    down.0.clip.1: {_CLIP}
    down.1.block.0: {{{_MP}, flavor: encoder, out: 16}}
    down.1.attn.0: {_COSINE}
    down.1.clip.0: {_CLIP}
    mid.block.0: {{{_MP}, flavor: decoder, out: 16}}
    mid.attn.0: {_COSINE}
    mid.clip.0: {_CLIP}
    mid.block.1: {{{_MP}, flavor: decoder, out: 16}}
    mid.clip.1: {_CLIP}
    up.1.skip.0: {_CAT}
    up.1.block.0: {{{_MP}, flavor: decoder, out: 16}}
    up.1.attn.0: {_COSINE}
    up.1.clip.0: {_CLIP}
    up.1.skip.1: {_CAT}
    up.1.block.1: {{{_MP}, flavor: decoder, out: 16}}
    up.1.attn.1: {_COSINE}
    up.1.clip.1: {_CLIP}
    up.1.upsample: {{{_MP}, flavor: decoder, out: 16, resample: up}}
    up.1.clip.2: {_CLIP}
    up.0.skip.0: {_CAT}
    up.0.block.0: {{{_MP}, flavor: decoder, out: 8}}
    up.0.clip.0: {_CLIP}
    up.0.skip.1: {_CAT}
    up.0.block.1: {{{_MP}, flavor: decoder, out: 8}}
    up.0.clip.1: {_CLIP}
    conv_out: {{op: mp_conv, out: 2, gain: true}}
    out: {{op: output}}
  edges:
    - [t, time]
    - [time, emb.noise]
    - [label, one_hot]
    - [one_hot, emb.label]
    - [emb.noise, emb.sum]
    - [emb.label, emb.sum, skip]
    - [emb.sum, emb.act]
    - [x, with_ones]
    - [with_ones, conv_in]
    - [conv_in, down.0.block.0]
    - [down.0.block.0, down.0.clip.0]
    - [down.0.clip.0, down.0.downsample]
    - [down.0.downsample, down.0.clip.1]
    - [down.0.clip.1, down.1.block.0]
    - [down.1.block.0, down.1.attn.0]
    - [down.1.attn.0, down.1.clip.0]
    - [down.1.clip.0, mid.block.0]
    - [mid.block.0, mid.attn.0]
    - [mid.attn.0, mid.clip.0]
    - [mid.clip.0, mid.block.1]
    - [mid.block.1, mid.clip.1]
    - [mid.clip.1, up.1.skip.0]
    - [down.1.clip.0, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [up.1.block.0, up.1.attn.0]
    - [up.1.attn.0, up.1.clip.0]
    - [up.1.clip.0, up.1.skip.1]
    - [down.0.clip.1, up.1.skip.1, skip]
    - [up.1.skip.1, up.1.block.1]
    - [up.1.block.1, up.1.attn.1]
    - [up.1.attn.1, up.1.clip.1]
    - [up.1.clip.1, up.1.upsample]
    - [up.1.upsample, up.1.clip.2]
    - [up.1.clip.2, up.0.skip.0]
    - [down.0.clip.0, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [up.0.block.0, up.0.clip.0]
    - [up.0.clip.0, up.0.skip.1]
    - [conv_in, up.0.skip.1, skip]
    - [up.0.skip.1, up.0.block.1]
    - [up.0.block.1, up.0.clip.1]
    - [up.0.clip.1, conv_out]
    - [conv_out, out]
    - [emb.act, down.0.block.0, emb]
    - [emb.act, down.0.downsample, emb]
    - [emb.act, down.1.block.0, emb]
    - [emb.act, mid.block.0, emb]
    - [emb.act, mid.block.1, emb]
    - [emb.act, up.1.block.0, emb]
    - [emb.act, up.1.block.1, emb]
    - [emb.act, up.1.upsample, emb]
    - [emb.act, up.0.block.0, emb]
    - [emb.act, up.0.block.1, emb]
"""


def test_edm2_with_all_its_parameters() -> None:
    assert_same(HEAD + EDM2, HEAD + EDM2_LONG)


SONG = """\
song:
  ch: 8
  out_ch: 2
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [4]
  in_channels: 3
  resolution: 8
  dropout: 0.1
  features: fourier
  classes: 5
  augment_dim: 9
  noise_mult: 3
  norm_eps: 1.0e-5
  zero_init: true
  resample_filter: [1.0, 2.0, 2.0, 1.0]
  progressive_input: INPUT
  progressive_output: OUTPUT
"""
_TAPS = "[1.0, 2.0, 2.0, 1.0]"
_HALF = f"residual_scale: {math.sqrt(0.5)!r}"
_BLOCK = f"op: resnet_block, dropout: 0.1, groups: auto, eps: 1.0e-5, zero_init: true, {_HALF}"
_RESAMPLED = f"{_BLOCK}, project_shortcut: true, resample_filter: {_TAPS}"
_ATTENTION = f"{{op: attention, groups: auto, eps: 1.0e-5, zero_init: true, fused_qkv: true, {_HALF}}}"
_NORM, _IMAGE = "{op: norm, groups: auto, eps: 1.0e-5}", "{op: conv, out: 2, zero_init: true}"
#: how smaller images enter: nodes before the second level, and their edges
_INPUTS = {
    "none": ("", "    - [down.0.downsample, down.1.block.0]\n    - [down.0.downsample, up.1.skip.1, skip]\n"),
    "residual": (
        f"    down.0.aux: {{op: blurred_conv, out: 8, filter: {_TAPS}}}\n    down.0.with_aux: {{op: mp_sum}}\n",
        "    - [x, down.0.aux]\n    - [down.0.downsample, down.0.with_aux]\n    - [down.0.aux, down.0.with_aux, skip]\n"
        "    - [down.0.with_aux, down.1.block.0]\n    - [down.0.with_aux, up.1.skip.1, skip]\n",
    ),
    "skip": (
        f"    down.0.image: {{op: fir_resample, resample: down, filter: {_TAPS}}}\n"
        "    down.0.aux: {op: conv, out: 8, kernel: 1}\n    down.0.with_aux: {op: add}\n",
        "    - [x, down.0.image]\n    - [down.0.image, down.0.aux]\n    - [down.0.downsample, down.0.with_aux]\n"
        "    - [down.0.aux, down.0.with_aux, skip]\n    - [down.0.with_aux, down.1.block.0]\n"
        "    - [down.0.with_aux, up.1.skip.1, skip]\n",
    ),
}
#: whether each level gives an image: nodes of the second level, nodes at the end, and their edges
_OUTPUTS = {
    "none": ("", "", "    - [conv_out, out]\n"),
    "skip": (
        f"    up.1.norm_out: {_NORM}\n    up.1.act_out: {{op: act}}\n    up.1.conv_out: {_IMAGE}\n",
        f"    up.0.enlarged: {{op: fir_resample, resample: up, filter: {_TAPS}}}\n    image_sum: {{op: add}}\n",
        "    - [up.1.attn.1, up.1.norm_out]\n    - [up.1.norm_out, up.1.act_out]\n    - [up.1.act_out, up.1.conv_out]\n"
        "    - [up.1.conv_out, up.0.enlarged]\n    - [conv_out, image_sum]\n    - [up.0.enlarged, image_sum, skip]\n"
        "    - [image_sum, out]\n",
    ),
}
SONG_LONG = f"""\
graph:
  nodes:
    x: {{op: input, channels: 3, resolution: 8}}
    t: {{op: input, kind: timestep}}
    time: {{op: fourier_features, dim: 24}}
    label: {{op: input, kind: label}}
    label_emb: {{op: label_embedding, classes: 5, out: 24, type: linear, bias: true, scaled: true}}
    with_label: {{op: add_embeddings}}
    augment: {{op: input, kind: vector, dim: 9}}
    augment_emb: {{op: linear, out: 24, bias: false}}
    with_augment: {{op: add_embeddings}}
    temb: {{op: mlp, hidden: 32, out: 32}}
    conv_in: {{op: conv, out: 8}}
    down.0.block.0: {{{_BLOCK}, out: 8}}
    down.0.downsample: {{{_RESAMPLED}, out: 8, resample: down}}
SMALLER_IMAGE    down.1.block.0: {{{_BLOCK}, out: 16}}
    down.1.attn.0: {_ATTENTION}
    mid.block_1: {{{_BLOCK}, out: 16}}
    mid.attn_1: {_ATTENTION}
    mid.block_2: {{{_BLOCK}, out: 16}}
    up.1.skip.0: {{op: concat}}
    up.1.block.0: {{{_BLOCK}, out: 16}}
    up.1.skip.1: {{op: concat}}
    up.1.block.1: {{{_BLOCK}, out: 16}}
    up.1.attn.1: {_ATTENTION}
ITS_IMAGE    up.1.upsample: {{{_RESAMPLED}, out: 16, resample: up}}
    up.0.skip.0: {{op: concat}}
    up.0.block.0: {{{_BLOCK}, out: 8}}
    up.0.skip.1: {{op: concat}}
    up.0.block.1: {{{_BLOCK}, out: 8}}
    norm_out: {_NORM}
    act_out: {{op: act}}
    conv_out: {_IMAGE}
SUM_OF_IMAGES    out: {{op: output}}
  edges:
    - [t, time]
    - [label, label_emb]
    - [time, with_label]
    - [label_emb, with_label, other]
    - [augment, augment_emb]
    - [with_label, with_augment]
    - [augment_emb, with_augment, other]
    - [with_augment, temb]
    - [x, conv_in]
    - [conv_in, down.0.block.0]
    - [down.0.block.0, down.0.downsample]
    - [down.1.block.0, down.1.attn.0]
    - [down.1.attn.0, mid.block_1]
    - [mid.block_1, mid.attn_1]
    - [mid.attn_1, mid.block_2]
    - [mid.block_2, up.1.skip.0]
    - [down.1.attn.0, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [up.1.block.0, up.1.skip.1]
    - [up.1.skip.1, up.1.block.1]
    - [up.1.block.1, up.1.attn.1]
    - [up.1.attn.1, up.1.upsample]
    - [up.1.upsample, up.0.skip.0]
    - [down.0.block.0, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [up.0.block.0, up.0.skip.1]
    - [conv_in, up.0.skip.1, skip]
    - [up.0.skip.1, up.0.block.1]
    - [up.0.block.1, norm_out]
    - [norm_out, act_out]
    - [act_out, conv_out]
    - [temb, down.0.block.0, emb]
    - [temb, down.0.downsample, emb]
    - [temb, down.1.block.0, emb]
    - [temb, mid.block_1, emb]
    - [temb, mid.block_2, emb]
    - [temb, up.1.block.0, emb]
    - [temb, up.1.block.1, emb]
    - [temb, up.1.upsample, emb]
    - [temb, up.0.block.0, emb]
    - [temb, up.0.block.1, emb]
"""


@pytest.mark.parametrize("output", _OUTPUTS)
@pytest.mark.parametrize("smaller", _INPUTS)
def test_song_with_and_without_images_along_the_way(smaller: str, output: str) -> None:
    short = SONG.replace("INPUT", smaller).replace("OUTPUT", output)
    (nodes_in, edges_in), (nodes_up, nodes_end, edges_out) = _INPUTS[smaller], _OUTPUTS[output]
    long = SONG_LONG.replace("SMALLER_IMAGE", nodes_in).replace("ITS_IMAGE", nodes_up)
    assert_same(HEAD + short, HEAD + long.replace("SUM_OF_IMAGES", nodes_end) + edges_in + edges_out)


#: what config G of EDM2 and DDPM++ without conditions are, spelled out
DEFAULTS = {
    "edm2": "ch_mult: [1, 2, 3, 4], num_res_blocks: 3, attn_resolutions: [16, 8], head_dim: 64, noise_dim: 64, "
    "emb_dim: 256, label_balance: 0.5, concat_balance: 0.5, res_balance: 0.3, attn_balance: 0.3, clip: 256.0, "
    "dropout: 0.0, resample_filter: [1, 1]",
    "song": "ch_mult: [1, 2, 2, 2], num_res_blocks: 4, attn_resolutions: [16], features: positional, noise_mult: 1, "
    "augment_dim: 0, dropout: 0.0, norm_eps: 1.0e-6, zero_init: false, progressive_input: none, "
    "progressive_output: none, resample_filter: [1, 1]",
}


@pytest.mark.parametrize("form", DEFAULTS)
def test_what_is_not_said_is_as_published(form: str) -> None:
    least = "ch: 64, out_ch: 3, in_channels: 3, resolution: 64, classes: 3"
    assert_same(f"{HEAD}{form}: {{{least}}}", f"{HEAD}{form}: {{{least}, {DEFAULTS[form]}}}")
