"""The short form `unet` beside graphs that are written by hand, one for each family of its parameters."""

from __future__ import annotations

from written_out import assert_same

HEAD = "version: 1\nname: n\n"

PLAIN = """\
unet: {ch: 32, out_ch: 2, ch_mult: [1, 2], num_res_blocks: 1, attn_resolutions: [8], in_channels: 3, resolution: 16}
"""
PLAIN_LONG = """\
graph:
  nodes:
    x: {op: input, channels: 3, resolution: 16}
    t: {op: input, kind: timestep}
    time: {op: time_embedding, dim: 32}
    temb: {op: mlp, hidden: 128, out: 128}
    conv_in: {op: conv, out: 32}
    down.0.block.0: {op: resnet_block, out: 32}
    down.0.downsample: {op: downsample}
    down.1.block.0: {op: resnet_block, out: 64}
    down.1.attn.0: {op: attention}
    mid.block_1: {op: resnet_block, out: 64}
    mid.attn_1: {op: attention}
    mid.block_2: {op: resnet_block, out: 64}
    up.1.skip.0: {op: concat}
    up.1.block.0: {op: resnet_block, out: 64}
    up.1.attn.0: {op: attention}
    up.1.skip.1: {op: concat}
    up.1.block.1: {op: resnet_block, out: 64}
    up.1.attn.1: {op: attention}
    up.1.upsample: {op: upsample}
    up.0.skip.0: {op: concat}
    up.0.block.0: {op: resnet_block, out: 32}
    up.0.skip.1: {op: concat}
    up.0.block.1: {op: resnet_block, out: 32}
    norm_out: {op: norm}
    act_out: {op: act}
    conv_out: {op: conv, out: 2}
    out: {op: output}
  edges:
    - [t, time]
    - [time, temb]
    - [x, conv_in]
    - [conv_in, down.0.block.0]
    - [temb, down.0.block.0, emb]
    - [down.0.block.0, down.0.downsample]
    - [down.0.downsample, down.1.block.0]
    - [temb, down.1.block.0, emb]
    - [down.1.block.0, down.1.attn.0]
    - [down.1.attn.0, mid.block_1]
    - [temb, mid.block_1, emb]
    - [mid.block_1, mid.attn_1]
    - [mid.attn_1, mid.block_2]
    - [temb, mid.block_2, emb]
    - [mid.block_2, up.1.skip.0]
    - [down.1.attn.0, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [temb, up.1.block.0, emb]
    - [up.1.block.0, up.1.attn.0]
    - [up.1.attn.0, up.1.skip.1]
    - [down.0.downsample, up.1.skip.1, skip]
    - [up.1.skip.1, up.1.block.1]
    - [temb, up.1.block.1, emb]
    - [up.1.block.1, up.1.attn.1]
    - [up.1.attn.1, up.1.upsample]
    - [up.1.upsample, up.0.skip.0]
    - [down.0.block.0, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [temb, up.0.block.0, emb]
    - [up.0.block.0, up.0.skip.1]
    - [conv_in, up.0.skip.1, skip]
    - [up.0.skip.1, up.0.block.1]
    - [temb, up.0.block.1, emb]
    - [up.0.block.1, norm_out]
    - [norm_out, act_out]
    - [act_out, conv_out]
    - [conv_out, out]
"""


def test_the_reference_with_its_defaults() -> None:
    assert_same(HEAD + PLAIN, HEAD + PLAIN_LONG)


