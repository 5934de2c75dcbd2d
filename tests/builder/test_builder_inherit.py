"""An edited network gets what still fits: by name, by part of a concatenation, and says what it did."""

import pytest
import torch
from network_arguments import network_arguments

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, inherit, initialise

UNET = {
    "ch": 32,
    "out_ch": 3,
    "num_res_blocks": 1,
    "attn_resolutions": [8],
    "in_channels": 3,
    "resolution": 16,
    "ch_mult": [1, 2],
}


def network(*edits, seed=0, **changes):
    document = {"version": 1, "name": "test", "unet": {**UNET, **changes}, "edits": list(edits)}
    made = assemble(check_data(document, Positions("test")).sound()).eval()
    initialise(made, seed)
    return made


PARENT = network(seed=1)


def test_all_of_it_where_nothing_changed():
    child = network()
    said = inherit(PARENT, child)
    assert (len(said.kept), said.cut, said.new, said.left) == (len(child.state_dict()), (), (), ())
    assert said.numbers == said.total == sum(value.numel() for value in child.state_dict().values())
    given = network_arguments(child.architecture, device="cpu")
    assert torch.equal(child(**given), PARENT(**given))


def test_a_part_taken_away_leaves_the_rest_as_it_was():
    child = network({"remove": "mid.attn_1"})
    said = inherit(PARENT, child)
    assert said.cut == said.new == ()
    assert said.left == tuple(key for key in PARENT.state_dict() if key.startswith("mid.attn_1."))
    given = network_arguments(child.architecture, device="cpu")
    bypassed = network(seed=1)
    bypassed.get_submodule("mid.attn_1").forward = lambda x: x
    assert torch.equal(child(**given), bypassed(**given))


def test_a_skip_taken_away_takes_its_own_columns():
    child = network({"remove": "up.0.skip.0"})
    inherit(PARENT, child)
    key = "up.0.block.0.conv1.weight"
    there, here = PARENT.state_dict()[key], child.state_dict()[key]
    assert (there.shape[1], here.shape[1]) == (64 + 32, 64)
    assert torch.equal(here, there[:, :64])
    assert torch.equal(
        child.state_dict()["up.0.block.0.norm1.weight"], PARENT.state_dict()["up.0.block.0.norm1.weight"][:64]
    )


def test_columns_follow_their_part_when_the_running_map_gets_narrower():
    """The first part of the concatenation shrinks, so the columns of the skip move."""
    child = network({"set": {"nodes": "up.1.block.1", "to": {"out": 32}}}, attn_resolutions=[])
    parent = network(attn_resolutions=[], seed=1)
    said = inherit(parent, child, "zero")
    key = "up.0.block.0.conv1.weight"
    there, here = parent.state_dict()[key], child.state_dict()[key]
    assert (there.shape[1], here.shape[1]) == (96, 64)
    assert torch.equal(here[:, :32], there[:, :32])
    assert torch.equal(here[:, 32:], there[:, 64:])
    assert f"{key}: 32×96×3×3 -> 32×64×3×3" in [str(change) for change in said.cut]


def test_padding_by_zeros_keeps_the_function_where_inputs_are_added():
    """A skip that the parent did not have comes in without effect, but for the norm over both parts."""
    parent, child = network(skip="none", seed=1), network()
    said = inherit(parent, child, "zero")
    key = "up.0.block.0.conv1.weight"
    assert torch.equal(child.state_dict()[key][:, :64], parent.state_dict()[key])
    assert not child.state_dict()[key][:, 64:].any()
    cropped = network()
    inherit(parent, cropped, "crop")
    start = network().state_dict()[key]
    assert torch.equal(cropped.state_dict()[key][:, 64:], start[:, 64:])
    assert key in [change.key for change in said.cut]


def test_wider_levels_by_each_policy():
    exact, crop = network(ch_mult=[1, 4]), network(ch_mult=[1, 4])
    only = inherit(PARENT, exact, "exact")
    assert only.cut == ()
    assert "down.1.block.0.conv1.weight" in only.new
    assert "conv_in.weight" in only.kept
    assert torch.equal(
        exact.state_dict()["down.1.block.0.conv1.weight"],
        network(ch_mult=[1, 4]).state_dict()["down.1.block.0.conv1.weight"],
    )
    said = inherit(PARENT, crop)
    assert said.new == ()
    assert only.numbers < said.numbers < said.total
    there, here = PARENT.state_dict(), crop.state_dict()
    assert torch.equal(here["down.1.block.0.conv2.weight"][:64, :64], there["down.1.block.0.conv2.weight"])
    # the concatenation [128 | 64] there is [64 | 32] here: the skip's columns begin at 128, not at 64
    assert torch.equal(here["up.0.block.0.conv1.weight"][:, 128:160], there["up.0.block.0.conv1.weight"][:, 64:96])
    assert str(said).startswith(f"{said.numbers:,} of {said.total:,} numbers inherited: ")


