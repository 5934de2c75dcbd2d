"""Training in less memory: the same gradients, and a plan that fits its budget."""

import copy
import os
import pickle
from contextlib import nullcontext
from itertools import accumulate

import pytest
import torch
from network_arguments import network_arguments
from reduced import reduced

from archspec import UserError, check_data
from archspec.text.positions import Positions
from builder import assemble, initialise
from builder.allocations import allocations
from builder.profile import ProfileOptions, predict
from builder.profile.plan import memory_plan
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
        with recomputing(network) if nodes else nullcontext(), torch.autocast("cpu", dtype=torch.bfloat16):
            out = network(**given)
        out.float().square().mean().backward()
        return [value.grad.clone() for value in network.parameters()]

    plain, again = once(nodes=False), once(nodes=True)
    largest = max(value.abs().max() for value in plain)
    for one, other in zip(plain, again, strict=True):
        assert (one - other).abs().max() < 0.01 * largest  # sums in bfloat16 in another order


UNET = {
    "ch": 32, "out_ch": 3, "num_res_blocks": 1, "attn_resolutions": [8], "in_channels": 3, "resolution": 32,
    "ch_mult": [1, 2, 2],
}  # fmt: skip
GRAPH = check_data({"version": 1, "name": "test", "unet": UNET}, Positions("test")).sound()


OPTIONS = ProfileOptions(batch=16)


def test_plans_from_nothing_to_everything():
    nothing = memory_plan(GRAPH, 10**12, OPTIONS)
    assert (nothing.cheap, nothing.nodes, nothing.estimate) == (False, (), nothing.plain)
    norms = memory_plan(GRAPH, nothing.plain - 1, OPTIONS)
    assert (norms.cheap, norms.nodes) == (True, ())
    assert norms.estimate < 0.65 * nothing.plain
    # a budget holds what is there before the step, and the rest of the estimate with its margin of 2 %
    blocks = memory_plan(GRAPH, norms.estimate, OPTIONS)
    assert blocks.nodes
    before = 4 * 4 * sum(value.numel() for value in assemble(GRAPH).parameters())  # weights, averages, Adam's two
    assert 1.02 * (blocks.estimate - before) <= norms.estimate - before
    with pytest.raises(UserError, match=r"a training step needs about \d+ MiB, and the budget is 1 MiB"):
        memory_plan(GRAPH, 2**20, OPTIONS)
    assert memory_plan(GRAPH, 2**20, OPTIONS, must_fit=False).cheap


def test_what_is_predicted_is_what_the_planned_training_takes():
    """The peak of a step with everything again, by the allocator's own record beside the prediction."""
    budget = 66 * 2**20
    found = predict(GRAPH, "training", OPTIONS.model_copy(update={"memory_budget": budget}))
    plan = memory_plan(GRAPH, budget, OPTIONS)
    assert plan.nodes
    assert found.memory == plan.estimate <= budget < plan.plain
    network = assemble(GRAPH).train()
    given = network_arguments(GRAPH, batch=16, device="cpu")

    def step():
        with plan.applied(network):
            out = network(**given)
        out.square().mean().backward()
        network.zero_grad(set_to_none=True)

    step()
    held = 4 * sum(4 * value.numel() for value in network.parameters())
    measured = held + max(accumulate(allocations(step)))
    assert abs(measured - plan.estimate) < 0.03 * plan.estimate


def test_nothing_changes_in_evaluation_and_gradients_of_gradients_are_refused():
    network = assemble(GRAPH).eval()
    given = network_arguments(GRAPH, batch=1, device="cpu")
    with recomputing(network):
        assert "forward" not in vars(network)
    network.train()
    x = given["x"].requires_grad_()
    with recomputing(network):
        out = network(**given)
    (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="trying to differentiate twice a function that was marked"):
        slope.sum().backward()


def test_it_works_inside_of_data_parallel_and_copies_stay_plain(tmp_path):
    network = assemble(GRAPH).train()
    initialise(network, seed=0)
    given = network_arguments(GRAPH, batch=2, device="cpu")
    expected, wanted = gradients(network, given)
    gradients(network, given, ["mid.block_1"])  # its program is kept beside the network, and not copied with it
    for copied in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert "forward" not in vars(copied)
        assert torch.equal(gradients(copied, given, ["mid.block_1"])[0], expected)
    network.zero_grad(set_to_none=True)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        wrapped = torch.nn.parallel.DistributedDataParallel(network)
        with recomputing(network, ["mid.block_1"]):
            result = wrapped(**given)
        assert torch.equal(result, expected)
        result.square().mean().backward()
    finally:
        torch.distributed.destroy_process_group()
    for key, value in network.named_parameters():
        torch.testing.assert_close(value.grad, wanted[key], rtol=1e-5, atol=1e-7)


def test_torch_compile_gives_the_same_gradients():
    network = assemble(GRAPH).train()
    initialise(network, seed=0)
    given = network_arguments(GRAPH, batch=2, device="cpu")
    expected, wanted = gradients(network, given)
    torch.compiler.reset()
    compiled = torch.compile(network, backend="aot_eager")
    network.zero_grad(set_to_none=True)
    with recomputing(network, ["mid.block_1"]):
        result = compiled(**given)
    result.square().mean().backward()
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-6)
    for key, value in network.named_parameters():
        torch.testing.assert_close(value.grad, wanted[key], rtol=1e-4, atol=1e-6)
