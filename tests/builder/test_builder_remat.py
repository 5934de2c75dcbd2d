"""Training in less memory: the same gradients, and a plan that fits its budget."""

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.memory_plan import memory_plan
from builder.remat import recomputing


def gradients(network, given, nodes=None, cheap=True):
    network.zero_grad(set_to_none=True)
    torch.manual_seed(3)
    if nodes is None:
        out = network(**given)
    else:
        with recomputing(network, nodes, cheap=cheap):
            out = network(**given)
    out.square().mean().backward()
    return out, {key: value.grad.clone() for key, value in network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", ["ddpm-cifar10", "adm-64", "sd15", "edm2-xs", "edm-ncsnpp-cifar10"])
@pytest.mark.parametrize("whole", [False, True])
def test_outputs_and_gradients_are_the_same(name, whole):
    graph = reduced(name)
    network = assemble(graph).train()
    initialise(network, seed=0)
    given = network_arguments(graph, batch=2, device="cpu")
    expected, wanted = gradients(network, given)
    nodes = [node for node in graph if ".block" in node] if whole else []
    found, got = gradients(network, given, nodes)
    assert torch.equal(found, expected)  # with dropout, since its generator is put back
    assert got.keys() == wanted.keys()
    for key, value in wanted.items():
        assert torch.allclose(got[key], value, rtol=1e-5, atol=1e-7), key
    assert list(network.state_dict()) == list(assemble(graph).state_dict())
    assert "forward" not in vars(network.get_submodule(next(node for node in graph if ".block" in node)))


def test_autocast_is_that_of_the_forward():
    graph = reduced("ddpm-cifar10", dropout=0.0)
    network = assemble(graph).train()
    given = network_arguments(graph, batch=2, device="cpu")

    def once(nodes):
        network.zero_grad(set_to_none=True)
        with recomputing(network, cheap=nodes), torch.autocast("cpu", dtype=torch.bfloat16):
            out = network(**given)
        out.float().square().mean().backward()
        return [value.grad.clone() for value in network.parameters()]

    for plain, again in zip(once(nodes=False), once(nodes=True), strict=True):
        assert torch.equal(plain, again)


UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 32,
    "ch_mult": [1, 2, 2],
}  # fmt: skip
GRAPH = check_data({"version": 1, "name": "test", "unet": UNET}, Positions("test")).sound()


def test_plans_from_nothing_to_everything():
    nothing = memory_plan(GRAPH, 10**12, 16)
    assert (nothing.cheap, nothing.nodes, nothing.estimate) == (False, (), nothing.plain)
    norms = memory_plan(GRAPH, nothing.plain - 1, 16)
    assert (norms.cheap, norms.nodes) == (True, ())
    assert norms.estimate < 0.75 * nothing.plain
    # a budget holds the estimate with its margin of 12 %
    blocks = memory_plan(GRAPH, int(1.12 * 0.93 * norms.estimate), 16)
    assert blocks.nodes
    assert blocks.estimate <= 0.93 * norms.estimate
    with pytest.raises(UserError, match=r"a training step needs about \d+ MiB, and the budget is 1 MiB"):
        memory_plan(GRAPH, 2**20, 16)
