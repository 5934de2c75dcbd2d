"""Which rows and columns follow which, each policy on each kind of layer, and how it is told."""

import pytest
import torch
from small import network

from archspec import check_data
from archspec.text.positions import Positions
from builder import inherit
from builder.inherit import Change, Inheritance, inherit_state
from builder.segments import overlaps, segments


def changed(selector, **to):
    return {"set": {"nodes": selector, "to": to}}


# Parts of a map


def test_a_concatenation_is_its_parts_and_what_keeps_channels_keeps_them():
    graph = network().architecture
    parts = segments(graph)
    assert parts["conv_in"] == (("", 8),)
    assert parts["up.1.skip.0"] == (("", 16), ("skip 1", 16))
    assert parts["up.0.skip.1"] == (("", 8), ("skip 1", 8))
    assert parts["up.0.block.0"] == (("", 8),)
    assert parts["act_out"] == parts["norm_out"] == (("", 8),)
    assert "temb" not in parts


def test_joins_of_joins_are_numbered():
    nodes = {
        "x": {"op": "input", "channels": 2, "resolution": 4},
        "a": {"op": "conv", "out": 3},
        "b": {"op": "conv", "out": 5},
        "one": {"op": "concat"},
        "act": {"op": "act"},
        "two": {"op": "concat"},
        "end": {"op": "conv", "out": 2},
        "y": {"op": "output"},
    }
    edges = [
        ["x", "a"], ["x", "b"], ["a", "one"], ["b", "one", "skip"], ["one", "act"], ["act", "two"],
        ["x", "two", "skip"], ["two", "end"], ["end", "y"],
    ]  # fmt: skip
    document = {"version": 1, "name": "joins", "graph": {"nodes": nodes, "edges": edges}}
    parts = segments(check_data(document, Positions("joins")).sound())
    assert parts["act"] == (("", 3), ("skip 1", 5))
    assert parts["two"] == (("", 3), ("skip 1", 5), ("skip 2", 2))