ADM = """\
unet:
  ch: 16
  out_ch: 6
  ch_mult: [2, 4]
  num_res_blocks: [1, 2]
  attn_resolutions: [4]
  in_channels: 3
  resolution: 8
  dropout: 0.1
  num_groups: auto
  norm_eps: 1.0e-5
  act: gelu
  zero_init: true
  conditioning: scale_shift
  condition_both: true
  residual_scale: 0.5
  resblock_updown: true
  resample_filter: [1.0, 3.0, 3.0, 1.0]
  stem: first_level
  mid_attn: false
  attn: {head_dim: 8, qkv_bias: false, zero_init: true}
  time: {order: cos_sin, freq_shift: 0.0}
  label: {classes: 10}
  skip_scale: 0.5
  learn_skip_scale: true
"""
_BLOCK = (
    "op: resnet_block, conditioning: scale_shift, condition_both: true, dropout: 0.1, groups: auto, eps: 1.0e-5, "
    "act: gelu, zero_init: true, residual_scale: 0.5"
)
_FILTER = "resample_filter: [1.0, 3.0, 3.0, 1.0]"
_ATTENTION = "{op: attention, head_dim: 8, qkv_bias: false, zero_init: true, groups: auto, eps: 1.0e-5}"
_SKIP = "{op: concat, skip_scale: 0.5, learn_skip_scale: true}"
ADM_LONG = f"""\
graph:
  nodes:
    x: {{op: input, channels: 3, resolution: 8}}
    t: {{op: input, kind: timestep}}
    time: {{op: time_embedding, dim: 16, order: cos_sin, freq_shift: 0.0}}
    temb: {{op: mlp, hidden: 64, out: 64}}
    label: {{op: input, kind: label}}
    label_emb: {{op: label_embedding, classes: 10, out: 64}}
    with_label: {{op: add_embeddings}}
    conv_in: {{op: conv, out: 32}}
    down.0.block.0: {{{_BLOCK}, out: 32}}
    down.0.downsample: {{{_BLOCK}, out: 32, resample: down, {_FILTER}}}
    down.1.block.0: {{{_BLOCK}, out: 64}}
    down.1.attn.0: {_ATTENTION}
    down.1.block.1: {{{_BLOCK}, out: 64}}
    down.1.attn.1: {_ATTENTION}
    mid.block_1: {{{_BLOCK}, out: 64}}
    mid.block_2: {{{_BLOCK}, out: 64}}
    up.1.skip.0: {_SKIP}
    up.1.block.0: {{{_BLOCK}, out: 64}}
    up.1.attn.0: {_ATTENTION}
    up.1.skip.1: {_SKIP}
    up.1.block.1: {{{_BLOCK}, out: 64}}
    up.1.attn.1: {_ATTENTION}
    up.1.skip.2: {_SKIP}
    up.1.block.2: {{{_BLOCK}, out: 64}}
    up.1.attn.2: {_ATTENTION}
    up.1.upsample: {{{_BLOCK}, out: 64, resample: up, {_FILTER}}}
    up.0.skip.0: {_SKIP}
    up.0.block.0: {{{_BLOCK}, out: 32}}
    up.0.skip.1: {_SKIP}
    up.0.block.1: {{{_BLOCK}, out: 32}}
    norm_out: {{op: norm, groups: auto, eps: 1.0e-5}}
    act_out: {{op: act, fn: gelu}}
    conv_out: {{op: conv, out: 6, zero_init: true}}
    out: {{op: output}}
  edges:
    - [t, time]
    - [time, temb]
    - [label, label_emb]
    - [temb, with_label]
    - [label_emb, with_label, other]
    - [x, conv_in]
    - [conv_in, down.0.block.0]
    - [down.0.block.0, down.0.downsample]
    - [down.0.downsample, down.1.block.0]
    - [down.1.block.0, down.1.attn.0]
    - [down.1.attn.0, down.1.block.1]
    - [down.1.block.1, down.1.attn.1]
    - [down.1.attn.1, mid.block_1]
    - [mid.block_1, mid.block_2]
    - [mid.block_2, up.1.skip.0]
    - [down.1.attn.1, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [up.1.block.0, up.1.attn.0]
    - [up.1.attn.0, up.1.skip.1]
    - [down.1.attn.0, up.1.skip.1, skip]
    - [up.1.skip.1, up.1.block.1]
    - [up.1.block.1, up.1.attn.1]
    - [up.1.attn.1, up.1.skip.2]
    - [down.0.downsample, up.1.skip.2, skip]
    - [up.1.skip.2, up.1.block.2]
    - [up.1.block.2, up.1.attn.2]
    - [up.1.attn.2, up.1.upsample]
    - [up.1.upsample, up.0.skip.0]
    - [down.0.block.0, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [up.0.block.0, up.0.skip.1]
    - [conv_in, up.0.skip.1, skip]
    - [up.0.skip.1, up.0.block.1]
    - [up.0.block.1, norm_out]
    - [norm_out, act_out]
    - [act_out, conv_out]
    - [conv_out, out]
    - [with_label, down.0.block.0, emb]
    - [with_label, down.0.downsample, emb]
    - [with_label, down.1.block.0, emb]
    - [with_label, down.1.block.1, emb]
    - [with_label, mid.block_1, emb]
    - [with_label, mid.block_2, emb]
    - [with_label, up.1.block.0, emb]
    - [with_label, up.1.block.1, emb]
    - [with_label, up.1.block.2, emb]
    - [with_label, up.1.upsample, emb]
    - [with_label, up.0.block.0, emb]
    - [with_label, up.0.block.1, emb]
"""


def test_blocks_that_resample_conditioned_twice_on_labels() -> None:
    assert_same(HEAD + ADM, HEAD + ADM_LONG)
