"""The generated forward as text: it reads like the spec, and it is what runs."""

import torch

from archspec import build, fingerprint, from_document, loads
from builder import assemble
from builder.export import source

TINY = build(
    loads("""
version: 1
name: "tiny # net"
unet:
  {ch: 32, out_ch: 3, num_res_blocks: 1, attn_resolutions: [4], in_channels: 4, context_channels: 1, resolution: 8,
   ch_mult: [1, 2], skip: add}
""")
)

TEXT = f"""\
# Architecture: tiny # net
# Fingerprint: {fingerprint(TINY)}
# 615,395 parameters, 13,948,928 multiply-accumulates per image
from builder.inputs import given
from builder.layers.embedding import sinusoidal
import torch


def forward(self, x, t=None, context=None):
    t_given = given(t, 't')
    time = sinusoidal(t_given, 32)
    temb = self.temb(time)
    context_given = given(context, 'context')
    with_context = torch.cat([x, context_given], dim=1)
    conv_in = self.conv_in(with_context)
    down_0_block_0 = self.down[0].block[0](conv_in, temb)
    down_0_downsample = self.down[0].downsample(down_0_block_0)
    down_1_block_0 = self.down[1].block[0](down_0_downsample, temb)
    down_1_attn_0 = self.down[1].attn[0](down_1_block_0)
    mid_block_1 = self.mid.block_1(down_1_attn_0, temb)
    mid_attn_1 = self.mid.attn_1(mid_block_1)
    mid_block_2 = self.mid.block_2(mid_attn_1, temb)
    up_1_skip_0 = mid_block_2 + down_1_attn_0
    up_1_block_0 = self.up[1].block[0](up_1_skip_0, temb)
    up_1_attn_0 = self.up[1].attn[0](up_1_block_0)
    up_1_skip_1 = self.up[1].skip[1](up_1_attn_0, down_0_downsample)
    up_1_block_1 = self.up[1].block[1](up_1_skip_1, temb)
    up_1_attn_1 = self.up[1].attn[1](up_1_block_1)
    up_1_upsample = self.up[1].upsample(up_1_attn_1)
    up_0_skip_0 = self.up[0].skip[0](up_1_upsample, down_0_block_0)
    up_0_block_0 = self.up[0].block[0](up_0_skip_0, temb)
    up_0_skip_1 = up_0_block_0 + conv_in
    up_0_block_1 = self.up[0].block[1](up_0_skip_1, temb)
    norm_out = self.norm_out(up_0_block_1)
    act_out = torch.nn.functional.silu(norm_out)
    conv_out = self.conv_out(act_out)
    return conv_out
"""


def test_the_text_of_a_small_network():
    assert source(TINY) == TEXT
    assert source(assemble(TINY)) == TEXT


def bound(text, network, **inputs):
    namespace = {}
    exec(compile(text, "<exported>", "exec"), namespace)
    return namespace["forward"](network, **inputs)


def test_the_text_computes_the_same():
    torch.manual_seed(0)
    network = assemble(TINY)
    inputs = {
        "x": torch.randn(2, 3, 8, 8),
        "t": torch.tensor([1, 900]),
        "context": torch.randn(2, 1, 8, 8),
    }
    assert torch.equal(bound(source(network), network, **inputs), network(**inputs))


def test_a_node_named_like_a_function():
    nodes = {
        "x": {"op": "input", "kind": "image", "channels": 4, "resolution": 4},
        "t": {"op": "input", "kind": "timestep"},
        "sinusoidal": {"op": "time_embedding", "dim": 8},
        "given": {"op": "resnet_block", "out": 4, "groups": 2},
        "torch": {"op": "act"},
        "y": {"op": "output"},
    }
    edges = [["x", "given"], ["t", "sinusoidal"], ["sinusoidal", "given", "emb"], ["given", "torch"], ["torch", "y"]]
    network = assemble(from_document({"version": 1, "name": "named", "graph": {"nodes": nodes, "edges": edges}}))
    inputs = {"x": torch.randn(1, 4, 4, 4), "t": torch.tensor([3])}
    text = source(network)
    assert "from builder.inputs import given as builder_inputs_given\n" in text
    assert torch.equal(bound(text, network, **inputs), network(**inputs))
