"""Programs that compute again: results, gradients, the generator, what is kept, and who is chosen."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from network_arguments import network_arguments
from small import network as small
from torch import fx, nn
from torch.nn import functional

from archspec import UserError
from builder.inference.flat import flattened
from builder.layers.magnitude import MpConv2d
from builder.remat import Program, recomputing, several
from builder.remat.program import candidates
from builder.remat.select import Calls, opens


def ready(*edits, **changes):
    network = small(*edits, **changes).train()
    torch.manual_seed(1)
    return network, network_arguments(network.architecture, batch=2, device="cpu")


VARIANTS = {
    "dropout": ([], {"dropout": 0.4}),
    "scale and shift": ([], {"conditioning": "scale_shift", "dropout": 0.2}),
    "resampling blocks": ([], {"resblock_updown": True}),
    "added skips": ([], {"skip": "add"}),
    "pooling": ([], {"resamp_with_conv": False}),
    "linear attention": ([], {"attn_type": "linear"}),
    "no timestep": ([], {"use_timestep": False}),
    "transformers": ([], {"attn_type": "transformer", "tokens": {"dim": 6, "length": 3}, "dropout": 0.1}),
    "norms over channels": ([{"set": {"nodes": "resnet_block", "to": {"norm_type": "layer"}}}], {}),
    "norms after": ([{"set": {"nodes": "resnet_block", "to": {"norm_order": "post"}}}], {}),
    "windows": (
        [{"replace": {"nodes": "attention", "with": {"op": "window_attention", "window": 4, "shift": 2, "groups": 4}}}],
        {},
    ),
    "gates": ([{"replace": {"nodes": "concat", "with": {"op": "gated_concat"}}}], {}),
}


def trained(network, given, nodes, cheap):
    """The result, gradients of weights and of the image, and the next number of the generator."""
    network.zero_grad(set_to_none=True)
    x = given["x"].clone().requires_grad_()
    torch.manual_seed(5)
    with recomputing(network, nodes, cheap=cheap):
        out = network(**{**given, "x": x})
    drawn = torch.rand(1)
    out.square().mean().backward()
    grads = {key: value.grad for key, value in network.named_parameters() if value.grad is not None}
    return out.detach(), {**grads, "the image": x.grad}, drawn


@pytest.mark.parametrize("name", VARIANTS)
def test_results_gradients_and_the_generator_are_those_of_a_plain_step(name):
    edits, changes = VARIANTS[name]
    network, given = ready(*edits, **changes)
    expected, wanted, drawn = trained(network, given, [], cheap=False)
    every = list(network.architecture)
    for nodes, cheap in (([], True), (every, False), (every, True)):
        found, got, after = trained(network, given, nodes, cheap)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
        assert torch.equal(after, drawn)
        assert got.keys() == wanted.keys()
        for key, value in wanted.items():
            torch.testing.assert_close(got[key], value, rtol=1e-4, atol=1e-6, msg=key)


def kept_bytes(network, given, nodes, cheap):
    """Bytes that a forward pass keeps for its backward beside the weights, each storage once."""
    own, held = {value.untyped_storage().data_ptr() for value in network.parameters()}, {}

    def pack(one):
        if one.untyped_storage().data_ptr() not in own:
            held[one.untyped_storage().data_ptr()] = one
        return one

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one), recomputing(network, nodes, cheap=cheap):
        network(**given)
    return sum(one.untyped_storage().nbytes() for one in held.values())


def test_each_step_of_a_plan_keeps_less():
    network, given = ready()
    plain = kept_bytes(network, given, [], cheap=False)
    cheap = kept_bytes(network, given, [], cheap=True)
    blocks = kept_bytes(network, given, [node for node in network.architecture if ".block" in node], cheap=True)
    assert blocks < cheap < 0.7 * plain


def test_the_forward_is_as_before_after_an_error_too():
    network, given = ready()
    with pytest.raises(RuntimeError), recomputing(network, ["mid.block_1"]):
        network(given["x"][:, :2], given["t"])
    assert "forward" not in vars(network)
    assert not any("forward" in vars(module) for module in network.modules())


def test_weights_are_those_at_the_time_of_the_call():
    network, given = ready()
    with recomputing(network), torch.no_grad():
        network(**given)
    other = copy.deepcopy(network)
    with torch.no_grad():
        for value in (*network.parameters(), *other.parameters()):
            value.mul_(0.5)
    with recomputing(network):
        found = network(**given)
    torch.testing.assert_close(found, other(**given), rtol=1e-5, atol=1e-6)


def test_a_program_reads_as_calls_with_its_weights_as_arguments():
    network, given = ready()
    program = Program(network, ["mid.block_1"])
    assert program.code.startswith("\n\n\ndef forward(self, w_")
    assert "quiet_group_norm" in program.code
    assert program.whole == ()
    torch.testing.assert_close(program(**given), network(**given), rtol=1e-5, atol=1e-6)
    assert "quiet_" not in Program(network, cheap=False).code


def test_hooks_of_layers_run_again_are_said_not_to_run():
    """As the docstring has it: the layers of a network are not called while it computes again."""
    network, given = ready()
    called = []
    network.mid.block_1.register_forward_hook(lambda *_: called.append("block"))
    with recomputing(network):
        network(**given)
    assert called == []
    network(**given)
    assert called == ["block"]


class Outside(nn.Module):
    """A layer of somebody else's, which may do anything in training."""

    def forward(self, x):
        return x.sin()


