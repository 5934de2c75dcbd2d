"""Rows and names of weights from one layout to another, worked by hand; and which layout a file has."""

import pytest
import torch
from checkpoints import state_of
from reduced import reduced
from small import architecture, refusal
from torch import Size

from builder import assemble
from builder.weights import LAYOUTS, read_checkpoint, write_checkpoint
from builder.weights.diffusers import from_diffusers, key_map, model_class, to_diffusers
from builder.weights.layouts import detect, from_layout, layout
from builder.weights.openai import has_qkv_of_many_heads
from builder.weights.openai import pieces as openai_pieces
from builder.weights.piece import Side, own_shapes, plain, projections
from builder.weights.standard import Placed, node_of, placed, renumbered

# Rows of q, k and v

#: Two heads of two rows: q holds 0…3, k 10…13, v 20…23.
Q, K, V = (torch.arange(4.0) + start for start in (0, 10, 20))
JOINED = torch.cat([Q, K, V])
BY_HEAD = torch.tensor([0, 1, 10, 11, 20, 21, 2, 3, 12, 13, 22, 23.0])
FOUR, TWELVE = Size((4,)), Size((12,))
APART = Side(("q", "k", "v"), (FOUR,) * 3)
SIDES = {
    "apart": (APART, (Q, K, V)),
    "together": (Side(("qkv",), (TWELVE,)), (JOINED,)),
    "by head": (Side(("qkv",), (TWELVE,), per_head=True), (BY_HEAD,)),
}


@pytest.mark.parametrize("ours", SIDES)
@pytest.mark.parametrize("theirs", SIDES)
def test_rows_go_from_any_order_to_any_other_and_back(ours, theirs):
    (here, mine), (there, wanted) = SIDES[ours], SIDES[theirs]
    piece = projections(here, there, heads=2)
    packed = piece.pack(mine)
    assert [part.tolist() for part in packed] == [part.tolist() for part in wanted]
    assert [part.tolist() for part in piece.unpack(packed)] == [part.tolist() for part in mine]


def test_convolutions_become_linear_layers_and_back():
    here = Side(("q", "k", "v"), (Size((4, 5, 1, 1)),) * 3)
    there = Side(("qkv",), (Size((12, 5, 1)),), per_head=True)
    piece = projections(here, there, heads=2)
    given = tuple(torch.randn(4, 5, 1, 1) for _ in range(3))
    (whole,) = piece.pack(given)
    assert whole.shape == (12, 5, 1)
    assert torch.equal(whole[2:4, :, 0], given[1][:2, :, 0, 0])
    assert all(torch.equal(one, other) for one, other in zip(piece.unpack((whole,)), given, strict=True))


def test_the_same_numbers_in_another_shape():
    piece = plain("ours", "theirs", Size((2, 3, 1, 1)), Size((2, 3)))
    value = torch.arange(6.0).reshape(2, 3, 1, 1)
    (there,) = piece.pack((value,))
    assert there.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert torch.equal(piece.unpack((there,))[0], value)
    assert plain("a", "b", Size((2,))).shapes == (Size((2,)),)


# Names


def test_blocks_that_were_taken_out_leave_no_gap():
    taken = [{"remove": node} for node in ("down.0.block.0", "down.1.block.1", "down.1.attn.1")]
    graph = architecture(*taken, num_res_blocks=3)
    found = placed(graph)
    assert found["down.0.block.2"] == Placed("down", 0, "block", 1)
    assert found["down.1.block.2"] == Placed("down", 1, "block", 1)
    assert found["down.1.attn.2"] == Placed("down", 1, "attn", 1)
    assert found["up.1.block.3"] == Placed("up", 1, "block", 3)
    assert "down.0.downsample" not in found
    assert "mid.block_1" not in found
    renamed = renumbered(graph)
    assert len(renamed) == len(graph)
    assert {"down.0.block.0", "down.0.block.1", "down.1.block.1", "down.1.attn.1"} <= set(renamed)
    assert not set(renamed) & {"down.0.block.2", "down.1.block.2", "down.1.attn.2"}


def test_an_attention_whose_block_was_taken_out_is_not_taken_for_that_of_the_next():
    graph = architecture({"remove": "down.1.block.1"}, num_res_blocks=3)
    assert "down.1.attn.1" not in placed(graph)
    assert renumbered(graph) is graph
    conditional = architecture({"remove": "down.1.block.1"}, num_res_blocks=3, attn_type="transformer")
    assert "down.1.block.1: UNet2DConditionModel cannot say this: there is no resnet_block here." in refusal(
        key_map, conditional
    )


def test_nothing_is_renamed_where_nothing_is_missing():
    graph = architecture()
    assert renumbered(graph) is graph


@pytest.mark.parametrize(
    ("key", "parts"),
    [
        ("conv_in.weight", ("conv_in", "", "weight")),
        ("down.0.block.1.conv1.bias", ("down.0.block.1", "conv1", "bias")),
        ("temb.dense.1.weight", ("temb", "dense.1", "weight")),
        ("up.1.upsample.conv.weight", ("up.1.upsample", "conv", "weight")),
    ],
)
def test_a_key_is_a_node_a_layer_and_what_of_it(key, parts):
    assert node_of(architecture(num_res_blocks=2), key) == parts


