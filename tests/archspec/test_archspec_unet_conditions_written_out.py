"""The short form `unet` with every condition, with transformers, and without: beside graphs written by hand."""

from __future__ import annotations

from written_out import assert_same

HEAD = "version: 1\nname: n\n"

WORDS = """\
unet:
  ch: 8
  out_ch: 3
  ch_mult: [1, 2]
  num_res_blocks: 1
  attn_resolutions: [8, 4]
  in_channels: 5
  context_channels: 2
  resolution: 8
  num_groups: 4
  attn_type: transformer
  attn: {heads: 2, residual: false}
  attn_at: {8: {type: linear, norm: true}, 4: {heads: 4}}
  mid_attn: {depth: 3}
  tokens: {dim: 6, length: 5}
  transformer: {depth: [1, [1, 2]], ff_mult: 2, projection: linear}
  vector: {dim: 7}
  label: {classes: 9, type: linear, bias: true, before_mlp: true}
  time: {type: learned, steps: 50}
"""
_T = "op: transformer, groups: 4, residual: false, ff_mult: 2, projection: linear"
_LINEAR = "{op: attention, type: linear, heads: 2, residual: false, norm: true, groups: 4}"
WORDS_LONG = f"""\
graph:
  nodes:
    x: {{op: input, channels: 3, resolution: 8}}
    t: {{op: input, kind: timestep}}
    time: {{op: time_embedding, dim: 8, type: learned, steps: 50}}
    label: {{op: input, kind: label}}
    label_emb: {{op: label_embedding, classes: 9, out: 8, type: linear, bias: true}}
    with_label: {{op: add_embeddings}}
    temb: {{op: mlp, hidden: 32, out: 32}}
    vector: {{op: input, kind: vector, dim: 7}}
    vector_emb: {{op: mlp, hidden: 32, out: 32}}
    with_vector: {{op: add_embeddings}}
    tokens: {{op: input, kind: tokens, dim: 6, length: 5}}
    context: {{op: input, kind: context, channels: 2, resolution: 8}}
    with_context: {{op: concat}}
    conv_in: {{op: conv, out: 8}}
    down.0.block.0: {{op: resnet_block, out: 8, groups: 4}}
    down.0.attn.0: {_LINEAR}
    down.0.downsample: {{op: downsample}}
    down.1.block.0: {{op: resnet_block, out: 16, groups: 4}}
    down.1.attn.0: {{{_T}, heads: 4, depth: 1}}
    mid.block_1: {{op: resnet_block, out: 16, groups: 4}}
    mid.attn_1: {{{_T}, heads: 2, depth: 3}}
    mid.block_2: {{op: resnet_block, out: 16, groups: 4}}
    up.1.skip.0: {{op: concat}}
    up.1.block.0: {{op: resnet_block, out: 16, groups: 4}}
    up.1.attn.0: {{{_T}, heads: 4, depth: 1}}
    up.1.skip.1: {{op: concat}}
    up.1.block.1: {{op: resnet_block, out: 16, groups: 4}}
    up.1.attn.1: {{{_T}, heads: 4, depth: 2}}
    up.1.upsample: {{op: upsample}}
    up.0.skip.0: {{op: concat}}
    up.0.block.0: {{op: resnet_block, out: 8, groups: 4}}
    up.0.attn.0: {_LINEAR}
    up.0.skip.1: {{op: concat}}
    up.0.block.1: {{op: resnet_block, out: 8, groups: 4}}
    up.0.attn.1: {_LINEAR}
    norm_out: {{op: norm, groups: 4}}
    act_out: {{op: act}}
    conv_out: {{op: conv, out: 3}}
    out: {{op: output}}
  edges:
    - [t, time]
    - [label, label_emb]
    - [time, with_label]
    - [label_emb, with_label, other]
    - [with_label, temb]
    - [vector, vector_emb]
    - [temb, with_vector]
    - [vector_emb, with_vector, other]
    - [x, with_context]
    - [context, with_context, skip]
    - [with_context, conv_in]
    - [conv_in, down.0.block.0]
    - [down.0.block.0, down.0.attn.0]
    - [down.0.attn.0, down.0.downsample]
    - [down.0.downsample, down.1.block.0]
    - [down.1.block.0, down.1.attn.0]
    - [down.1.attn.0, mid.block_1]
    - [mid.block_1, mid.attn_1]
    - [mid.attn_1, mid.block_2]
    - [mid.block_2, up.1.skip.0]
    - [down.1.attn.0, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [up.1.block.0, up.1.attn.0]
    - [up.1.attn.0, up.1.skip.1]
    - [down.0.downsample, up.1.skip.1, skip]
    - [up.1.skip.1, up.1.block.1]
    - [up.1.block.1, up.1.attn.1]
    - [up.1.attn.1, up.1.upsample]
    - [up.1.upsample, up.0.skip.0]
    - [down.0.attn.0, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [up.0.block.0, up.0.attn.0]
    - [up.0.attn.0, up.0.skip.1]
    - [conv_in, up.0.skip.1, skip]
    - [up.0.skip.1, up.0.block.1]
    - [up.0.block.1, up.0.attn.1]
    - [up.0.attn.1, norm_out]
    - [norm_out, act_out]
    - [act_out, conv_out]
    - [conv_out, out]
    - [tokens, down.1.attn.0, tokens]
    - [tokens, mid.attn_1, tokens]
    - [tokens, up.1.attn.0, tokens]
    - [tokens, up.1.attn.1, tokens]
    - [with_vector, down.0.block.0, emb]
    - [with_vector, down.1.block.0, emb]
    - [with_vector, mid.block_1, emb]
    - [with_vector, mid.block_2, emb]
    - [with_vector, up.1.block.0, emb]
    - [with_vector, up.1.block.1, emb]
    - [with_vector, up.0.block.0, emb]
    - [with_vector, up.0.block.1, emb]
"""


