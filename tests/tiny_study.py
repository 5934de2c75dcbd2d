"""A study that runs in seconds, as text, with its two questions apart."""

TINY = """
version: 1
name: tiny
question: Is it small?
base:
  name: tiny
  unet:
    ch: 32
    out_ch: 1
    ch_mult: [1, 1]
    num_res_blocks: 1
    attn_resolutions: []
    mid_attn: true
    in_channels: 1
    resolution: 8
protocol:
  data: digits
  train: {steps: 2, batch: 4}
  evaluate: {strata: 2, images: 4}
  seeds: 2
measure: {device: cpu, threads: 1, latency: false, memory: false}
"""

ABLATION = """
ablation:
  variants:
    no attention:
      - remove: attention
"""

SEARCH = """
search:
  space:
    num_res_blocks: [1, 2]
    attn_type: [vanilla, linear, none]
    skip: [concat, add]
  objectives: [loss, parameters]
  budgets: {parameters: 400k}
  trials: 3
"""
