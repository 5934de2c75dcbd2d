"""The contract of every operation beyond the reference U-Net: shapes, prices, gradients, copies and text."""

import copy
import pickle
import re

import pytest
import torch
from network_arguments import network_arguments, torch_size
from torch.utils.flop_counter import FlopCounterMode

from archspec import UserError, build, check_data, fingerprint, from_document, loads, to_document, to_yaml, total_price
from archspec.graphs.graph import op_of, shape_of
from archspec.text.positions import Positions
from builder import assemble
from builder.weights.unet2d import config
from tests.builder.shapes import Shapes

SMALL = {
    "ch": 32,
    "out_ch": 3,
    "ch_mult": [1, 2],
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
}
CROSS = {"attn_type": "transformer", "tokens": {"dim": 12, "length": 5}, "attn": {"heads": 4}}


def architecture(*edits, **changes):
    document = {"version": 1, "name": "test", "unet": {**SMALL, **changes}, "edits": list(edits)}
    return check_data(document, Positions("test")).sound()


def changed(selector, **to):
    return {"set": {"nodes": selector, "to": to}}


VARIANTS = {
    "scale and shift": architecture(conditioning="scale_shift", time={"order": "cos_sin", "freq_shift": 0.0}),
    "scale and shift of nothing": architecture(conditioning="scale_shift", use_timestep=False),
    "resampling blocks": architecture(resblock_updown=True, residual_scale=0.7),
    "FIR": architecture(resblock_updown=True, resample_filter=[1.0, 3.0, 3.0, 1.0]),
    "box": architecture(resblock_updown=True, resample_filter=[1.0, 1.0]),
    "groups by rule": architecture(ch=24, num_groups="auto"),
    "hidden": architecture(changed("resnet_block", hidden=96), changed("mid.block_1", residual=False)),
    "no shortcut": architecture(changed("down.1.block.0", residual=False)),
    "other resampling": architecture(
        changed("downsample", method="space_to_depth"), changed("upsample", mode="bilinear"), resolution=16
    ),
    "stem": architecture(ch_mult=[0.5, 2], stem="first_level", num_groups=16),
    "no middle": architecture(mid_block=False, num_res_blocks=[1, 2]),
    "fused": architecture(attn={"heads": 2, "fused_qkv": True, "qkv_bias": False}),
    "biased linear": architecture(attn_type="linear", attn={"qkv_bias": True, "norm": True, "residual": True}),
    "labels": architecture(label={"classes": 7}),
    "labels before": architecture(label={"classes": 7, "type": "linear", "scaled": True, "before_mlp": True}),
    "labels alone": architecture(label={"classes": 7, "type": "linear", "bias": True}, use_timestep=False),
    "vector": architecture(vector={"dim": 9}),
    "vector and labels before": architecture(
        vector={"dim": 9, "before_mlp": True}, label={"classes": 7, "before_mlp": True}, use_timestep=False
    ),
    "transformers": architecture(**CROSS),
    "deep transformers": architecture(
        **{**CROSS, "attn": {"head_dim": 16}},
        attn_resolutions=[16, 8],
        transformer={"depth": [1, 2], "projection": "linear"},
        mid_attn={"depth": 3},
    ),
    "self-attention alone": architecture(attn_type="transformer", transformer={"ff_act": "gelu", "ff_mult": 2}),
    "cross-attention alone": architecture(**CROSS, transformer={"self_attention": False, "feed_forward": False}),
    "wide transformers": architecture(**{**CROSS, "attn": {"heads": 3, "head_dim": 5, "residual": False}}),
    "mixed": architecture(**CROSS, attn_resolutions=[16, 8], attn_at={16: {"type": "linear", "norm": True}}),
}
ZERO = architecture(
    **{**CROSS, "attn": {"heads": 4, "zero_init": True}}, conditioning="scale_shift", zero_init=True, dropout=0.1
)


def on_meta(graph):
    with torch.device("meta"):
        return assemble(graph)


@pytest.mark.parametrize("name", VARIANTS)
def test_inferred_shapes_and_prices_are_torchs(name):
    graph = VARIANTS[name]
    network = on_meta(graph)
    made = network_arguments(graph, batch=2)
    interpreter = Shapes(network)
    interpreter.run(*(made.get(node.target) for node in network.graph.find_nodes(op="placeholder")))
    assert interpreter.seen == {node: torch_size(shape_of(graph, node), 2) for node in graph}
    with FlopCounterMode(display=False) as counter:
        network(**network_arguments(graph))
    price = total_price(graph)
    assert price.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert 2 * price.macs == counter.get_total_flops()


@pytest.mark.parametrize("name", VARIANTS)
def test_gradients_reach_every_parameter_that_takes_part(name):
    torch.manual_seed(0)
    graph = VARIANTS[name]
    network = assemble(graph)
    network(**network_arguments(graph, 2, "cpu")).square().mean().backward()
    unused = {key for key, p in network.named_parameters() if p.grad is None}
    silent = {key for key, p in network.named_parameters() if p.grad is not None and not p.grad.any()}
    assert unused == {k for k, _ in network.named_parameters() if "temb_proj" in k and name.endswith("of nothing")}
    assert silent == set()