def test_every_condition_at_once() -> None:
    assert_same(HEAD + WORDS, HEAD + WORDS_LONG)


BARE = """\
unet:
  ch: 8
  out_ch: 3
  ch_mult: [1, 0.5]
  num_res_blocks: 2
  attn_resolutions: []
  in_channels: 3
  resolution: 8
  use_timestep: false
  mid_block: false
  norm_type: layer
  norm_order: post
  resamp_with_conv: false
  skip: add
  skip_per: level
  skip_scale: 0.7
"""
_POST = "op: resnet_block, norm_type: layer, norm_order: post, emb_dim: 32"
_ADD = "{op: add, project: true, skip_scale: 0.7}"
BARE_LONG = f"""\
graph:
  nodes:
    x: {{op: input, channels: 3, resolution: 8}}
    conv_in: {{op: conv, out: 8}}
    down.0.block.0: {{{_POST}, out: 8}}
    down.0.block.1: {{{_POST}, out: 8}}
    down.0.downsample: {{op: downsample, method: avg_pool}}
    down.1.block.0: {{{_POST}, out: 4}}
    down.1.block.1: {{{_POST}, out: 4}}
    up.1.skip.0: {_ADD}
    up.1.block.0: {{{_POST}, out: 4}}
    up.1.block.1: {{{_POST}, out: 4}}
    up.1.block.2: {{{_POST}, out: 4}}
    up.1.upsample: {{op: upsample, conv: false}}
    up.0.skip.0: {_ADD}
    up.0.block.0: {{{_POST}, out: 8}}
    up.0.block.1: {{{_POST}, out: 8}}
    up.0.block.2: {{{_POST}, out: 8}}
    norm_out: {{op: norm, type: layer}}
    act_out: {{op: act}}
    conv_out: {{op: conv, out: 3}}
    out: {{op: output}}
  edges:
    - [x, conv_in]
    - [conv_in, down.0.block.0]
    - [down.0.block.0, down.0.block.1]
    - [down.0.block.1, down.0.downsample]
    - [down.0.downsample, down.1.block.0]
    - [down.1.block.0, down.1.block.1]
    - [down.1.block.1, up.1.skip.0, x]
    - [down.1.block.1, up.1.skip.0, skip]
    - [up.1.skip.0, up.1.block.0]
    - [up.1.block.0, up.1.block.1]
    - [up.1.block.1, up.1.block.2]
    - [up.1.block.2, up.1.upsample]
    - [up.1.upsample, up.0.skip.0]
    - [down.0.block.1, up.0.skip.0, skip]
    - [up.0.skip.0, up.0.block.0]
    - [up.0.block.0, up.0.block.1]
    - [up.0.block.1, up.0.block.2]
    - [up.0.block.2, norm_out]
    - [norm_out, act_out]
    - [act_out, conv_out]
    - [conv_out, out]
"""


def test_neither_time_nor_a_middle_and_a_skip_for_each_level() -> None:
    assert_same(HEAD + BARE, HEAD + BARE_LONG)