def test_groups_of_rows_are_cut_each():
    options = {"attn": {"fused_qkv": True}, "conditioning": "scale_shift"}
    parent, child = network(seed=1, **options), network(ch_mult=[1, 4], **options)
    inherit(parent, child)
    there, here = parent.state_dict(), child.state_dict()
    for part in range(3):
        rows = here["mid.attn_1.qkv.weight"][128 * part : 128 * part + 64, :64]
        assert torch.equal(rows, there["mid.attn_1.qkv.weight"][64 * part : 64 * part + 64])
    assert torch.equal(here["mid.block_1.temb_proj.bias"][128:192], there["mid.block_1.temb_proj.bias"][64:])


@pytest.mark.parametrize(("before", "after"), [("scale_shift", "add"), ("add", "scale_shift")])
def test_a_scale_is_no_summand(before, after):
    parent, child = network(seed=1, conditioning=before), network(conditioning=after)
    start = {key: value.clone() for key, value in child.state_dict().items()}
    said = inherit(parent, child)
    projections = {key for key in start if "temb_proj" in key}
    assert set(said.new) == projections
    assert said.cut == ()
    assert all(torch.equal(child.state_dict()[key], start[key]) for key in projections)


def test_both_scales_and_shifts_are_cut_each():
    options = {"conditioning": "scale_shift"}
    both = {"set": {"nodes": "resnet_block", "to": {"condition_both": True}}}
    parent, child = network(both, seed=1, **options), network(both, ch_mult=[1, 4], **options)
    inherit(parent, child)
    key = "mid.block_2.temb_proj_other.bias"
    there, here = parent.state_dict()[key], child.state_dict()[key]
    assert torch.equal(here[:64], there[:64])
    assert torch.equal(here[128:192], there[64:])


def test_kernels_of_another_size_share_their_middle():
    larger = network({"set": {"nodes": "conv_in", "to": {"kernel": 5}}})
    said = inherit(PARENT, larger, "zero")
    assert [str(change) for change in said.cut] == ["conv_in.weight: 32×3×3×3 -> 32×3×5×5"]
    given = network_arguments(larger.architecture, device="cpu")
    assert torch.allclose(larger(**given), PARENT(**given), atol=1e-5)
    smaller = network({"set": {"nodes": "conv_in", "to": {"kernel": 1}}})
    inherit(PARENT, smaller)
    assert torch.equal(smaller.conv_in.weight, PARENT.conv_in.weight[:, :, 1:2, 1:2])


def test_projections_are_joined_and_taken_apart():
    fused = network(attn={"fused_qkv": True})
    said = inherit(PARENT, fused)
    assert (said.cut, said.new, said.left, said.numbers) == ((), (), (), said.total)
    given = network_arguments(fused.architecture, device="cpu")
    assert torch.allclose(fused(**given), PARENT(**given), atol=1e-5)
    apart = network()
    said = inherit(fused, apart)
    assert (said.cut, said.new, said.left, said.numbers) == ((), (), (), said.total)
    assert all(torch.equal(value, PARENT.state_dict()[key]) for key, value in apart.state_dict().items())


def test_pixels_of_a_block_are_no_channels():
    child = network({"set": {"nodes": "down.0.downsample", "to": {"method": "space_to_depth"}}})
    said = inherit(PARENT, child)
    assert said.new == ("down.0.downsample.conv.weight", "down.0.downsample.conv.bias")


def test_what_cannot_be():
    with pytest.raises(UserError) as caught:
        inherit(PARENT, network(), "crops")
    assert str(caught.value) == "error U090 there is no policy of inheritance `crops`. Did you mean `crop`?"
    document = {
        "version": 1,
        "name": "other",
        "graph": {
            "nodes": {
                "x": {"op": "input", "channels": 3, "resolution": 4},
                "only": {"op": "conv", "out": 3},
                "y": {"op": "output"},
            },
            "edges": [["x", "only"], ["only", "y"]],
        },
    }
    other = assemble(check_data(document, Positions("other")).sound())
    with pytest.raises(UserError, match="nothing can be inherited"):
        inherit(PARENT, other)