def test_who_is_made_of_several_layers_and_who_may_be_looked_into():
    network, _ = ready()
    assert several(network.mid.block_1)
    assert not several(network.conv_in)
    assert opens(network.mid.block_1)
    assert opens(nn.Sequential(nn.Conv2d(1, 1, 1), nn.SiLU()))
    assert not opens(nn.Sequential(nn.Conv2d(1, 1, 1), Outside()))
    assert not opens(MpConv2d(4, 4, 3))  # changes its weights in training


def test_candidates_are_told_by_the_layers_and_weights_that_run_twice():
    network, _ = ready()
    found = candidates(network)
    block = network.mid.block_1
    # The first convolution runs twice; the last one's result is not needed, and the embedding's is a vector.
    assert found["mid.block_1"] == (1, block.conv1.weight.numel())
    assert "conv_in" not in found
    assert "temb" not in found
    transformers, _ = ready(attn_type="transformer", dropout=0.1)
    node = candidates(transformers)["mid.attn_1"]
    assert node[0] >= 1


def test_what_is_cheap_are_norms_activations_and_what_they_are_arranged_into():
    network, _ = ready(skip="concat")
    flat = flattened(network)
    cheap = Calls(network.architecture, flat.graph).cheap()
    targets = {node.target for node in cheap}
    assert {torch.group_norm, functional.silu, torch.cat, functional.interpolate, functional.pad} <= targets
    assert not targets & {torch.conv2d, functional.linear, functional.scaled_dot_product_attention}
    small = [node for node in flat.graph.nodes if node.target is functional.silu and node not in cheap]
    assert small  # of the embedding: a vector is kept as it is
    assert all(isinstance(node, fx.Node) for node in small)


def test_a_node_that_is_not_there_is_told_in_training_and_in_evaluation():
    network, _ = ready()
    for mode in (True, False):
        network.train(mode)
        with pytest.raises(UserError, match=r"there is no node 'mid.blok_1' to compute again\.\n?.*mid\.block_1"):
            recomputing(network, ["mid.blok_1"]).__enter__()


def agree(network, given, nodes):
    out, gradients, _ = trained(network, given, nodes, cheap=True)
    network.zero_grad(set_to_none=True)
    x = given["x"].clone().requires_grad_()
    torch.manual_seed(5)
    plain = network(**{**given, "x": x})
    plain.square().mean().backward()
    torch.testing.assert_close(out, plain.detach())
    for key, value in network.named_parameters():
        if value.grad is not None:
            torch.testing.assert_close(gradients[key], value.grad, rtol=1e-3, atol=1e-5)


def everything(network):
    return tuple(network.architecture)


@pytest.mark.parametrize("whole", [False, True])
def test_what_changes_between_two_calls_is_followed(whole):
    """Dropout that is switched off in a part, its share, and the type of all numbers."""
    network, given = ready(dropout=0.4)
    nodes = everything(network) if whole else ()
    agree(network, given, nodes)
    network.down.eval()
    agree(network, given, nodes)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.7
    agree(network, given, nodes)
    network.double()
    agree(network, {key: one.double() if one.is_floating_point() else one for key, one in given.items()}, nodes)


@pytest.mark.parametrize("edits", [[], [{"set": {"nodes": "attention", "to": {"residual": False}}}]])
def test_a_single_image_whose_channels_are_innermost(edits):
    network = small(*edits).train()
    given = network_arguments(network.architecture, batch=1, device="cpu")
    image = given["x"][0].permute(1, 2, 0).contiguous()
    given["x"] = image.permute(2, 0, 1)[None]
    for nodes in ((), everything(network)):
        agree(network, given, nodes)


@pytest.mark.parametrize("name", ["gates", "norms after", "scale and shift"])
def test_autocast_around_the_backward_pass_alone_changes_nothing(name):
    edits, changes = VARIANTS[name]
    network, given = ready(*edits, **changes)
    for nodes in ((), everything(network)):
        found = []
        for enabled in (False, True):
            network.zero_grad(set_to_none=True)
            torch.manual_seed(5)
            with recomputing(network, nodes):
                out = network(**given)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                out.square().mean().backward()
            found.append([value.grad for value in network.parameters() if value.grad is not None])
        largest = max(float(value.abs().max()) for value in found[0])
        # what stands outside of the recomputed layers is torch's own, which casts some products
        assert all(float((one - other).abs().max()) < 0.01 * largest for one, other in zip(*found, strict=True))


def test_one_block_inside_of_another_ends_with_the_outer_one():
    network, given = ready()
    plain = network(**given).detach()
    with recomputing(network):
        outer = network.forward
        with recomputing(network, ["mid.block_1"]):
            assert network.forward is not outer
            assert torch.equal(network(**given), plain)
        assert network.forward is outer
        assert torch.equal(network(**given), plain)
    assert "forward" not in vars(network)


def test_a_forward_that_was_replaced_is_kept_and_refused():
    network, given = ready()
    plain = network.forward
    network.forward = lambda *args, **kwargs: 2 * plain(*args, **kwargs)
    with pytest.raises(UserError, match=r"the network's forward was replaced"), recomputing(network):
        pass
    assert torch.equal(network(**given), 2 * plain(**given))


def test_programs_are_made_by_several_threads():
    networks = [ready(ch=8 * (1 + at)) for at in range(4)]

    def once(made):
        network, given = made
        with recomputing(network):
            return network(**given).detach()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(once, networks))
    for (network, given), one in zip(networks, found, strict=True):
        assert torch.equal(one, network(**given))