@pytest.mark.parametrize("name", VARIANTS)
def test_text_copies_and_pickles_are_the_same(name):
    graph = VARIANTS[name]
    again = build(loads(to_yaml(graph)))
    assert to_document(again) == to_document(graph)
    assert fingerprint(again) == fingerprint(graph) == fingerprint(from_document(to_document(graph)))
    assert [op_of(again, node) for node in graph] == [op_of(graph, node) for node in graph]
    torch.manual_seed(0)
    network = assemble(graph).eval()
    inputs = network_arguments(graph, 2, "cpu")
    expected = network(**inputs)
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(copied(**inputs), expected)
    other = assemble(again).eval()
    other.load_state_dict(network.state_dict(), strict=True)
    assert torch.equal(other(**inputs), expected)


def test_every_part_that_can_starts_from_zero():
    zero = {key for key, p in assemble(ZERO).named_parameters() if not p.any() and key.endswith("weight")}
    assert zero == {
        *(f"{block}.conv2.weight" for block in ZERO if ".block" in block),
        *(f"{attn}.proj_out.weight" for attn in ZERO if ".attn" in attn),
        "conv_out.weight",
    }
    linear = architecture(**{**CROSS, "attn": {"zero_init": True}}, transformer={"projection": "linear"})
    assert not assemble(linear).mid.attn_1.proj_out.weight.any()


def test_inputs_are_arguments_where_they_are_needed():
    graph = architecture(**CROSS, label={"classes": 7}, vector={"dim": 9})
    network = assemble(graph)
    assert "def forward(self, x, t = None, context = None, label = None, vector = None, tokens = None)" in network.code
    made = network_arguments(graph, 1, "cpu")
    for name, words in (("label", "labels"), ("vector", "vectors"), ("tokens", "tokens")):
        with pytest.raises(UserError, match=rf"this network needs {words}\. Call it as model\(x, t, {name}="):
            network(**{key: value for key, value in made.items() if key != name})


def test_tokens_may_be_more_or_fewer_than_those_that_costs_are_counted_for():
    graph = architecture(**CROSS)
    network = assemble(graph).eval()
    made = network_arguments(graph, 1, "cpu")
    assert network(**{**made, "tokens": torch.randn(1, 40, 12)}).shape == (1, 3, 16, 16)
    twice = torch.cat([made["tokens"], made["tokens"]], dim=1)  # softmax over doubled keys gives the same mean
    torch.testing.assert_close(network(**{**made, "tokens": twice}), network(**made))


def test_a_label_outside_the_classes_is_no_label():
    graph = architecture(label={"classes": 7, "type": "linear"})
    network = assemble(graph).eval()
    made = {**network_arguments(graph, 1, "cpu"), "label": torch.tensor([-1])}
    plain = assemble(architecture()).eval()
    plain.load_state_dict({key: value for key, value in network.state_dict().items() if key != "label_emb.weight"})
    torch.testing.assert_close(network(**made), plain(made["x"], made["t"]))


def test_a_box_filter_is_average_and_nearest_neighbour():
    box, pooled = assemble(VARIANTS["box"]).eval(), assemble(architecture(resblock_updown=True)).eval()
    pooled.load_state_dict(box.state_dict())
    made = network_arguments(VARIANTS["box"], 1, "cpu")
    torch.testing.assert_close(box(**made), pooled(**made), rtol=1e-4, atol=1e-5)


def test_fused_projections_are_the_three_in_one():
    torch.manual_seed(0)
    apart = assemble(architecture(attn={"heads": 2})).eval()
    fused = assemble(architecture(attn={"heads": 2, "fused_qkv": True})).eval()
    state = {key: value for key, value in apart.state_dict().items() if ".attn" not in key or "proj_out" in key}
    for node in ("down.1.attn.0", "mid.attn_1", "up.1.attn.0", "up.1.attn.1"):
        state |= {f"{node}.norm.{kind}": apart.state_dict()[f"{node}.norm.{kind}"] for kind in ("weight", "bias")}
        for kind in ("weight", "bias"):
            state[f"{node}.qkv.{kind}"] = torch.cat([apart.state_dict()[f"{node}.{part}.{kind}"] for part in "qkv"])
    fused.load_state_dict(state, strict=True)
    made = network_arguments(architecture(), 1, "cpu")
    torch.testing.assert_close(fused(**made), apart(**made))
    assert fingerprint(fused.architecture) == fingerprint(apart.architecture)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"conditioning": "scale_shift", "condition_both": True},
            "down.0.block.0: {}a block with condition_both.",
        ),
        ({"residual_scale": 0.5}, "down.0.block.0: {}a block with residual_scale."),
        ({"attn_type": "transformer"}, "down.1.attn.0: {}it would be an attention, not a transformer."),
        (
            {"num_groups": "auto"},
            "{}norm_num_groups is one value for the whole network, and here there are 8, 16, 32, 24.",
        ),
    ],
)
def test_what_unet2dmodel_cannot_say_is_refused(changes, reason):
    with pytest.raises(UserError) as caught:
        config(architecture(**changes))
    said = re.sub(r" \(and \d+ more\)", "", str(caught.value)).splitlines()
    assert f"error U090 {reason.format('UNet2DModel cannot say this: ')}" in said
