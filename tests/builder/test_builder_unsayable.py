"""What diffusers cannot say of networks of another family: every reason, not the first one alone."""

import re

import pytest
from reduced import reduced

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder.weights.diffusers import config, key_map, to_diffusers
from builder.weights.standard import other_inputs
from builder.weights.unet2d import num_blocks, num_levels

PLAIN, CONDITIONAL = "UNet2DModel cannot say this: ", "UNet2DConditionModel cannot say this: "


def reasons(graph, call=config):
    """Each reason without its code and whose it is, and without how often it holds."""
    with pytest.raises(UserError) as caught:
        call(graph)
    lines = [re.sub(r" \(and \d+ more\)", "", line) for line in str(caught.value).splitlines()]
    assert all(line.startswith("error U090 ") for line in lines)
    return [line.removeprefix("error U090 ").replace(PLAIN, "").replace(CONDITIONAL, "") for line in lines]


NCSNPP = {
    "time: it would be a time_embedding, not a fourier_features.",
    "vector: there would be no input here.",
    "augment_emb: there would be no linear here.",
    "with_augment: there would be no add_embeddings here.",
    "temb: its input x would be time, not with_augment.",
    "down.0.aux: there would be no blurred_conv here.",
    "down.0.with_aux: there would be no mp_sum here.",
    "down.1.block.0: its input x would be down.0.downsample, not down.0.with_aux.",
    "up.1.attn.0: there is no attention here.",
    "down.0.block.0: a block with residual_scale.",
    "down.0.downsample: a block with residual_scale, project_shortcut, resample_filter.",
    "down.1.attn.0: attention with residual_scale.",
    "norm_num_groups is one value for the whole network, and here there are 4, 8, 16, 12.",
}


@pytest.mark.parametrize("call", [config, key_map, lambda graph: to_diffusers(graph, {})])
def test_every_reason_against_ncsnpp(call):
    found = reasons(reduced("edm-ncsnpp-cifar10"), call)
    assert set(found) >= NCSNPP
    assert len(found) == len(set(found))


def test_labels_of_ddpmpp_join_the_embedding_before_its_layers():
    found = reasons(reduced("edm-ddpmpp-cifar10-cond"))
    assert "with_label: its input x would be temb, not time." in found
    # Of all the blocks this is one reason, and not one for each of them.
    assert [line for line in found if "its input emb" in line] == [
        "down.0.block.0: its input emb would be with_label, not temb."
    ]
    assert "label_emb: an embedding of classes that is no table." in found


def test_every_operation_of_edm2_is_named():
    found = reasons(reduced("edm2-xs"))
    assert not any("use_timestep" in line for line in found)  # it has a timestep
    for expected in (
        "temb: there is no mlp here.",
        "norm_out: there is no norm here.",
        "time: it would be a time_embedding, not a mp_fourier.",
        "emb.sum: there would be no mp_sum here.",
        "down.0.block.0: it would be a resnet_block, not a mp_block.",
        "up.3.skip.0: it would be a concat, not a mp_concat.",
    ):
        assert expected in found


def graph(nodes, edges):
    document = {"version": 1, "name": "other", "graph": {"nodes": nodes, "edges": edges}}
    return check_data(document, Positions("other")).sound()


X, Y = {"op": "input", "channels": 4, "resolution": 4}, {"op": "output"}


def test_of_a_graph_that_is_not_shaped_like_the_reference_the_strange_operations_are_named():
    found = reasons(
        graph(
            {"x": X, "first": {"op": "mp_silu"}, "second": {"op": "pixel_norm"}, "act": {"op": "act"}, "y": Y},
            [["x", "first"], ["first", "second"], ["second", "act"], ["act", "y"]],
        )
    )
    assert found == [
        "it is not shaped like the reference U-Net; there is no conv_in, down.0.block.0, conv_out.",
        "first: mp_silu is none of its operations.",
        "second: pixel_norm is none of its operations.",
    ]


def test_of_transformers_in_such_a_graph_too():
    found = reasons(
        graph(
            {
                "x": X,
                "attn": {"op": "transformer", "cross_attention": False, "groups": 2},
                "act": {"op": "mp_silu"},
                "y": Y,
            },
            [["x", "attn"], ["attn", "act"], ["act", "y"]],
        )
    )
    assert found == [
        "it is not shaped like the reference U-Net; there is no conv_in, time, temb, down.0.block.0, norm_out, "
        "conv_out.",
        "act: mp_silu is none of its operations.",
    ]


UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 16,
    "ch_mult": [1, 2], "attn_type": "transformer", "tokens": {"dim": 6, "length": 3}, "norm_eps": 1e-5,
    "downsample_padding": "symmetric", "time": {"order": "cos_sin", "freq_shift": 0.0},
}  # fmt: skip


def conditional(*edits, **changes):
    document = {"version": 1, "name": "test", "unet": {**UNET, **changes}, "edits": list(edits)}
    return check_data(document, Positions("test")).sound()


REFUSED = {
    "learned timesteps": (
        conditional(time={"type": "learned", "steps": 50}),
        {"time: type would be None, not learned.", "time: steps would be None, not 50."},
    ),
    "fourier features": (
        conditional({"replace": {"nodes": "time", "with": {"op": "fourier_features", "dim": 32}}}),
        {"time: it would be time_embedding, not fourier_features."},
    ),
    "no tokens": (
        conditional(tokens=None),
        {"its transformers always attend to tokens, and there are none."},
    ),
    "a class and a vector": (
        conditional(label={"classes": 3}, vector={"dim": 8}),
        {"a class and a vector together."},
    ),
    "another depth in the middle": (
        conditional(transformer={"depth": 1}, mid_attn={"depth": 2}),
        {
            "mid.attn_1: the middle has the heads and the depth of the last level, and here there are 1 heads with "
            "depth 1 and 1 heads with depth 2.",
        },
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_every_reason_of_the_conditional_model(name):
    found, expected = reasons(REFUSED[name][0]), REFUSED[name][1]
    assert set(found) >= expected


LIMITS = {
    "pixel norms": ({"set": {"nodes": "resnet_block", "to": {"norm_type": "pixel"}}}, "a norm of type pixel."),
    "a norm at the end": ({"set": {"nodes": "norm_out", "to": {"type": "layer"}}}, "a norm of type layer."),
    "no biases": ({"set": {"nodes": "attention", "to": {"qkv_bias": False}}},
                  "attention whose projections have no bias."),
    "a skip with a factor": ({"set": {"nodes": "concat", "to": {"skip_scale": 0.5}}}, "a skip with a factor."),
    "pixels as channels": ({"set": {"nodes": "downsample", "to": {"method": "space_to_depth"}}},
                           "downsampling by space_to_depth."),
    "bilinear": ({"set": {"nodes": "upsample", "to": {"mode": "bilinear"}}}, "bilinear upsampling."),
    "another activation": ({"set": {"nodes": "resnet_block", "to": {"act": "relu"}}}, "a block with act."),
    "norms after": ({"set": {"nodes": "resnet_block", "to": {"norm_order": "post"}}}, "a block with norm_order."),
    "timesteps times 4": ({"set": {"nodes": "time", "to": {"scale": 4.0}}}, "timesteps times 4."),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_every_reason_of_the_plain_model(name):
    edit, reason = LIMITS[name]
    found = reasons(conditional(edit, attn_type="vanilla", tokens=None))
    assert [line.partition(": ")[2] for line in found] == [reason]


def test_features_of_another_type_are_a_reason_of_the_plain_model():
    found = reasons(conditional(attn_type="vanilla", tokens=None, time={"type": "learned"}))
    assert found == ["time: time features of type learned instead of sinusoidal."]


def test_ports_are_told_one_by_one():
    assert list(other_inputs({"x": "a", "emb": "b"}, {"x": "a", "emb": "c"})) == ["its input emb would be c, not b."]
    assert list(other_inputs({"x": "a"}, {"x": "a", "emb": "c"})) == ["its input emb would be c, not none."]
    assert list(other_inputs({"x": "a", "skip": "b"}, {"x": "c"})) == [
        "its input x would be c, not a.",
        "its input skip would be none, not b.",
    ]
    assert list(other_inputs({}, {})) == []


def test_levels_and_blocks_are_counted():
    made = conditional(ch_mult=[1, 1, 2], num_res_blocks=[2, 1, 1], attn_resolutions=[])
    assert (num_levels(made), num_blocks(made)) == (3, 2)
