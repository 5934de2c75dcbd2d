"""Each idea of `for_inference` by itself: what it changes, what it leaves alone, and what is refused."""

import copy
import itertools

import pytest
import torch
from network_arguments import network_arguments
from small import network
from torch import nn
from torch.nn import functional

from archspec import UserError
from builder.inference import InferenceOptions, for_inference
from builder.inference.calls import (
    add_into,
    checked,
    embedding_into,
    entered,
    entered_if_given,
    group_norm,
    left,
    silu_into,
)  # fmt: skip
from builder.inference.flat import flattened

PLAIN = InferenceOptions(channels_last=False, in_place=False, shared_embedding=False, fused_upsampling=False)

#: One for each of two levels down, two in the middle, two for each level up.
BLOCKS = 2 + 2 + 4


def arguments(made, batch=2):
    torch.manual_seed(1)
    return network_arguments(made.architecture, batch, device="cpu")


def code(*edits, options=PLAIN, **changes):
    """The generated forward of a network without attention, which would have linear layers of its own."""
    return for_inference(network(*edits, attn_type="none", **changes), options).code


@pytest.mark.parametrize("options", list(itertools.product([False, True], repeat=4)), ids=str)
def test_any_choice_of_ideas_gives_the_same(options):
    made = network(skip="concat", label={"classes": 5})
    fast = for_inference(made, InferenceOptions(*options))
    given = arguments(made)
    with torch.no_grad():
        torch.testing.assert_close(fast(**given), made(**given), rtol=1e-4, atol=1e-5)


def test_without_an_idea_its_calls_are_not_there():
    plain = code()
    assert plain.count("interpolate(") == 1
    assert plain.count("silu(") == 2 * BLOCKS + BLOCKS + 1 + 1  # blocks, what enters them, the embedding, the head
    assert plain.count("linear(") == 2 + BLOCKS
    assert "inplace = True" not in plain


def test_one_activation_and_one_product_serve_all_blocks():
    shared = code(options=InferenceOptions(channels_last=False, in_place=False))
    assert shared.count("silu(") == 2 * BLOCKS + 1 + 1 + 1
    assert shared.count("linear(") == 2 + 1
    assert shared.count("torch.split(") + shared.count("torch.functional.split(") == 1


def test_blocks_without_an_embedding_have_nothing_to_share():
    shared = code(options=InferenceOptions(channels_last=False, in_place=False), use_timestep=False)
    assert "split(" not in shared
    assert "linear(" not in shared


def test_scale_and_shift_are_taken_from_one_product_too():
    made = network(conditioning="scale_shift", attn_type="none")
    fast = for_inference(made, InferenceOptions(channels_last=False))
    assert fast.code.count("linear(") == 2 + 1
    given = arguments(made)
    with torch.no_grad():
        torch.testing.assert_close(fast(**given), made(**given), rtol=1e-4, atol=1e-5)


UPSAMPLING = {
    "nearest and 3×3": ([], {}, 1),
    "without a convolution": ([], {"resamp_with_conv": False}, 0),
    "bilinear": ([{"set": {"nodes": "upsample", "to": {"mode": "bilinear"}}}], {}, 0),
    "two levels": ([], {"ch_mult": [1, 1, 2]}, 2),
    "in blocks": ([], {"resblock_updown": True}, 1),
}


@pytest.mark.parametrize("name", UPSAMPLING)
def test_only_nearest_neighbour_before_a_3x3_convolution_becomes_a_transposed_one(name):
    edits, changes, count = UPSAMPLING[name]
    made = network(*edits, **changes)
    fast = for_inference(made, InferenceOptions(channels_last=True))
    assert fast.code.count("conv_transpose2d(") == count
    given = arguments(made)
    with torch.no_grad():
        torch.testing.assert_close(fast(**given), made(**given), rtol=1e-4, atol=1e-5)


def test_small_images_keep_their_layout_and_large_ones_do_not():
    assert "entered" not in for_inference(network()).code
    assert "entered" in for_inference(network(resolution=32)).code


def test_every_map_that_enters_is_laid_out_anew_and_the_result_leaves_as_x_came():
    made = network(in_channels=5, context_channels=2)
    fast = for_inference(made, InferenceOptions(channels_last=True))
    assert fast.code.count("entered_if_given(") == 1
    given = arguments(made)
    with torch.no_grad():
        expected = made(**given)
        for memory in (torch.contiguous_format, torch.channels_last):
            found = fast(**{**given, "x": given["x"].contiguous(memory_format=memory)})
            assert found.is_contiguous(memory_format=memory)
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_maps_enter_and_leave():
    x = torch.randn(2, 3, 4, 4)
    last = entered(x)
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, x)
    assert entered_if_given(None) is None
    assert entered_if_given(x).is_contiguous(memory_format=torch.channels_last)
    assert left(last, x).is_contiguous()
    assert left(last, last) is last


def test_sums_are_written_over_their_first_operand_where_that_can_hold_them():
    x, other = torch.ones(2, 3), torch.full((2, 3), 4.0)
    assert add_into(x, other) is x
    assert x.tolist() == [[5.0] * 3] * 2
    for wider in (torch.ones(2, 2, 3), torch.ones(2, 3, dtype=torch.float64)):
        kept = x.clone()
        found = add_into(x, wider)
        assert found.shape == wider.shape
        assert found.dtype == wider.dtype
        assert torch.equal(x, kept)
    assert torch.equal(add_into(torch.ones(2, 3), torch.ones(3)), torch.full((2, 3), 2.0))