OVERLAPS = {
    "the same": ((("", 4), ("skip 1", 3)), (("", 4), ("skip 1", 3)), [(0, 4, 0, 4), (4, 7, 4, 7)]),
    "narrower before": ((("", 4), ("skip 1", 3)), (("", 2), ("skip 1", 3)), [(0, 2, 0, 2), (4, 7, 2, 5)]),
    "wider before": ((("", 2), ("skip 1", 3)), (("", 4), ("skip 1", 5)), [(0, 2, 0, 2), (2, 5, 4, 7)]),
    "a part less": ((("", 4), ("skip 1", 3)), (("", 4),), [(0, 4, 0, 4)]),
    "a part more": ((("", 4),), (("", 4), ("skip 1", 3)), [(0, 4, 0, 4)]),
    "nothing in common": ((("", 4),), (("skip 1", 4),), []),
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_channels_of_each_part_that_both_have(name):
    parent, child, expected = OVERLAPS[name]
    found = [(there.start, there.stop, here.start, here.stop) for there, here in overlaps(parent, child)]
    assert found == expected


# Policies

POLICIES = ["exact", "crop", "zero"]


@pytest.mark.parametrize("policy", POLICIES)
def test_what_did_not_change_is_the_parents_by_every_policy(policy):
    parent, child = network(seed=1), network()
    said = inherit(parent, child, policy)
    assert (said.cut, said.new, said.left) == ((), (), ())
    assert all(torch.equal(value, parent.state_dict()[key]) for key, value in child.state_dict().items())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_wider_middle_by_every_policy(policy):
    """The middle's inner width goes from 16 to 24: rows of the first convolution, columns of the second."""
    parent, child = network(seed=1), network(changed("mid.block_1", hidden=24), seed=0)
    start = {key: value.clone() for key, value in child.state_dict().items()}
    said = inherit(parent, child, policy)
    there, here = parent.state_dict(), child.state_dict()
    first, second = "mid.block_1.conv1.weight", "mid.block_1.conv2.weight"
    if policy == "exact":
        assert {first, second} <= set(said.new)
        assert torch.equal(here[first], start[first])
        return
    assert {first, second} <= {change.key for change in said.cut}
    assert torch.equal(here[first][:16], there[first])
    assert torch.equal(here[first][16:], start[first][16:])  # new outputs keep their start by both policies
    assert torch.equal(here[second][:, :16], there[second])
    expected = torch.zeros(16, 8, 3, 3) if policy == "zero" else start[second][:, 16:]
    assert torch.equal(here[second][:, 16:], expected)


def test_new_inputs_have_no_effect_under_zero():
    """A deeper embedding: whatever its new numbers are, the blocks do not see them at first."""
    parent, child = network(seed=1), network(changed("temb", hidden=40, out=40), seed=0)
    inherit(parent, child, "zero")
    projection = child.state_dict()["mid.block_1.temb_proj.weight"]
    assert projection.shape == (16, 40)
    assert torch.equal(projection[:, :32], parent.state_dict()["mid.block_1.temb_proj.weight"])
    assert not projection[:, 32:].any()
    assert child.state_dict()["temb.dense.1.weight"][:, :32].any()


KERNELS = [(1, 3), (3, 1), (3, 5), (5, 3), (1, 5)]


def with_kernel(size, seed):
    edits = [] if size == 3 else [changed("conv_out", kernel=size)]
    return network(*edits, seed=seed)


@pytest.mark.parametrize(("before", "after"), KERNELS)
def test_kernels_share_their_middle(before, after):
    parent, child = with_kernel(before, seed=1), with_kernel(after, seed=0)
    inherit(parent, child, "zero")
    there, here = parent.conv_out.weight, child.conv_out.weight
    if after < before:
        edge = (before - after) // 2
        assert torch.equal(here, there[:, :, edge : before - edge, edge : before - edge])
    else:
        edge = (after - before) // 2
        expected = torch.nn.functional.pad(there, (edge, edge, edge, edge))
        assert torch.equal(here, expected)


OTHER_MEANING = {
    "a gate in the feed-forward": (
        {"attn_type": "transformer", "transformer": {"ff_act": "gelu", "cross_attention": False}},
        {"attn_type": "transformer", "transformer": {"ff_act": "geglu", "cross_attention": False}},
        "ff.net.0.proj",
    ),
    "scales and shifts": ({"conditioning": "scale_shift"}, {"conditioning": "add"}, "temb_proj"),
}


@pytest.mark.parametrize("name", OTHER_MEANING)
@pytest.mark.parametrize("turned", [False, True])
def test_rows_that_mean_something_else_start_anew(name, turned):
    before, after, word = OTHER_MEANING[name]
    before, after = (after, before) if turned else (before, after)
    parent, child = network(seed=1, **before), network(seed=0, **after)
    start = {key: value.clone() for key, value in child.state_dict().items()}
    said = inherit(parent, child)
    assert said.new
    assert all(word in key for key in said.new)
    assert all(torch.equal(child.state_dict()[key], start[key]) for key in said.new)


def test_one_of_the_three_projections_missing_leaves_the_joint_one_new():
    parent, child = network(seed=1), network(attn={"fused_qkv": True})
    state = dict(parent.state_dict())
    del state["mid.attn_1.k.weight"]
    said = inherit_state(parent.architecture, state, child)
    assert said.new == ("mid.attn_1.qkv.weight",)
    assert set(said.left) == {"mid.attn_1.q.weight", "mid.attn_1.v.weight"}


def test_weights_of_another_type_are_converted():
    parent, child = network(seed=1), network()
    state = {key: value.double() for key, value in parent.state_dict().items()}
    inherit_state(parent.architecture, state, child)
    assert child.conv_in.weight.dtype == torch.float32
    assert torch.equal(child.conv_in.weight, parent.conv_in.weight)


def test_the_parent_is_left_as_it_was_and_gradients_are_still_wanted():
    parent, child = network(seed=1), network(ch_mult=[1, 3])
    before = {key: value.clone() for key, value in parent.state_dict().items()}
    inherit(parent, child, "zero")
    assert all(torch.equal(value, before[key]) for key, value in parent.state_dict().items())
    assert all(value.requires_grad and value.grad_fn is None for value in child.parameters())
    shared = {value.data_ptr() for value in parent.parameters()} & {value.data_ptr() for value in child.parameters()}
    assert not shared


def test_numbers_are_counted_once_each():
    parent, child = network(seed=1), network(changed("conv_in", kernel=5))
    said = inherit(parent, child)
    total = sum(value.numel() for value in child.state_dict().values())
    assert said.total == total
    assert said.numbers == total - 8 * 3 * (25 - 9)


def test_what_was_done_is_one_line_and_one_line_for_each_change():
    said = Inheritance(("a", "b"), (Change("c", (4,), (6,)),), ("d",), (), 1234, 56789)
    assert str(said) == "1,234 of 56,789 numbers inherited: 2 weights kept, 1 cut, 1 new; 0 of the parent's left behind"
    assert str(Change("c", (4, 3, 1, 1), (6, 3, 1, 1))) == "c: 4×3×1×1 -> 6×3×1×1"
    assert str(Change("gain", (), ())) == "gain: 1 -> 1"