def test_names_of_adm_are_counted_by_hand():
    """Two levels of two blocks: conv_in is 0, then two blocks, the downsampling, and two blocks with attention."""
    theirs = {piece.ours[0]: piece.theirs[0] for piece in openai_pieces(architecture(num_res_blocks=2), per_head=False)}
    assert theirs["conv_in.weight"] == "input_blocks.0.0.weight"
    assert theirs["down.0.block.1.conv1.weight"] == "input_blocks.2.0.in_layers.2.weight"
    assert theirs["down.0.downsample.conv.weight"] == "input_blocks.3.0.op.weight"
    assert theirs["down.1.block.1.norm2.bias"] == "input_blocks.5.0.out_layers.0.bias"
    assert theirs["down.1.attn.1.norm.weight"] == "input_blocks.5.1.norm.weight"
    assert theirs["mid.block_2.temb_proj.weight"] == "middle_block.2.emb_layers.1.weight"
    assert theirs["up.1.block.0.conv2.weight"] == "output_blocks.0.0.out_layers.3.weight"
    assert theirs["up.1.attn.2.proj_out.weight"] == "output_blocks.2.1.proj_out.weight"
    assert theirs["up.1.upsample.conv.bias"] == "output_blocks.2.2.conv.bias"
    assert theirs["up.0.block.2.nin_shortcut.weight"] == "output_blocks.5.0.skip_connection.weight"
    assert theirs["norm_out.weight"] == "out.0.weight"
    assert len(set(theirs.values())) == len(theirs)


def test_without_attention_the_upsampling_is_the_second_part_and_without_its_middle_block_the_middle_is_shorter():
    graph = architecture({"remove": "mid.attn_1"}, attn_resolutions=[], num_res_blocks=2)
    theirs = {piece.ours[0]: piece.theirs[0] for piece in openai_pieces(graph, per_head=False)}
    assert theirs["up.1.upsample.conv.bias"] == "output_blocks.2.1.conv.bias"
    assert theirs["mid.block_2.conv1.weight"] == "middle_block.1.in_layers.2.weight"


def test_names_of_diffusers_count_the_way_up_from_below():
    names = key_map(architecture(num_res_blocks=2))
    assert names["up.1.block.0.conv1.weight"] == "up_blocks.0.resnets.0.conv1.weight"
    assert names["up.0.block.2.norm1.weight"] == "up_blocks.1.resnets.2.norm1.weight"
    assert names["down.1.attn.0.q.weight"] == "down_blocks.1.attentions.0.to_q.weight"
    fused = key_map(architecture(attn={"fused_qkv": True}))
    assert fused["down.1.attn.0.qkv.bias"] == "down_blocks.1.attentions.0.to_{q,k,v}.bias"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("ddpm-cifar10", "UNet2DModel"), ("sd15", "UNet2DConditionModel"), ("edm-ncsnpp-cifar10", "UNet2DModel")],
)
def test_transformers_are_matters_of_the_conditional_model_and_a_vector_alone_is_not(name, kind):
    assert model_class(reduced(name)) == kind


def test_resampling_without_weights_becomes_convolutions_that_do_the_same():
    graph = architecture(resamp_with_conv=False)
    state = {key: value.double() for key, value in state_of(graph).items()}
    theirs = to_diffusers(graph, state)
    down = theirs["down_blocks.0.downsamplers.0.conv.weight"]
    assert (down.shape, down.dtype) == ((8, 8, 3, 3), torch.float64)
    assert down[3, 3].tolist() == [[0.25, 0.25, 0.0], [0.25, 0.25, 0.0], [0.0, 0.0, 0.0]]
    assert not down[3, 4].any()
    up = theirs["up_blocks.0.upsamplers.0.conv.weight"]
    assert up[0, 0].tolist() == [[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    assert all(torch.equal(value, state[key]) for key, value in from_diffusers(graph, theirs).items())


# Which layout a file has


def test_one_head_has_one_order_of_rows():
    one, two = architecture(attn={"heads": 1}), architecture(attn={"heads": 2})
    assert not has_qkv_of_many_heads(one)
    assert has_qkv_of_many_heads(two)
    assert not has_qkv_of_many_heads(architecture(attn_type="none"))
    state = LAYOUTS["adm"].pack(one, state_of(one))
    assert detect(one, state, wrapped=False).name == "adm"


def test_the_prefix_of_latent_diffusion_decides_between_layouts_of_the_same_names():
    graph = architecture(attn={"heads": 2})
    state = LAYOUTS["adm"].pack(graph, state_of(graph))
    assert detect(graph, state, wrapped=True).name == "ldm"
    assert "a file does not say in which order ADM's qkv rows are" in refusal(detect, graph, state, wrapped=False)


def test_a_prefix_before_the_names_of_another_layout_changes_nothing(tmp_path):
    graph = architecture()
    state = state_of(graph)
    torch.save({f"model.diffusion_model.{key}": value for key, value in state.items()}, tmp_path / "own.pt")
    found = read_checkpoint(tmp_path / "own.pt", graph)
    assert found.layout.name == "compvis"
    assert all(torch.equal(value, state[key]) for key, value in found.state.items())


def test_keys_come_back_in_the_order_of_the_network():
    graph = architecture()
    state = state_of(graph)
    turned = dict(reversed(LAYOUTS["diffusers"].pack(graph, state).items()))
    found = from_layout(graph, turned, layout("diffusers"))
    assert list(found) == list(own_shapes(graph)) == list(assemble(graph).state_dict())


def test_a_layout_that_is_none_names_the_nearest_or_all():
    assert refusal(layout, "ldn") == "error U090 there is no layout `ldn`. Did you mean `ldm`?"
    assert refusal(layout, "keras") == (
        "error U090 there is no layout `keras`. "
        "Layouts: compvis, ldm, adm, adm-new-order, diffusers, diffusers-projection."
    )


def test_writing_refuses_weights_that_are_not_all_there(tmp_path):
    graph = architecture()
    state = state_of(graph)
    del state["conv_in.bias"]
    message = refusal(write_checkpoint, tmp_path / "less.pt", graph, state)
    assert message == "error U090 conv_in.bias: this weight is missing."
    assert not (tmp_path / "less.pt").exists()