def test_activations_and_embeddings_are_written_over_the_map():
    x = torch.tensor([[-1.0, 0.0, 2.0]])
    expected = x * torch.sigmoid(x)
    assert silu_into(x) is x
    torch.testing.assert_close(x, expected)
    maps, projected = torch.zeros(2, 3, 2, 2), torch.arange(6.0).reshape(2, 3)
    assert embedding_into(maps, projected) is maps
    assert torch.equal(maps, projected[:, :, None, None].expand(2, 3, 2, 2))


def test_what_goes_in_is_the_same_tensor_or_refused():
    x = torch.ones(1)
    assert checked(x) is x
    asked = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        assert checked(asked) is asked
    with pytest.raises(UserError) as caught:
        checked(asked)
    assert str(caught.value) == (
        "error U090 a network prepared for inference gives no gradients. "
        "Use the network that for_inference was given, or torch.no_grad()."
    )
    with torch.autocast("cpu"), pytest.raises(UserError) as caught:
        checked(x)
    assert str(caught.value) == (
        "error U090 a network prepared for inference computes in the type of its weights, not by autocast. "
        "Convert the network first: for_inference(network.to(torch.bfloat16)); or use the network as it was."
    )


REPLACED = (
    "error U090 weights of a network prepared for inference were replaced, which its forward does not see. "
    "Call refresh() afterwards; for torch.func.functional_call use the network it was made from."
)


@pytest.mark.parametrize("keys", ["all", "conv_in.bias", "temb.dense.0.weight", "up.1.upsample.conv.weight"])
def test_other_weights_for_one_call_are_refused_and_the_next_call_is_as_before(keys):
    fast = for_inference(network(), InferenceOptions(channels_last=True))
    given = arguments(fast)
    expected = fast(**given)
    state = fast.state_dict()
    other = {key: value / 2 for key, value in state.items() if keys in ("all", key)}
    with pytest.raises(UserError) as caught:
        torch.func.functional_call(fast, other, kwargs=given)
    assert str(caught.value) == REPLACED
    assert torch.equal(fast(**given), expected)


def test_weights_that_were_replaced_are_taken_in_by_refresh():
    made = network()
    fast, other = for_inference(made), copy.deepcopy(made)
    given = arguments(made)
    half = nn.Parameter(made.conv_in.weight.detach() / 2, requires_grad=False)
    fast.get_submodule("conv_in").weight = half
    with pytest.raises(UserError, match="were replaced"):
        fast(**given)
    fast.refresh()
    other.conv_in.weight.data /= 2
    with torch.no_grad():
        torch.testing.assert_close(fast(**given), other(**given), rtol=1e-4, atol=1e-5)


def test_weights_that_were_overwritten_are_no_other_weights():
    """What is changed in place is seen at once but for constants made of weights, as the docstring says."""
    made = network()
    fast = for_inference(made, PLAIN)
    fast.get_submodule("conv_out").bias.fill_(7.0)
    given = arguments(made)
    with torch.no_grad():
        expected = made(**given) - made.conv_out.bias[:, None, None] + 7.0
    torch.testing.assert_close(fast(**given), expected, rtol=1e-4, atol=1e-5)


def test_buffers_are_weights_too():
    made = network({"set": {"nodes": "time", "to": {"type": "fourier"}}})
    fast = for_inference(made)
    given = arguments(made)
    state = {"time.frequencies": torch.zeros_like(made.state_dict()["time.frequencies"])}
    with pytest.raises(UserError, match="were replaced"):
        torch.func.functional_call(fast, state, kwargs=given)


def test_the_compiler_traces_it_without_looking_at_the_weights_one_by_one():
    fast = for_inference(network(ch_mult=[1], attn_resolutions=[], mid_block=False), PLAIN)
    given = arguments(fast)
    torch.compiler.reset()
    compiled = torch.compile(fast, backend="eager", fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(**given), fast(**given), rtol=1e-4, atol=1e-5)


class Odd(nn.Module):
    """Its way depends on values, which no tracing can follow."""

    def forward(self, x):
        return x if float(x.sum()) > 0 else -x


def test_what_cannot_be_traced_stays_a_call():
    made = network()
    made.mid.add_module("block_1", Odd())
    calls = {str(node.target) for node in flattened(made).graph.find_nodes(op="call_module")}
    assert calls == {"mid.block_1"}


def test_dropout_is_a_call_in_training_alone():
    made = network(dropout=0.5)
    assert list(flattened(made).graph.find_nodes(op="call_module")) == []
    targets = [str(node.target) for node in flattened(made.train()).graph.find_nodes(op="call_module")]
    assert len(targets) == BLOCKS
    assert all(target.endswith(".dropout") for target in targets)


def test_convolutions_with_other_padding_are_not_opened():
    made = network()
    conv = nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular")
    made.add_module("conv_in", conv)
    assert [str(node.target) for node in flattened(made).graph.find_nodes(op="call_module")] == ["conv_in"]
    fast, given = for_inference(made, InferenceOptions(channels_last=True)), arguments(made)
    with torch.no_grad():
        torch.testing.assert_close(fast(**given), made(**given), rtol=1e-4, atol=1e-5)


def test_every_call_knows_its_node():
    made = network()
    nodes = {node.meta["node"] for node in flattened(made).graph.nodes if node.op == "call_function"}
    assert nodes <= set(made.architecture)
    assert {"down.0.block.0", "mid.attn_1", "norm_out", "act_out"} <= nodes


def test_group_norms_of_small_maps_are_torchs_own():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 16, 16).contiguous(memory_format=torch.channels_last)
    weight, bias = torch.randn(8), torch.randn(8)
    assert torch.equal(group_norm(x, 4, weight, bias, 1e-6), functional.group_norm(x, 4, weight, bias, 1e-6))
