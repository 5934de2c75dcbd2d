"""The edit `control`: the controlled copy of an encoder starts without any effect, and learns."""

import pytest
import torch
from network_arguments import network_arguments
from torch.utils.flop_counter import FlopCounterMode

from archspec import UserError, build, check_data, fingerprint, loads, to_yaml, total_price
from archspec.graphs.graph import inputs_of
from archspec.text.positions import Positions
from builder import assemble
from builder.initialise import initialise

SIZES = {"ch": 32, "out_ch": 3, "in_channels": 3, "resolution": 16, "ch_mult": [1, 2], "num_res_blocks": 1}
FORMS = {
    "unet": {**SIZES, "attn_resolutions": [8]},
    "song": {**SIZES, "attn_resolutions": [8], "progressive_input": "residual"},
    "edm2": {**SIZES, "attn_resolutions": [8], "head_dim": 8, "classes": 3},
}
CONTROL = {"control": {"channels": 2}}


def network(form, *edits, **parameters):
    document = {"version": 1, "name": "n", form: {**FORMS[form], **parameters}, "edits": list(edits)}
    return check_data(document, Positions("n")).sound()


@pytest.mark.parametrize("form", FORMS)
def test_it_starts_as_the_network_without_control(form):
    base, controlled = network(form), network(form, CONTROL)
    compiled = [assemble(graph).eval() for graph in (base, controlled)]
    given = network_arguments(controlled, batch=2, device="cpu")
    for module in compiled:
        initialise(module, seed=3)
        for key, parameter in module.named_parameters():
            if key.endswith("gain"):
                parameter.data.fill_(0.5)
    assert given["context"].shape == (2, 2, 16, 16)
    plain = {name: value for name, value in given.items() if name != "context"}
    assert torch.equal(compiled[0](**plain), compiled[1](**given))
    for key, parameter in compiled[1].named_parameters():
        if "zero" in key:
            parameter.data.normal_(std=0.3)
    first, second = compiled[1](**given), compiled[1](**{**given, "context": -given["context"]})
    assert not torch.allclose(first, second)
    first.square().mean().backward()
    silent = {k for k, p in compiled[1].named_parameters() if p.grad is None or not p.grad.any()}
    assert silent == set()


def test_a_network_with_a_context_takes_the_control_beside_it():
    parameters = {"in_channels": 4, "context_channels": 1}
    base, controlled = network("unet", **parameters), network("unet", CONTROL, **parameters)
    compiled = [assemble(graph).eval() for graph in (base, controlled)]
    for module in compiled:
        initialise(module, seed=3)
    given = network_arguments(controlled, batch=2, device="cpu")
    assert (given["context"].shape, given["control"].shape) == ((2, 1, 16, 16), (2, 2, 16, 16))
    plain = {name: value for name, value in given.items() if name != "control"}
    assert torch.equal(compiled[0](**plain), compiled[1](**given))
    for key, parameter in compiled[1].named_parameters():
        if "zero" in key:
            parameter.data.normal_(std=0.3)
    for name in ("context", "control"):
        assert not torch.allclose(compiled[1](**given), compiled[1](**{**given, name: -given[name]}))
    assert inputs_of(controlled, "control.with_context") == {"x": "x", "skip": "context"}
    with pytest.raises(UserError, match=r"needs a control image\. Call it as model\(x, t, control=…\)\."):
        compiled[1](**plain)
    price = total_price(controlled)
    assert sum(parameter.numel() for parameter in compiled[1].parameters()) == price.parameters
    assert fingerprint(build(loads(to_yaml(controlled)))) == fingerprint(controlled)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_priced_and_written_as_it_is(form):
    graph = network(form, CONTROL)
    with torch.device("meta"):
        meta = assemble(graph).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        meta(**network_arguments(graph))
    price = total_price(graph)
    assert counter.get_total_flops() == 2 * price.macs
    assert sum(parameter.numel() for parameter in meta.parameters()) == price.parameters
    assert fingerprint(build(loads(to_yaml(graph)))) == fingerprint(graph) != fingerprint(network(form))


def test_what_it_costs_and_where_it_joins():
    base, controlled = network("unet"), network("unet", CONTROL)
    encoder = sum(
        base.nodes[node]["price"].parameters for node in base if node == "conv_in" or node.startswith(("down.", "mid."))
    )
    hint = (2 * 9 + 1) * 32 + (32 + 1) * 32
    zeros = sum((width + 1) * width for width in (32, 32, 32, 64, 64))  # stem, block, downsample, block, middle
    assert total_price(controlled).parameters - total_price(base).parameters == encoder + hint + zeros
    assert inputs_of(controlled, "control.down.0.block.0") == {"x": "control.with_hint", "emb": "temb"}
    skip = inputs_of(controlled, "up.0.skip.1")["skip"]
    assert inputs_of(controlled, skip)["x"] == "conv_in"
    assert inputs_of(controlled, "down.0.block.0") == {"x": "conv_in", "emb": "temb"}


@pytest.mark.parametrize(
    ("edits", "parameters", "message"),
    [
        (
            [CONTROL, CONTROL],
            {},
            "n: error U306 the network takes a control image already. Its input is `control.image`.",
        ),
        (
            [CONTROL, CONTROL],
            {"in_channels": 4, "context_channels": 1},
            "n: error U306 the network takes a control image already. Its input is `control.image`.",
        ),
        ([{"control": {"channels": 0}}], {}, "n: error U012 `edits.0.control.channels` must be at least 1, not 0."),
    ],
)
def test_what_cannot_be_controlled(edits, parameters, message):
    with pytest.raises(UserError) as caught:
        network("unet", *edits, **parameters)
    assert str(caught.value) == message
